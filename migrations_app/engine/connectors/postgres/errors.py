"""What PostgreSQL, libpq and both drivers say, as errors of ours: two tables, one to connect, one to read.

Refusals to connect come without SQLSTATE (libpq gives only the text), so that table matches texts; the
other goes by SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import adbc_driver_manager
import psycopg

from migrations_app.engine.connectors.postgres.conninfo import CONNECT_TIMEOUT_SECONDS, Address
from migrations_app.engine.errors import (
    AuthRefused,
    ConnectionFailed,
    ConnectionRefused,
    ConnectTimeout,
    DatabaseMissing,
    ExtensionMissing,
    FerryError,
    HostUnknown,
    PrivilegeMissing,
    SourceChanged,
    SourceDataError,
    SourceError,
    SourceUnavailable,
    TlsFailed,
)

VENDOR_ERRORS = (psycopg.Error, adbc_driver_manager.Error)


@dataclass(frozen=True, slots=True)
class Failure:
    """What a driver said: the five letters of SQLSTATE, or none, and the server's own words."""

    sqlstate: str
    message: str


def failure_of(error: Exception) -> Failure:
    """Reads an error of psycopg, of ADBC, or of pyarrow around ADBC."""
    if isinstance(error, psycopg.Error):
        return Failure(error.sqlstate or "", _tidy(error.diag.message_primary or str(error)))
    details: list[tuple[str, bytes]] = getattr(error, "details", [])
    said = {_text(name): _text(value) for name, value in details}
    message = said.get("PG_DIAG_MESSAGE_PRIMARY") or str(error).split("[libpq]")[-1]
    return Failure(getattr(error, "sqlstate", None) or "", _tidy(message))


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _tidy(message: str) -> str:
    """One line, without the driver's own beginnings."""
    line = " ".join(message.split())
    for start in ("connection failed: ", "connection is bad: ", "Failed to connect: "):
        line = line.removeprefix(start)
    return line.strip()[:500]


# ---------------------------------------------------------------- to connect


@dataclass(frozen=True, slots=True)
class Refusal:
    """A way not to get in: any of ``said`` stands in the message. Texts may name parts of the address,
    and ``{said}`` what the server said."""

    said: tuple[str, ...]
    error: type[ConnectionFailed]
    setting: str
    message: str
    hint: str
    more: dict[str, Any] = field(default_factory=dict)


REFUSALS = (
    Refusal(
        ("could not translate host name", "failed to resolve host"),
        HostUnknown,
        "host",
        "There is no host named “{host}”.",
        "Check its spelling. The name must be known to the machine that Vectorferry runs on.",
    ),
    Refusal(
        ("Connection refused", "No such file or directory"),
        ConnectionRefused,
        "port",
        "Nothing listens on {address}.",
        "Check host and port, and that the server listens on this address (listen_addresses).",
    ),
    Refusal(
        ("timeout expired", "timed out", "connection timeout"),
        ConnectTimeout,
        "host",
        "{address} did not answer within {seconds} seconds.",
        "A firewall may drop the packets: let the address of this machine connect to {address}.",
    ),
    Refusal(
        ("unreachable", "No route to host"),
        ConnectionFailed,
        "host",
        "There is no way to {address} from this machine.",
        "Check the network between the two: a VPN, a private network, IPv6 only.",
        {"code": "network_unreachable", "retryable": True},
    ),
    Refusal(
        ("server does not support SSL",),
        TlsFailed,
        "sslmode",
        "{address} does not speak TLS, and TLS mode “{sslmode}” asks for it.",
        "Turn TLS on in the server, or choose “prefer” or “disable”.",
    ),
    Refusal(
        ("certificate verify failed", "root certificate", "sslrootcert", "certificate authority"),
        TlsFailed,
        "sslrootcert",
        "The certificate of {address} was not signed by an authority that is trusted here.",
        "Paste the certificate of the authority that signed it. The server said: {said}",
    ),
    Refusal(
        ("server certificate for", "does not match host name"),
        TlsFailed,
        "host",
        "The certificate of {address} is for another name.",
        "Use the host name in the certificate, or TLS mode “verify-ca”. {said}",
    ),
    Refusal(
        ("private key file", "key values mismatch"),
        TlsFailed,
        "sslkey",
        "The client key cannot be used.",
        "Paste the PEM text of the key that belongs to the client certificate, without a passphrase.",
    ),
    Refusal(
        ("client certificate", "certificate file", "certificate authentication failed", "unknown ca"),
        TlsFailed,
        "sslcert",
        "{address} did not take the client certificate.",
        "Paste the PEM text of a client certificate that the server trusts, and its key.",
    ),
    Refusal(
        ("no encryption", "SSL off", "requires SSL", "SSL/TLS required", "SSL connection is required"),
        TlsFailed,
        "sslmode",
        "{address} lets user “{user}” in only with TLS.",
        "Choose TLS mode “require” or “verify-full”.",
    ),
    Refusal(
        ("received invalid response to SSL", "expected authentication request", "received invalid response",
         "unexpected message", "lost synchronization", "invalid response to GSS"),
        ConnectionFailed,
        "port",
        "What answers on {address} is not PostgreSQL.",
        "Check the port: PostgreSQL's own is 5432.",
        {"code": "not_postgresql"},
    ),
    Refusal(
        ("SSL error", "SSL connection", "SSL SYSCALL", "tlsv1", "sslv3"),
        TlsFailed,
        "sslmode",
        "TLS with {address} failed.",
        "Try another TLS mode. The server said: {said}",
    ),
    Refusal(
        ("no pg_hba.conf entry", "pg_hba.conf rejects"),
        ConnectionFailed,
        "host",
        "The server on {address} does not let user “{user}” in from this machine.",
        "Add this machine's address to the server's pg_hba.conf or allow list. It said: {said}",
        {"code": "address_not_allowed"},
    ),
    Refusal(
        ("password authentication failed", "no password supplied", "empty password", "SASL",
         "authentication failed", "Wrong password"),
        AuthRefused,
        "password",
        "The server refused the password of user “{user}”.",
        "Type user and password again; both are case-sensitive.",
    ),
    Refusal(
        ("authentication method", "require_auth"),
        AuthRefused,
        "user",
        "User “{user}” must log in another way than by password.",
        "Ask for a user with a password (scram-sha-256). The server said: {said}",
    ),
    Refusal(
        ("is not permitted to log in", "Tenant or user not found", "no such user", "role \""),
        AuthRefused,
        "user",
        "User “{user}” cannot log in on {address}.",
        "Check the name: it is case-sensitive. The server said: {said}",
    ),
    Refusal(
        ("permission denied for database", "does not have CONNECT privilege"),
        PrivilegeMissing,
        "database",
        "User “{user}” may not connect to database “{database}”.",
        "As its owner: GRANT CONNECT ON DATABASE … TO …",
    ),
    Refusal(
        ("is not currently accepting connections",),
        ConnectionFailed,
        "database",
        "Database “{database}” takes no connections.",
        "It is closed to them (ALLOW_CONNECTIONS): choose another database.",
        {"code": "database_closed"},
    ),
    Refusal(
        ("database \"", "no such database"),
        DatabaseMissing,
        "database",
        "There is no database “{database}” on {address}.",
        "Check its name: it is case-sensitive.",
    ),
    Refusal(
        ("too many clients", "too many connections", "remaining connection slots", "max_client_conn",
         "MaxClientsInSessionMode"),
        ConnectionFailed,
        "",
        "{address} has no connection left.",
        "Try again later, or raise max_connections or the pooler's limit. The server said: {said}",
        {"code": "too_many_connections", "retryable": True},
    ),
    Refusal(
        ("starting up", "shutting down", "in recovery mode", "not yet accepting connections"),
        ConnectionFailed,
        "",
        "The server on {address} is not ready.",
        "Try again in a minute. It said: {said}",
        {"code": "server_not_ready", "retryable": True},
    ),
    Refusal(
        ("statement pooling", "unsupported startup parameter"),
        ConnectionFailed,
        "port",
        "The pooler on {address} does not take connections such as Vectorferry's.",
        "Connect straight to the server, or to a pooler in session or transaction mode. It said: {said}",
        {"code": "pooler_unsupported"},
    ),
    Refusal(
        ("server closed the connection", "could not receive data", "Connection reset"),
        ConnectionFailed,
        "port",
        "{address} took the connection and closed it again.",
        "Check that this port is PostgreSQL's, and the server's log.",
        {"code": "connection_closed", "retryable": True},
    ),
)  # fmt: skip


def connect_error(error: Exception, address: Address) -> ConnectionFailed:
    """The error to raise where connecting failed with ``error``."""
    said = failure_of(error).message
    values = {
        "host": address.host,
        "user": address.user,
        "database": address.database,
        "sslmode": address.sslmode,
        "address": str(address),
        "seconds": CONNECT_TIMEOUT_SECONDS,
        "said": said,
    }
    for row in REFUSALS:
        if any(text in said for text in row.said):
            message, hint = row.message.format_map(values), row.hint.format_map(values)
            return row.error(message, hint, field=address.field(row.setting), **row.more)
    return ConnectionFailed(
        f"The connection to {address} failed: {said}", "See the server's log.", field=address.field("host")
    )


# ---------------------------------------------------------------- to read


@dataclass(frozen=True, slots=True)
class Fault:
    """What a SQLSTATE, or the class of its first two letters, means while reading."""

    error: type[FerryError]
    message: str
    hint: str
    more: dict[str, Any] = field(default_factory=dict)


_GONE = Fault(
    SourceChanged,
    "{what} is not what it was: {said}",
    "Somebody changed it: look at it again under Configure Schema.",
)
_DENIED = Fault(
    PrivilegeMissing,
    "The user may not read {what}: {said}",
    "Grant it: GRANT USAGE ON SCHEMA … TO …; GRANT SELECT ON … TO …",
)
_AWAY = Fault(
    SourceUnavailable,
    "PostgreSQL stopped sending {what}: {said}",
    "It goes on after the last row once the server answers again.",
)
_BUSY = Fault(SourceUnavailable, "PostgreSQL cannot send {what} now: {said}", "Try again later.")
_CONFLICT = Fault(
    SourceUnavailable,
    "PostgreSQL broke off reading {what}: {said}",
    "On a standby, raise max_standby_streaming_delay or turn hot_standby_feedback on.",
)
_STOPPED = Fault(
    SourceUnavailable,
    "PostgreSQL stopped the query on {what}: {said}",
    "A time limit of the server or an operator ended it: see statement_timeout.",
    {"code": "query_stopped"},
)
_WRITES = Fault(
    SourceDataError,
    "Reading {what} would write: {said}",
    "Vectorferry reads in a read-only transaction. Use a view that writes nothing.",
    {"code": "source_writes"},
)
_DATA = Fault(
    SourceDataError,
    "PostgreSQL cannot give the rows of {what}: {said}",
    "Put the value right in the source, or leave the column out.",
)
_NO_EXTENSION = Fault(
    ExtensionMissing,
    "pgvector does not answer for {what}: {said}",
    "As an administrator of the database: CREATE EXTENSION vector",
)

READ_FAULTS: dict[str, Fault] = {
    "42P01": _GONE, "42703": _GONE, "3F000": _GONE, "42704": _GONE, "42809": _GONE,
    "42501": _DENIED,
    "42883": _NO_EXTENSION,
    "25006": _WRITES,
    "57014": _STOPPED,
    "40001": _CONFLICT, "40P01": _CONFLICT,
    "55P03": _BUSY, "55006": _BUSY, "55000": _DATA,
    "XX000": _DATA,
    "08": _AWAY, "53": _BUSY, "57": _AWAY, "58": _BUSY,
}  # fmt: skip
# A lost connection has no SQLSTATE, and neither has a value that a driver cannot decode.
_LOST = ("connection", "PQgetCopyData", "SSL", "could not receive", "could not send", "EOF")


def read_error(error: Exception, what: str) -> FerryError:
    """The error to raise where reading ``what`` ("table shop.items") failed with ``error``."""
    failure = failure_of(error)
    fault = _read_fault(failure)
    message = fault.message.format(what=what, said=failure.message)
    return fault.error(message, fault.hint, **fault.more)


def _read_fault(failure: Failure) -> Fault:
    state = failure.sqlstate
    if not state:
        return _AWAY if any(word in failure.message for word in _LOST) else _DATA
    return READ_FAULTS.get(state) or READ_FAULTS.get(state[:2]) or _DATA


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Maps whatever a driver raises inside."""
    try:
        yield
    except VENDOR_ERRORS as error:
        raise read_error(error, what) from error


def is_timeout(error: FerryError) -> bool:
    """Whether the time limit of a look ended it."""
    return isinstance(error, SourceError) and error.code == "query_stopped"
