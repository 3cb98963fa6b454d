"""An HTTP server with faults: stalls, cuts, many answers 429, endless bodies.

Answers are functions of the connection and the request. ``server.answers`` are given once each, in turn; then
``server.usual`` is given to every request::

    with http_faults() as server:
        server.answers += [busy(retry_after="0.1"), cut(b"half a pa")]
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True)
class HttpRequest:
    """A request: ``path`` with its query, the names of ``headers`` in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpServer:
    """``requests`` are all requests so far, ``connections`` the number of connections.

    ``is_closing`` ends every stall. ``peak`` is the greatest number of requests that were open at once.
    """

    port: int
    answers: deque[Answer] = field(default_factory=deque)
    usual: Answer = lambda server, connection, request: None
    requests: list[HttpRequest] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    peak: int = 0
    is_closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            while (request := read_request(connection)) is not None:
                with self.lock:
                    self.requests.append(request)
                    answer = self.answers.popleft() if self.answers else self.usual
                    self.open += 1
                    self.peak = max(self.peak, self.open)
                try:
                    answer(self, connection, request)
                finally:
                    with self.lock:
                        self.open -= 1


Answer = Callable[[HttpServer, socket.socket, HttpRequest], None]


class Cut(OSError):
    """Ends a connection at once."""


def read_request(connection: socket.socket) -> HttpRequest | None:
    head = b""
    while b"\r\n\r\n" not in head:
        if not (piece := connection.recv(65536)):
            return None
        head += piece
        if head.startswith(b"\x16"):  # TLS: answered as nginx does
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return None
    head, _, body = head.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return HttpRequest(method, path, headers, body)


def head(status: int, length: int | None, **headers: str) -> bytes:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if length is not None:
        fields["Content-Length"] = str(length)
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def reply(body: bytes = b"{}", status: int = 200, **headers: str) -> Answer:
    """A whole answer."""

    def answer(server: HttpServer, connection: socket.socket, request: HttpRequest) -> None:
        connection.sendall(head(status, len(body), **headers) + body)

    return answer


def forward(port: int) -> Answer:
    """The answer of another server on this machine: faults can then be put in front of a real engine."""

    def answer(server: HttpServer, connection: socket.socket, request: HttpRequest) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        upstream.request(request.method, request.path, request.body, request.headers)
        with upstream.getresponse() as got:
            body = got.read()
            connection.sendall(head(got.status, len(body), Content_Type=got.headers.get("Content-Type", "")))
            connection.sendall(body)
        upstream.close()

    return answer


def busy(retry_after: str | None = None, body: bytes = b'{"message": "Too many requests"}') -> Answer:
    return reply(body, 429, **({} if retry_after is None else {"Retry_After": retry_after}))


def raw(sent: bytes) -> Answer:
    """These bytes, then the end of the connection."""

    def answer(server: HttpServer, connection: socket.socket, request: HttpRequest) -> None:
        connection.sendall(sent)
        raise Cut

    return answer


def cut(body: bytes, length: int = 1000) -> Answer:
    """The beginning of a body, then the end of the connection."""
    return raw(head(200, length) + body)


def stall(sent: bytes = b"") -> Answer:
    """These bytes, then nothing more, on an open connection."""

    def answer(server: HttpServer, connection: socket.socket, request: HttpRequest) -> None:
        connection.sendall(sent)
        server.is_closing.wait(30)
        raise Cut

    return answer


def drip(seconds: float = 0.05) -> Answer:
    """A byte from time to time, without an end."""

    def answer(server: HttpServer, connection: socket.socket, request: HttpRequest) -> None:
        connection.sendall(head(200, 10**6))
        while not server.is_closing.wait(seconds):
            connection.sendall(b"x")
        raise Cut

    return answer


def endless(piece: bytes = b"x" * 65536, **headers: str) -> Answer:
    """A body without an end, in chunks."""

    def answer(server: HttpServer, connection: socket.socket, request: HttpRequest) -> None:
        connection.sendall(head(200, None, Transfer_Encoding="chunked", **headers))
        while not server.is_closing.is_set():
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        raise Cut

    return answer


@contextmanager
def http_faults(tls: ssl.SSLContext | None = None, *, is_mute: bool = False) -> Iterator[HttpServer]:
    """A server on a free port. ``is_mute``: it accepts connections and sends nothing, not even in TLS."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = HttpServer(listener.getsockname()[1], usual=reply())
    opened: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        if is_mute:
            server.is_closing.wait(30)
            connection.close()
            return
        with suppress(OSError):
            server.serve(connection if tls is None else tls.wrap_socket(connection, server_side=True))
        connection.close()

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                server.connections += 1
                opened.append(connection)
                threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
                threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield server
    finally:
        server.is_closing.set()
        for each in (listener, *opened):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (accepting, *threads):
            thread.join(5)
        for each in opened:
            each.close()
