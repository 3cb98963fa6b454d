"""Probe: finds out what kind of server answers on a port where another kind was expected.

It is used only after a connection failed or gets no answer. It sends at most one short request per protocol.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

SECONDS = 0.7
POSTGRESQL, GRPC, TLS, HTTPS = "a PostgreSQL server", "a gRPC server", "a TLS server", "an HTTPS server"
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
_HTTP2_SETTINGS = 4
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_BANNERS = (
    (b"SSH-", "an SSH server"),
    (b"220", "a mail or FTP server"),
    (b"* OK", "a mail server"),
    (b"+OK", "a mail server"),
    (b"RFB ", "a VNC server"),
)
_REDIS = (b"-ERR", b"-NOAUTH", b"-DENIED", b"-MISCONF")


@dataclass(frozen=True, slots=True)
class Answer:
    """``accepted``: a program accepts connections on the port. ``name``: what it is (“an HTTP server”), empty
    if it is not known."""

    accepted: bool = False
    name: str = ""


def probe(addresses: Sequence[str], port: int, seconds: float = SECONDS) -> Answer:
    """Return what answers on ``port`` of the first of these IP addresses that accepts a connection. It waits
    at most ``seconds`` for each of five answers.

    One connection is open at a time: a server may serve only one.
    """
    for address in addresses:
        accepted = False
        for ask in (_greeting, _http2, _http, _postgresql, _tls):
            with (
                suppress(OSError, ValueError),
                socket.create_connection((address, port), timeout=seconds) as connection,
            ):
                accepted = True
                if name := ask(connection):
                    return Answer(True, name)
            if not accepted:
                break
        if accepted:
            return Answer(True)
    return Answer()


def _greeting(connection: socket.socket) -> str:
    """What a server says before it is asked."""
    said = connection.recv(512)
    for start, name in _BANNERS:
        if said.startswith(start):
            return name
    # The first packet of MySQL: three bytes of length, number 0, version 10 of the protocol; or an error.
    if len(said) > 5 and int.from_bytes(said[:3], "little") in (len(said) - 4, len(said)) and said[3] == 0:
        return "a MySQL or MariaDB server" if said[4] in (10, 255) else ""
    return ""


def _postgresql(connection: socket.socket) -> str:
    connection.sendall(_SSL_REQUEST)
    return POSTGRESQL if connection.recv(64) in (b"S", b"N") else ""


def _http2(connection: socket.socket) -> str:
    connection.sendall(_HTTP2_PREFACE)
    said = connection.recv(512)
    if said.startswith(b"HTTP/"):
        return _name_of_http(said)
    return GRPC if len(said) >= 9 and said[3] == _HTTP2_SETTINGS and not said[:1].isalpha() else ""


def _http(connection: socket.socket) -> str:
    connection.sendall(_GET)
    said = connection.recv(2048)
    if said.startswith(_REDIS):
        return "a Redis server"
    return _name_of_http(said) if said.startswith(b"HTTP/") else ""


def _name_of_http(said: bytes) -> str:
    if b"MongoDB" in said:
        return "a MongoDB server"
    return HTTPS if b"HTTPS" in said or b"TLS" in said else "an HTTP server"


def _tls(connection: socket.socket) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(connection) as secure:
        with suppress(OSError):
            secure.sendall(_GET)
            if secure.recv(512).startswith(b"HTTP/"):
                return HTTPS
        return TLS
