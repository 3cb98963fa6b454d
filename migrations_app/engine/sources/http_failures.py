"""HTTP failures: the ways in which a request gets no complete answer (by phase and exception), each with the
error to raise.
"""

from __future__ import annotations

import errno
import http.client
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from migrations_app.engine.errors import (
    AnswerTooLarge,
    ConnectionFailed,
    ConnectionRefused,
    ConnectTimeout,
    FerryError,
    SourceDataError,
    SourceUnavailable,
    TlsFailed,
)
from migrations_app.engine.log import shortened
from migrations_app.engine.sources.stoppable_socket import Phase

MESSAGE_CHARACTERS = 300
# Verification results of OpenSSL (x509_vfy.h).
_EXPIRED, _NAME_MISMATCH, _ADDRESS_MISMATCH = 10, 62, 64


@dataclass(frozen=True, slots=True)
class HttpFields:
    """The names of the settings to which errors belong: address, credential and CA certificate."""

    address: str = "url"
    secret: str = "api_key"
    ca_cert: str = "ca_cert"


@dataclass(frozen=True, slots=True)
class Failure:
    """One way in which a request gets no complete answer. ``setting`` is a field of ``HttpFields``.

    ``pattern`` matches the text of the exception. ``message`` and ``hint`` may contain ``{server}``,
    ``{action}``, ``{seconds}`` and ``{said}``, the text of the exception.
    """

    phase: Phase
    exception: type[Exception] | tuple[type[Exception], ...]
    pattern: str
    error: type[FerryError]
    setting: str
    message: str
    hint: str
    extra: Mapping[str, Any] = field(default_factory=dict)


_CLOSED = (ConnectionError, EOFError, http.client.HTTPException)
# The first match counts.
FAILURES = (
    Failure(
        Phase.CONNECT,
        ConnectionRefusedError,
        "",
        ConnectionRefused,
        "address",
        "Nothing listens on {server}.",
        "Check host and port, and that the server is running.",
    ),
    Failure(
        Phase.CONNECT,
        TimeoutError,
        "",
        ConnectTimeout,
        "address",
        "{server} did not accept a connection within {seconds} seconds.",
        "A firewall may drop the packets: allow the address of this machine to connect to {server}.",
    ),
    Failure(
        Phase.CONNECT,
        OSError,
        f"Errno ({errno.ENETUNREACH}|{errno.EHOSTUNREACH})",
        ConnectionFailed,
        "address",
        "This machine has no network route to {server}.",
        "Check the network between the two: a VPN, a private network, IPv6 only.",
        {"code": "network_unreachable", "retryable": True},
    ),
    Failure(
        Phase.CONNECT,
        OSError,
        "",
        ConnectionFailed,
        "address",
        "The connection to {server} failed: {said}",
        "Check host and port, and that the server is running.",
        {"retryable": True},
    ),
    Failure(
        Phase.TLS,
        TimeoutError,
        "",
        ConnectTimeout,
        "address",
        "{server} accepted the connection, but did not answer it within {seconds} seconds.",
        "Check that this is the port for HTTPS. If the server does not use TLS, write http://.",
    ),
    Failure(
        Phase.TLS,
        ssl.SSLCertVerificationError,
        f"code {_NAME_MISMATCH}:|code {_ADDRESS_MISMATCH}:",
        TlsFailed,
        "address",
        "The certificate of {server} is for another host name.",
        "Use the host name in the certificate. OpenSSL reported: {said}",
    ),
    Failure(
        Phase.TLS,
        ssl.SSLCertVerificationError,
        f"code {_EXPIRED}:",
        TlsFailed,
        "address",
        "The certificate of {server} has expired.",
        "Renew it on the server.",
    ),
    Failure(
        Phase.TLS,
        ssl.SSLCertVerificationError,
        "",
        TlsFailed,
        "ca_cert",
        "The certificate of {server} was not signed by an authority that this machine trusts.",
        "Paste the certificate of the authority that signed it. OpenSSL reported: {said}",
    ),
    Failure(
        Phase.TLS,
        ssl.SSLError,
        "WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|HTTP_REQUEST",
        TlsFailed,
        "address",
        "{server} does not use TLS.",
        "Write http:// if it is a server without TLS, or correct the port.",
    ),
    Failure(
        Phase.TLS,
        (ssl.SSLError, *_CLOSED),
        "UNEXPECTED_EOF|EOF occurred|reset|closed|Broken pipe",
        TlsFailed,
        "address",
        "{server} closed the connection before TLS was established.",
        "Check that this is the port for HTTPS, and see the server's log.",
        {"retryable": True},
    ),
    Failure(
        Phase.TLS,
        OSError,
        "",
        TlsFailed,
        "address",
        "TLS with {server} failed.",
        "Check the TLS settings of the server. OpenSSL reported: {said}",
    ),
    Failure(
        Phase.ANSWER,
        TimeoutError,
        "",
        SourceUnavailable,
        "",
        "{server} did not finish its answer to {action} in time.",
        "The server may be overloaded, or a proxy holds the connection. Check it, then resume the job.",
        {"code": "source_timeout"},
    ),
    Failure(
        Phase.ANSWER,
        http.client.BadStatusLine,
        "^(?!.*without response)",
        ConnectionFailed,
        "address",
        "{server} does not answer in HTTP.",
        "Check the port. If the server uses TLS, write https://.",
        {"code": "not_http"},
    ),
    Failure(
        Phase.ANSWER,
        Exception,
        "",
        SourceUnavailable,
        "",
        "{server} broke off its answer to {action}: {said}.",
        "",
    ),
)


def failure_error(
    error: Exception, phase: Phase, fields: HttpFields, values: Mapping[str, object]
) -> FerryError:
    """Return the error to raise for a request that got no complete answer because of ``error``."""
    cause = _root(error)
    said = shortened(_text(cause), MESSAGE_CHARACTERS)
    for failure in FAILURES:
        is_kind = phase is failure.phase and isinstance(cause, failure.exception)
        if is_kind and re.search(failure.pattern, said):
            words = {**values, "said": said.rstrip(".")}
            return failure.error(
                failure.message.format_map(words),
                failure.hint.format_map(words),
                field=getattr(fields, failure.setting) if failure.setting else "",
                **failure.extra,
            )
    return SourceUnavailable(f"The request to {values['server']} failed: {said}")


def _root(error: Exception) -> Exception:
    """Return the exception of the standard library inside an exception of urllib3."""
    known = (OSError, http.client.HTTPException, UnicodeError, EOFError)
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, known) and not type(seen).__module__.startswith("urllib3"):
            return seen
        inner = [value for value in seen.args if isinstance(value, Exception)]
        seen = inner[0] if inner else seen.__cause__ or seen.__context__
    return error


def _text(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"code {error.verify_code}: {error.verify_message}"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection was closed in the middle"
    return str(error) or type(error).__name__


def too_large(server: str, action: str, max_bytes: int) -> AnswerTooLarge:
    return AnswerTooLarge(f"The answer of {server} to {action} is larger than {max_bytes:,} bytes.")


def undecodable(server: str, action: str, encoding: str) -> SourceDataError:
    return SourceDataError(
        f"The answer of {server} to {action} came in the encoding “{shortened(encoding)}”, unasked.",
        "Check the proxy in front of the server.",
    )
