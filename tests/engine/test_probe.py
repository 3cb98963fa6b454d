"""Probe: what answers on a port is recognised by its first words, and never waited for long."""

import socket
import ssl
import time

import pytest

from migrations_app.engine.probe import Answer, probe
from tests.integration.relays import (
    as_a_closing_server,
    as_a_silent_server,
    as_a_web_server,
    as_a_web_server_that_reads_lines,
    listening,
    not_accepting,
)
from tests.kit.certificates import Certificate


def saying(words: bytes, *, after_a_request: bool = False):
    def answer(connection: socket.socket) -> None:
        with connection:
            if after_a_request:
                connection.recv(1024)
            connection.sendall(words)
            time.sleep(0.3)

    return answer


def as_postgresql(connection: socket.socket) -> None:
    with connection:
        connection.sendall(b"N" if connection.recv(64).startswith(b"\0\0\0\x08\x04\xd2") else b"")


def as_grpc(connection: socket.socket) -> None:
    with connection:
        if connection.recv(64).startswith(b"PRI"):
            connection.sendall(b"\0\0\0\4\0\0\0\0\0")
        else:
            connection.sendall(b"HTTP/1.1 404 Not Found\r\n\r\n")


MYSQL = b"\x0a8.4.0\0" + b"x" * 40


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (as_a_web_server, "an HTTP server"),
        (as_a_web_server_that_reads_lines, "an HTTP server"),
        (as_postgresql, "a PostgreSQL server"),
        (as_grpc, "a gRPC server"),
        (saying(b"SSH-2.0-OpenSSH_9.6\r\n"), "an SSH server"),
        (saying(len(MYSQL).to_bytes(3, "little") + b"\0" + MYSQL), "a MySQL or MariaDB server"),
        (saying(b"-ERR unknown command\r\n", after_a_request=True), "a Redis server"),
        (saying(b"HTTP/1.0 200 OK\r\n\r\nIt looks like MongoDB", after_a_request=True), "a MongoDB server"),
        (as_a_closing_server, ""),
        (as_a_silent_server, ""),
    ],
)
def test_a_server_is_recognised(answer, name: str) -> None:
    with listening(answer) as port:
        began = time.monotonic()
        assert probe(["127.0.0.1"], port, 0.5) == Answer(True, name)
        assert time.monotonic() - began < 3


def test_a_server_behind_tls_is_recognised() -> None:
    context = Certificate.authority("Tests").server_context()

    def answer(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(512)
                secure.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        except (OSError, ssl.SSLError):
            connection.close()

    with listening(answer) as port:
        assert probe(["127.0.0.1"], port, 0.5) == Answer(True, "an HTTPS server")


def test_a_port_that_nobody_answers_is_not_accepting() -> None:
    with not_accepting() as port:
        assert probe(["127.0.0.1"], port, 0.2) == Answer()
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    assert probe(["127.0.0.1"], free, 0.2) == Answer()
