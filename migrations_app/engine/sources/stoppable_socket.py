"""Stoppable sockets: TCP and TLS sockets whose waits end within half a second of a stop.

A blocking call of Python's sockets cannot be interrupted from outside. These sockets wait in short steps and
ask the ``Patience`` of the running request in between::

    with patience.applied():
        ...every wait of this thread on such a socket obeys ``patience``

They are real sockets, so that ``http.client`` and urllib3 work on them unchanged.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import Any, TypeVar

from urllib3.util.wait import wait_for_write

from migrations_app.engine.address_guard import Resolve
from migrations_app.engine.errors import FerryError
from migrations_app.engine.interruptible import STEP_SECONDS, interruptible
from migrations_app.engine.stop_token import Deadline, StopToken

Result = TypeVar("Result")

# If a host has several addresses, each of them gets at least this time.
LEAST_CONNECT_SECONDS = 2.0


class Phase(Enum):
    """The part of a request that waits; an error is worded by it."""

    CONNECT = "connect"
    TLS = "tls"
    ANSWER = "answer"


class Patience:
    """How long one request may wait. Every method belongs to the thread that sends the request.

    It waits at most ``connect_seconds`` for the connection, then ``silence_seconds`` without a single byte,
    and never longer than ``deadline``. ``has_connected``: the request opened its connection, and did not use
    an idle one. ``has_received``: bytes came.
    """

    def __init__(
        self, stop: StopToken, deadline: Deadline, connect_seconds: float, silence_seconds: float
    ) -> None:
        self.phase = Phase.ANSWER
        self.has_connected = False
        self.has_received = False
        self._stop = stop
        self._deadline = deadline
        self._connect_seconds = connect_seconds
        self._silence_seconds = silence_seconds
        self._waits_until = time.monotonic() + silence_seconds

    @staticmethod
    def of_this_thread() -> Patience:
        """The patience of the request that this thread sends now."""
        return _PATIENCE.get()

    @contextmanager
    def applied(self) -> Iterator[None]:
        token = _PATIENCE.set(self)
        try:
            yield
        finally:
            _PATIENCE.reset(token)

    def enter(self, phase: Phase, share: int = 1) -> None:
        """Begin a phase. ``share``: the number of addresses that share the time for the connection."""
        self.phase = phase
        seconds = self._silence_seconds
        if phase is not Phase.ANSWER:
            seconds = max(self._connect_seconds / share, min(self._connect_seconds, LEAST_CONNECT_SECONDS))
        self._waits_until = time.monotonic() + seconds

    def moved(self) -> None:
        """Note that bytes were sent or received."""
        if self.phase is Phase.ANSWER:
            self._waits_until = time.monotonic() + self._silence_seconds

    def check(self) -> None:
        """Raise the reason of a stop, or ``TimeoutError`` if the request has waited long enough."""
        self._stop.check()
        if self._deadline.is_over or time.monotonic() >= self._waits_until:
            raise TimeoutError("The time for the request is over.")


_PATIENCE: ContextVar[Patience] = ContextVar("patience")


def _in_steps(operation: Callable[..., Result], *values: Any) -> Result:
    """Repeat a socket operation, whose timeout is one step, until it succeeds or patience is over."""
    patience = _PATIENCE.get()
    while True:
        patience.check()
        try:
            result = operation(*values)
        except TimeoutError:
            continue
        patience.moved()
        return result


def _received(size_bytes: int) -> int:
    _PATIENCE.get().has_received |= size_bytes > 0
    return size_bytes


class StoppableSocket(socket.socket):
    """A TCP socket. Its timeout must stay one step; urllib3 is told so (``STEP_TIMEOUT`` in ``http``)."""

    def connect(self, address: Any) -> None:
        self.setblocking(False)
        code = self.connect_ex(address)
        while code in (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY):
            if wait_for_write(self, STEP_SECONDS):
                code = self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                break
            _PATIENCE.get().check()
        if code:
            raise OSError(code, os.strerror(code))
        self.settimeout(STEP_SECONDS)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        return _received(_in_steps(super().recv_into, buffer, nbytes, flags))

    def send(self, data: Any, flags: int = 0) -> int:
        return _in_steps(super().send, data, flags)

    def sendall(self, data: Any, flags: int = 0) -> None:
        rest = memoryview(data).cast("B")
        while rest:
            rest = rest[self.send(rest, flags) :]


class StoppableTlsSocket(ssl.SSLSocket):
    """The same over TLS. ``ssl.SSLSocket.sendall`` already sends through ``send``."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            _in_steps(super().do_handshake, block)
        except FerryError:  # ``SSLContext.wrap_socket`` closes it after an OSError only
            self.close()
            raise

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        return _received(_in_steps(super().recv_into, buffer, nbytes, flags))

    def send(self, data: Any, flags: int = 0) -> int:
        return _in_steps(super().send, data, flags)


def connect(host: str, port: int, resolve: Resolve) -> StoppableSocket:
    """Return a socket connected to the first address of ``host`` that accepts.

    Only the IP addresses that ``resolve`` returns are used. Raises the ``OSError`` of the last one, and
    everything that ``resolve`` raises.
    """
    patience = Patience.of_this_thread()
    patience.has_connected = True
    patience.enter(Phase.CONNECT)
    addresses = interruptible(lambda: resolve(host), patience.check)
    problem = OSError("The host has no address.")
    for address in addresses:
        patience.enter(Phase.CONNECT, share=len(addresses))
        try:
            return _connected(address, port)
        except OSError as error:
            problem = error
    raise problem


def _connected(address: str, port: int) -> StoppableSocket:
    infos = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    family, kind, protocol, _, place = infos[0]
    opened = StoppableSocket(family, kind, protocol)
    try:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.connect(place)
    except BaseException:
        opened.close()
        raise
    Patience.of_this_thread().enter(Phase.TLS)
    return opened
