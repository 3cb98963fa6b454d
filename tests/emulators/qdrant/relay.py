"""Relay between client and server: it passes bytes on, and can end or stall a connection inside an answer.

It knows nothing of what it passes on, so that it works for REST, gRPC and TLS alike.
"""

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field

from migrations_app.demo.processes import LOOPBACK

PIECE = 1 << 18


@dataclass
class _Connection:
    """``rest`` is how many bytes the client still gets; None: all."""

    client: socket.socket
    server: socket.socket
    rest: int | None = None
    is_stall: bool = False
    ended: threading.Event = field(default_factory=threading.Event)

    def end(self) -> None:
        self.ended.set()
        for each in (self.client, self.server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class Relay:
    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server((LOOPBACK, 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._open: dict[int, _Connection] = {}
        threading.Thread(target=self._accept, daemon=True).start()

    def limit(self, port: int, count: int, *, is_stall: bool) -> None:
        """Pass on ``count`` more bytes to the client whose connection has this port at the server."""
        connection = self._open[port]
        connection.is_stall = is_stall
        connection.rest = count

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open.values()):
            connection.end()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection((LOOPBACK, self._to))
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = _Connection(client, server)
                self._open[server.getsockname()[1]] = connection
                threading.Thread(target=self._up, args=(connection,), daemon=True).start()
                threading.Thread(target=self._down, args=(connection,), daemon=True).start()

    def _up(self, connection: _Connection) -> None:
        with suppress(OSError):
            while piece := connection.client.recv(PIECE):
                connection.server.sendall(piece)
        connection.end()

    def _down(self, connection: _Connection) -> None:
        port = connection.server.getsockname()[1]
        with suppress(OSError):
            while piece := connection.server.recv(PIECE):
                rest = connection.rest
                if rest is None:
                    connection.client.sendall(piece)
                    continue
                connection.client.sendall(piece[:rest])
                connection.rest = rest - len(piece)
                if connection.rest <= 0:
                    if connection.is_stall:
                        connection.ended.wait()
                    break
        connection.end()
        self._open.pop(port, None)
        connection.client.close()
        connection.server.close()
