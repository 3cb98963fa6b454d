"""Connect errors: one table of the reasons why a connection fails.

When a connection fails, libpq gives only a text, no SQLSTATE. So the table matches texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from migrations_app.engine.errors import (
    AuthRefused,
    ConnectionFailed,
    ConnectionRefused,
    ConnectTimeout,
    DatabaseMissing,
    PrivilegeMissing,
    TlsFailed,
)
from migrations_app.engine.sources.postgresql.connect.conninfo import PostgresAddress
from migrations_app.engine.sources.postgresql.connect.driver_messages import failure_of


@dataclass(frozen=True, slots=True)
class ConnectErrorRule:
    """One reason for a failed connection: ``pattern`` matches the server's message. ``message`` and ``hint``
    may contain parts of the address and ``{said}``, the server's message. ``setting`` is the field that the
    user must change."""

    pattern: str
    error: type[ConnectionFailed]
    setting: str
    message: str
    hint: str
    extra: Mapping[str, Any] = field(default_factory=dict)


# The first match counts.
REFUSALS = (
    ConnectErrorRule(
        "Connection refused|No such file or directory",
        ConnectionRefused,
        "port",
        "Nothing listens on {address}.",
        "Check host and port, and that the server listens on this address (listen_addresses).",
    ),
    ConnectErrorRule(
        "timeout expired|timed out|connection timeout",
        ConnectTimeout,
        "host",
        "{address} did not answer within {seconds} seconds.",
        "A firewall may drop the packets: allow the address of this machine to connect to {address}.",
    ),
    ConnectErrorRule(
        "unreachable|No route to host",
        ConnectionFailed,
        "host",
        "This machine has no network route to {address}.",
        "Check the network between the two: a VPN, a private network, IPv6 only.",
        {"code": "network_unreachable", "retryable": True},
    ),
    # ---- TLS
    ConnectErrorRule(
        "server does not support SSL",
        TlsFailed,
        "sslmode",
        "{address} does not support TLS, but TLS mode “{sslmode}” requires it.",
        "Turn on TLS in the server, or choose “prefer” or “disable”.",
    ),
    ConnectErrorRule(
        "certificate verify failed|root certificate|sslrootcert",
        TlsFailed,
        "sslrootcert",
        "The certificate of {address} was not signed by an authority that this machine trusts.",
        "Paste the certificate of the authority that signed it. OpenSSL reported: {said}",
    ),
    ConnectErrorRule(
        "server certificate for|does not match host name",
        TlsFailed,
        "host",
        "The certificate of {address} is for another host name.",
        "Use the host name in the certificate, or TLS mode “verify-ca”. The driver reported: {said}",
    ),
    ConnectErrorRule(
        "private key file|key values mismatch",
        TlsFailed,
        "sslkey",
        "The client key cannot be used.",
        "Paste the PEM text of the key that belongs to the client certificate, without a passphrase.",
    ),
    ConnectErrorRule(
        "client certificate|certificate file|certificate authentication failed|certificate required"
        "|unknown ca",
        TlsFailed,
        "sslcert",
        "{address} requires a client certificate that it trusts.",
        "Paste the PEM text of one, and its key. The server reported: {said}",
    ),
    ConnectErrorRule(
        r"SSL encryption|SSL on|pg_hba\.conf(?!.*(no encryption|SSL off))",
        ConnectionFailed,
        "host",
        "The server on {address} does not allow user “{user}” to connect from this machine.",
        "Add this machine's address to the server's pg_hba.conf or allow list. The server reported: {said}",
        {"code": "address_not_allowed"},
    ),
    ConnectErrorRule(
        "no encryption|SSL off|requires SSL|SSL/TLS required|SSL connection is required",
        TlsFailed,
        "sslmode",
        "{address} does not allow user “{user}” to connect without TLS.",
        "Choose TLS mode “require” or “verify-full”. The server reported: {said}",
    ),
    ConnectErrorRule(
        "received invalid response|expected authentication request|unexpected message|lost synchronization"
        "|unsupported frontend protocol",
        ConnectionFailed,
        "port",
        "The server on {address} is not PostgreSQL.",
        "Check the port: the default port of PostgreSQL is 5432.",
        {"code": "not_postgresql"},
    ),
    ConnectErrorRule(
        "SSL error|SSL SYSCALL|could not (accept|initiate|establish) SSL|tlsv1|sslv3",
        TlsFailed,
        "sslmode",
        "TLS with {address} failed.",
        "Try another TLS mode. OpenSSL reported: {said}",
    ),
    # ---- user
    ConnectErrorRule(
        "password authentication failed|no password supplied|empty password|SASL authentication failed",
        AuthRefused,
        "password",
        "The server refused the password of user “{user}”.",
        "Type user and password again. Both are case-sensitive.",
    ),
    ConnectErrorRule(
        'role ".*" does not exist|is not permitted to log in|Tenant or user not found|no such user',
        AuthRefused,
        "user",
        "User “{user}” cannot log in on {address}.",
        "Check the name: it is case-sensitive. The server reported: {said}",
    ),
    ConnectErrorRule(
        "authentication failed|authentication method|require_auth",
        AuthRefused,
        "user",
        "The server on {address} does not allow user “{user}” to log in with a password.",
        "Ask for a user with a password (scram-sha-256). The server reported: {said}",
    ),
    # ---- database
    ConnectErrorRule(
        "permission denied for database",
        PrivilegeMissing,
        "database",
        "User “{user}” may not connect to database “{database}”.",
        "Ask its owner to run: GRANT CONNECT ON DATABASE … TO …",
    ),
    ConnectErrorRule(
        "is not currently accepting connections",
        ConnectionFailed,
        "database",
        "Database “{database}” does not allow connections.",
        "They are turned off (ALLOW_CONNECTIONS): choose another database.",
        {"code": "database_closed"},
    ),
    ConnectErrorRule(
        'database ".*" does not exist|no such database',
        DatabaseMissing,
        "database",
        "There is no database “{database}” on {address}.",
        "Check its name: it is case-sensitive.",
    ),
    # ---- temporary problems
    ConnectErrorRule(
        "too many (clients|connections)|remaining connection slots|max_client_conn|MaxClients",
        ConnectionFailed,
        "",
        "{address} has no connection left for user “{user}”.",
        "Try again later, or raise the limit of the server, the user or the pooler. It reported: {said}",
        {"code": "too_many_connections", "retryable": True},
    ),
    ConnectErrorRule(
        "starting up|shutting down|in recovery mode|not yet accepting connections",
        ConnectionFailed,
        "",
        "The server on {address} is not ready.",
        "Try again in a minute. The server reported: {said}",
        {"code": "server_not_ready", "retryable": True},
    ),
    ConnectErrorRule(
        "unsupported startup parameter",
        ConnectionFailed,
        "port",
        "The pooler on {address} does not accept the connections of Vectorferry.",
        "Connect directly to the server. The pooler reported: {said}",
        {"code": "pooler_unsupported"},
    ),
    ConnectErrorRule(
        "server closed the connection|could not receive data|Connection reset",
        ConnectionFailed,
        "port",
        "{address} accepted the connection and then closed it.",
        "Check that this is the port of PostgreSQL, and see the server's log.",
        {"code": "connection_closed", "retryable": True},
    ),
)


def not_postgresql(address: PostgresAddress, name: str) -> ConnectionFailed:
    """Return the error for another kind of server on the port, with its ``name`` (“an HTTP server”)."""
    return ConnectionFailed(
        f"{name[:1].upper()}{name[1:]} answers on {address}, not PostgreSQL.",
        "Check the port: the default port of PostgreSQL is 5432.",
        code="not_postgresql",
        field=address.field("port"),
    )


def silent(address: PostgresAddress) -> ConnectTimeout:
    """Return the error for a program that accepts the connection and then says nothing."""
    return ConnectTimeout(
        f"A program listens on {address}, but it did not answer within {address.connect_seconds} seconds.",
        "Check that this is the port of PostgreSQL (5432 by default), and that the server is not overloaded.",
        field=address.field("host"),
    )


def connect_error(error: Exception, address: PostgresAddress) -> ConnectionFailed:
    """Return the error to raise for a connection that failed with ``error``."""
    said = failure_of(error).message
    values = {
        "host": address.host,
        "user": address.user,
        "database": address.database,
        "sslmode": address.sslmode,
        "address": str(address),
        "seconds": address.connect_seconds,
        "said": said,
    }
    for refusal in REFUSALS:
        if re.search(refusal.pattern, said):
            message, hint = refusal.message.format_map(values), refusal.hint.format_map(values)
            return refusal.error(message, hint, field=address.field(refusal.setting), **refusal.extra)
    return ConnectionFailed(
        f"The connection to {address} failed: {said}", "See the server's log.", field=address.field("host")
    )
