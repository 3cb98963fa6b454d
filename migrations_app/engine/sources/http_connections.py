"""HTTP connections: urllib3's pool on sockets that obey a stop, to checked addresses only."""

from __future__ import annotations

import ssl
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from migrations_app.engine.address_guard import Resolve
from migrations_app.engine.errors import TlsFailed
from migrations_app.engine.sources.stoppable_socket import (
    Patience,
    Phase,
    StoppableSocket,
    StoppableTlsSocket,
    connect,
)

# Connections that stay open between requests.
IDLE_CONNECTIONS = 32
PORTS = {"http": 80, "https": 443}


def open_pool(
    host: str, port: int, resolve: Resolve, context: ssl.SSLContext | None
) -> urllib3.HTTPConnectionPool:
    """Return a pool without connections yet. They use TLS if there is a ``context``."""
    options: dict[str, Any] = {"maxsize": IDLE_CONNECTIONS, "resolve": resolve}
    if context is None:
        return _Pool(host, port, **options)
    return _TlsPool(host, port, ssl_context=context, **options)


def tls_context(ca_cert: str, *, verify: bool, field: str) -> ssl.SSLContext:
    """Return the TLS settings. ``ca_cert`` is PEM text; empty: the authorities that this machine trusts.

    Raises ``TlsFailed`` on the setting ``field`` if it is not PEM text.
    """
    try:
        context = ssl.create_default_context(cadata=ca_cert.strip() or None)
    except (ssl.SSLError, ValueError):
        raise TlsFailed(
            "The CA certificate is not PEM text.",
            "Paste the whole text, with the lines -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----.",
            field=field,
        ) from None
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.sslsocket_class = StoppableTlsSocket
    return context


class _Connection(HTTPConnection):
    def __init__(self, *values: Any, resolve: Resolve, **options: Any) -> None:
        super().__init__(*values, **options)
        self._resolve = resolve

    def _new_conn(self) -> StoppableSocket:
        return connect(self.host, self.port or PORTS["http"], self._resolve)

    def connect(self) -> None:
        super().connect()
        Patience.of_this_thread().enter(Phase.ANSWER)


class _TlsConnection(HTTPSConnection):
    def __init__(self, *values: Any, resolve: Resolve, **options: Any) -> None:
        super().__init__(*values, **options)
        self._resolve = resolve

    def _new_conn(self) -> StoppableSocket:
        return connect(self.host, self.port or PORTS["https"], self._resolve)

    def connect(self) -> None:
        super().connect()
        # Otherwise urllib3 warns at each request of a user who turned verification off.
        self.is_verified = True
        Patience.of_this_thread().enter(Phase.ANSWER)


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
