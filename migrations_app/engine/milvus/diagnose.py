"""Diagnosis: finds out why a server cannot be reached, layer by layer: host name, port, TLS.

gRPC reports only "unavailable".
"""

from __future__ import annotations

import contextlib
import socket
import ssl

from migrations_app.engine.address_guard import Resolve
from migrations_app.engine.errors import (
    ConnectionFailed,
    ConnectionRefused,
    ConnectTimeout,
    FerryError,
    TlsFailed,
)
from migrations_app.engine.milvus.address import MilvusAddress
from migrations_app.engine.probe import GRPC, HTTPS, TLS, probe

TIMEOUT_SECONDS = 3.0
FIELD = "uri"
PORT_HINT = "Milvus speaks gRPC, by default on port 19530. Is this the port of another program?"


def explain(
    address: MilvusAddress, resolve: Resolve, ca_cert: str | None, seen: FerryError
) -> ConnectionFailed:
    """Return the best error for an ``address`` that does not answer. ``seen`` is the error of the call."""
    try:
        addresses = resolve(address.host)
        answer = probe(addresses, address.port)
        with _connected(addresses, address.port) as raw:
            if answer.name not in ("", GRPC, TLS, HTTPS):
                return _other_server(address, answer.name, seen)
            return _check_tls(address, ca_cert, raw) or _other_server(address, answer.name, seen)
    except ConnectionFailed as error:  # the name no longer resolves, or resolves to a forbidden address
        return error
    except TimeoutError:
        hint = f"Allow connections from here to {address.host}, port {address.port} (firewall, allow list)."
        return ConnectTimeout(f"{address} did not answer within {TIMEOUT_SECONDS:g} s.", hint, field=FIELD)
    except OSError as error:
        hint = "Check the host and the port, and make sure that Milvus is running there."
        reason = "nothing listens there" if isinstance(error, ConnectionRefusedError) else error.strerror
        return ConnectionRefused(f"{address} cannot be reached: {reason}.", hint, field=FIELD)


def _other_server(address: MilvusAddress, name: str, seen: FerryError) -> ConnectionFailed:
    name = name or "a program"
    return ConnectionFailed(
        f"{name[:1].upper()}{name[1:]} answers on {address}, but not as Milvus does.",
        PORT_HINT,
        field=FIELD,
        code="not_milvus",
        details=seen.details or seen.message,
    )


def _connected(addresses: tuple[str, ...], port: int) -> socket.socket:
    """Connect to the first of ``addresses`` that accepts. Raises the ``OSError`` of the last one."""
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            return socket.create_connection((address, port), timeout=TIMEOUT_SECONDS)
    return socket.create_connection((addresses[-1], port), timeout=TIMEOUT_SECONDS)


def _check_tls(address: MilvusAddress, ca_cert: str | None, raw: socket.socket) -> ConnectionFailed | None:
    try:
        return _try_handshake(address, ca_cert, raw) if address.tls else _detect_tls(address, raw)
    except TimeoutError:
        return ConnectTimeout(
            f"A program listens on {address}, but it did not answer within {TIMEOUT_SECONDS:g} s.",
            f"If it is Milvus, check that it works. {PORT_HINT}",
            field=FIELD,
        )


def _try_handshake(address: MilvusAddress, ca_cert: str | None, raw: socket.socket) -> TlsFailed | None:
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
            "Enter the certificate of the authority that signed it, and use the host name it was issued for.",
            field="ca_cert" if ca_cert else FIELD,
        )
    except TimeoutError:
        raise
    except OSError:
        hint = f"Write http://{address.authority} instead."
        return TlsFailed(f"{address} does not speak TLS.", hint, field=FIELD)


def _detect_tls(address: MilvusAddress, raw: socket.socket) -> TlsFailed | None:
    """Return an error if the server expects TLS. Such a server closes a plain gRPC connection, but it
    completes a TLS handshake without certificate checks. Raises ``TimeoutError`` if it says nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with context.wrap_socket(raw, server_hostname=address.host):
            hint = f"Write https://{address.authority} instead."
            return TlsFailed(f"{address} expects TLS.", hint, field=FIELD)
    except TimeoutError:
        raise
    except OSError:
        return None
