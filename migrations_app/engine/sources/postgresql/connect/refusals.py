"""Why a server cannot be connected to: one table.

libpq gives a refusal's text alone, without SQLSTATE, so the table matches texts.
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
    HostUnknown,
    PrivilegeMissing,
    TlsFailed,
)
from migrations_app.engine.sources.postgresql.connect.conninfo import CONNECT_TIMEOUT_SECONDS, PostgresAddress
from migrations_app.engine.sources.postgresql.connect.failures import failure_of


@dataclass(frozen=True, slots=True)
class Refusal:
    """A way not to get in: ``said`` is found in the message. The texts may name parts of the address, and
    with ``{said}`` what the server said; ``setting`` is what a person has to change."""

    said: str
    error: type[ConnectionFailed]
    setting: str
    message: str
    hint: str
    more: Mapping[str, Any] = field(default_factory=dict)


# The first that is found counts.
REFUSALS = (
    Refusal(
        "could not translate host name|failed to resolve host|'idna' codec",
        HostUnknown,
        "host",
        "There is no host named “{host}”.",
        "Check its spelling. The name must be known to the machine that Vectorferry runs on.",
    ),
    Refusal(
        "Connection refused|No such file or directory",
        ConnectionRefused,
        "port",
        "Nothing listens on {address}.",
        "Check host and port, and that the server listens on this address (listen_addresses).",
    ),
    Refusal(
        "timeout expired|timed out|connection timeout",
        ConnectTimeout,
        "host",
        "{address} did not answer within {seconds} seconds.",
        "A firewall may drop the packets: let the address of this machine connect to {address}.",
    ),
    Refusal(
        "unreachable|No route to host",
        ConnectionFailed,
        "host",
        "There is no way to {address} from this machine.",
        "Check the network between the two: a VPN, a private network, IPv6 only.",
        {"code": "network_unreachable", "retryable": True},
    ),
    # ---- TLS
    Refusal(
        "server does not support SSL",
        TlsFailed,
        "sslmode",
        "{address} does not speak TLS, and TLS mode “{sslmode}” asks for it.",
        "Turn TLS on in the server, or choose “prefer” or “disable”.",
    ),
    Refusal(
        "certificate verify failed|root certificate|sslrootcert",
        TlsFailed,
        "sslrootcert",
        "The certificate of {address} was not signed by an authority that is trusted here.",
        "Paste the certificate of the authority that signed it. OpenSSL said: {said}",
    ),
    Refusal(
        "server certificate for|does not match host name",
        TlsFailed,
        "host",
        "The certificate of {address} is for another name.",
        "Use the host name in the certificate, or TLS mode “verify-ca”. It said: {said}",
    ),
    Refusal(
        "private key file|key values mismatch",
        TlsFailed,
        "sslkey",
        "The client key cannot be used.",
        "Paste the PEM text of the key that belongs to the client certificate, without a passphrase.",
    ),
    Refusal(
        "client certificate|certificate file|certificate authentication failed|certificate required"
        "|unknown ca",
        TlsFailed,
        "sslcert",
        "{address} wants a client certificate that it trusts.",
        "Paste the PEM text of one, and its key. The server said: {said}",
    ),
    Refusal(
        r"SSL encryption|SSL on|pg_hba\.conf(?!.*(no encryption|SSL off))",
        ConnectionFailed,
        "host",
        "The server on {address} does not let user “{user}” in from this machine.",
        "Add this machine's address to the server's pg_hba.conf or allow list. It said: {said}",
        {"code": "address_not_allowed"},
    ),
    Refusal(
        "no encryption|SSL off|requires SSL|SSL/TLS required|SSL connection is required",
        TlsFailed,
        "sslmode",
        "{address} does not let user “{user}” in without TLS.",
        "Choose TLS mode “require” or “verify-full”. It said: {said}",
    ),
    Refusal(
        "received invalid response|expected authentication request|unexpected message|lost synchronization"
        "|unsupported frontend protocol",
        ConnectionFailed,
        "port",
        "What answers on {address} is not PostgreSQL.",
        "Check the port: PostgreSQL's own is 5432.",
        {"code": "not_postgresql"},
    ),
    Refusal(
        "SSL error|SSL SYSCALL|could not (accept|initiate|establish) SSL|tlsv1|sslv3",
        TlsFailed,
        "sslmode",
        "TLS with {address} failed.",
        "Try another TLS mode. OpenSSL said: {said}",
    ),
    # ---- who
    Refusal(
        "password authentication failed|no password supplied|empty password|SASL authentication failed",
        AuthRefused,
        "password",
        "The server refused the password of user “{user}”.",
        "Type user and password again; both are case-sensitive.",
    ),
    Refusal(
        'role ".*" does not exist|is not permitted to log in|Tenant or user not found|no such user',
        AuthRefused,
        "user",
        "User “{user}” cannot log in on {address}.",
        "Check the name: it is case-sensitive. The server said: {said}",
    ),
    Refusal(
        "authentication failed|authentication method|require_auth",
        AuthRefused,
        "user",
        "The server on {address} does not take user “{user}” by password.",
        "Ask for a user with a password (scram-sha-256). The server said: {said}",
    ),
    # ---- where to
    Refusal(
        "permission denied for database",
        PrivilegeMissing,
        "database",
        "User “{user}” may not connect to database “{database}”.",
        "As its owner: GRANT CONNECT ON DATABASE … TO …",
    ),
    Refusal(
        "is not currently accepting connections",
        ConnectionFailed,
        "database",
        "Database “{database}” takes no connections.",
        "It is closed to them (ALLOW_CONNECTIONS): choose another database.",
        {"code": "database_closed"},
    ),
    Refusal(
        'database ".*" does not exist|no such database',
        DatabaseMissing,
        "database",
        "There is no database “{database}” on {address}.",
        "Check its name: it is case-sensitive.",
    ),
    # ---- not now
    Refusal(
        "too many (clients|connections)|remaining connection slots|max_client_conn|MaxClients",
        ConnectionFailed,
        "",
        "{address} has no connection left for user “{user}”.",
        "Try again later, or raise the limit of the server, the user or the pooler. It said: {said}",
        {"code": "too_many_connections", "retryable": True},
    ),
    Refusal(
        "starting up|shutting down|in recovery mode|not yet accepting connections",
        ConnectionFailed,
        "",
        "The server on {address} is not ready.",
        "Try again in a minute. It said: {said}",
        {"code": "server_not_ready", "retryable": True},
    ),
    Refusal(
        "unsupported startup parameter",
        ConnectionFailed,
        "port",
        "The pooler on {address} does not take connections such as Vectorferry's.",
        "Connect straight to the server. It said: {said}",
        {"code": "pooler_unsupported"},
    ),
    Refusal(
        "server closed the connection|could not receive data|Connection reset",
        ConnectionFailed,
        "port",
        "{address} took the connection and closed it again.",
        "Check that this port is PostgreSQL's, and the server's log.",
        {"code": "connection_closed", "retryable": True},
    ),
)


def connect_error(error: Exception, address: PostgresAddress) -> ConnectionFailed:
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
        if re.search(row.said, said):
            message, hint = row.message.format_map(values), row.hint.format_map(values)
            return row.error(message, hint, field=address.field(row.setting), **row.more)
    return ConnectionFailed(
        f"The connection to {address} failed: {said}", "See the server's log.", field=address.field("host")
    )
