"""Why a server cannot be reached, found layer by layer: name, port, TLS. gRPC only says "unavailable"."""

from __future__ import annotations

import contextlib
import socket
import ssl

from migrations_app.engine.errors import (
    ConnectionFailed,
    ConnectionRefused,
    ConnectTimeout,
    HostUnknown,
    TlsFailed,
)
from migrations_app.engine.milvus.address import MilvusAddress

LOOK_SECONDS = 3.0
FIELD = "uri"


def explain(address: MilvusAddress, ca_cert: str | None, otherwise: str) -> ConnectionFailed:
    """The error that says best why ``address`` does not answer; ``otherwise`` is gRPC's own sentence."""
    try:
        with _connected(address) as raw:
            return _look_at_tls(address, ca_cert, raw) or ConnectionFailed(
                f"Something listens on {address}, but it does not answer as Milvus does. {otherwise}",
                "Milvus speaks gRPC, by default on port 19530. Is this the port of another program?",
                field=FIELD,
            )
    except (socket.gaierror, UnicodeError):  # no such name, or one that can be none of a host (“a..b”)
        hint = "Check the spelling, and that the machine Vectorferry runs on can resolve it."
        return HostUnknown(f"There is no host “{address.host}”.", hint, field=FIELD)
    except TimeoutError:
        hint = f"Allow connections from here to {address.host}, port {address.port} (firewall, allow list)."
        return ConnectTimeout(f"{address} did not answer within {LOOK_SECONDS:g} s.", hint, field=FIELD)
    except OSError as error:
        hint = "Check host and port, and that Milvus is running there."
        reason = "nothing listens there" if isinstance(error, ConnectionRefusedError) else error.strerror
        return ConnectionRefused(f"{address} cannot be reached: {reason}.", hint, field=FIELD)


def _connected(address: MilvusAddress) -> socket.socket:
    return socket.create_connection((address.host, address.port), timeout=LOOK_SECONDS)


def _look_at_tls(address: MilvusAddress, ca_cert: str | None, raw: socket.socket) -> TlsFailed | None:
    return _shake_hands(address, ca_cert, raw) if address.tls else _notice_tls(address, raw)


def _shake_hands(address: MilvusAddress, ca_cert: str | None, raw: socket.socket) -> TlsFailed | None:
    try:
        context = ssl.create_default_context(cadata=ca_cert)
    except ssl.SSLError:
        return TlsFailed("The CA certificate cannot be read.", "Paste the whole PEM text.", field="ca_cert")
    try:
        with context.wrap_socket(raw, server_hostname=address.host):
            return None
    except ssl.SSLCertVerificationError as error:
        return TlsFailed(
            f"The certificate of {address} is not trusted: {error.verify_message}.",
            "Give the certificate of the authority that signed it, and the host name that it is for.",
            field="ca_cert" if ca_cert else FIELD,
        )
    except OSError:
        hint = f"Write http://{address.grpc_target} instead."
        return TlsFailed(f"{address} does not speak TLS.", hint, field=FIELD)


def _notice_tls(address: MilvusAddress, raw: socket.socket) -> TlsFailed | None:
    """A TLS server hangs up on plain gRPC; a handshake without any check shows it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(OSError), context.wrap_socket(raw, server_hostname=address.host):
        hint = f"Write https://{address.grpc_target} instead."
        return TlsFailed(f"{address} expects TLS.", hint, field=FIELD)
    return None
