"""Relays: listeners in threads that stand between a client and a server, or in its place."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Answer = Callable[[socket.socket], None]
# https://www.postgresql.org/docs/current/protocol-message-formats.html
SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"
READY_FOR_QUERY = b"Z\0\0\0\x05I"
SILENCE_SECONDS = 30
KEY_DATA = b"K\0\0\0\x0c"


@contextmanager
def listening(answer: Answer) -> Iterator[int]:
    """A port on which each connection is answered in a separate thread."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=answer, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@contextmanager
def not_accepting() -> Iterator[int]:
    """A port with a full backlog: it drops further connections, as a firewall does."""
    with socket.socket() as silent, socket.socket() as first, socket.socket() as second:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(silent.getsockname())
        yield silent.getsockname()[1]


def as_a_web_server(connection: socket.socket) -> None:
    with connection:
        connection.recv(1024)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def as_a_web_server_that_reads_lines(connection: socket.socket) -> None:
    """As Python's web server: it says nothing before it has read a whole line."""
    with connection, connection.makefile("rb") as lines, suppress(OSError):
        if lines.readline():
            connection.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")


def as_a_closing_server(connection: socket.socket) -> None:
    connection.close()


def as_a_silent_server(connection: socket.socket) -> None:
    with connection:
        time.sleep(SILENCE_SECONDS)


def as_a_silent_tls_server(connection: socket.socket) -> None:
    """Agree to TLS, then say nothing."""
    with connection:
        connection.recv(len(SSL_REQUEST))
        connection.sendall(b"S")
        time.sleep(SILENCE_SECONDS)


def as_a_relay(port: int) -> Answer:
    return lambda client: _relay(client, port)


def as_a_stalling_relay(port: int, last: bytes) -> Answer:
    """Relay to ``port`` until the server has sent ``last``; then nothing comes any more."""

    def answer(client: socket.socket) -> None:
        sent = bytearray()

        def stall(data: bytes) -> bytes:
            if last in sent:
                time.sleep(SILENCE_SECONDS)
            sent.extend(data)
            return data

        _relay(client, port, stall)

    return answer


def as_a_pooler(port: int) -> Answer:
    """Relay to ``port``, but with other process numbers."""
    return lambda client: _relay(client, port, _with_other_process_number)


def as_a_tls_server(port: int, context: ssl.SSLContext) -> Answer:
    """Relay to ``port``, which has no TLS, and refuse connections without TLS."""

    def answer(client: socket.socket) -> None:
        with suppress(OSError):
            if client.recv(len(SSL_REQUEST)) != SSL_REQUEST:
                client.sendall(_refusal("no pg_hba.conf entry for this host, no encryption"))
                client.close()
                return
            client.sendall(b"S")
            _relay(context.wrap_socket(client, server_side=True), port)

    return answer


def _relay(client: socket.socket, port: int, change: Callable[[bytes], bytes] = bytes) -> None:
    with suppress(OSError):
        server = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=_copy, args=(client, server, bytes), daemon=True).start()
        _copy(server, client, change)


def _copy(start: socket.socket, end: socket.socket, change: Callable[[bytes], bytes]) -> None:
    with start, end, suppress(OSError):
        while data := start.recv(65536):
            end.sendall(change(data))


def _with_other_process_number(data: bytes) -> bytes:
    """A server's BackendKeyData holds its process's number and a secret, four bytes each."""
    place = data.find(KEY_DATA)
    return data if place < 0 else data[: place + 5] + b"\0\0\0\x01" + data[place + 9 :]


def _refusal(message: str) -> bytes:
    """An ErrorResponse."""
    body = b"".join(field + b"\0" for field in (b"SFATAL", b"C28000", b"M" + message.encode())) + b"\0"
    return b"E" + (len(body) + 4).to_bytes(4, "big") + body
