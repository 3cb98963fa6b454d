"""Cancel: stops waiting for a server, whether it works on a statement or says nothing at all."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from migrations_app.engine.errors import SourceError, SourceUnavailable
from migrations_app.engine.sources.postgresql.connect.driver_messages import VENDOR_ERRORS
from migrations_app.engine.stop_token import StopToken

# How often a wait looks for a stop.
CHECK_SECONDS = 0.1
# How long a statement that was canceled may take to end before its connection is broken off. In the meantime
# it is canceled again, because it may not have begun yet.
GRACE_SECONDS = 0.3
_TRIES = 3
# How long the request to cancel a statement may take. It is sent in the background.
CANCEL_SECONDS = 5


@contextmanager
def stoppable(
    connection: psycopg.Connection[Any], stop: StopToken, what: str, seconds: float | None = None
) -> Iterator[None]:
    """End the statement in the block if a stop is requested, and raise its reason.

    A server that obeys the request to cancel keeps its connection; the connection to another one is broken
    off. The same happens after ``seconds``, and ``SourceUnavailable`` is raised.
    """
    ended, is_late = threading.Event(), threading.Event()

    def watch() -> None:
        end = None if seconds is None else time.monotonic() + seconds
        while not ended.wait(CHECK_SECONDS):
            if end is not None and time.monotonic() >= end:
                is_late.set()
            if is_late.is_set() or stop.is_stopped:
                for _ in range(_TRIES):
                    _cancel_in_background(connection)
                    if ended.wait(GRACE_SECONDS / _TRIES):
                        return
                _break_off(connection)
                return

    watcher = threading.Thread(target=watch, name="postgres-stop", daemon=True)
    watcher.start()
    try:
        yield
    except (*VENDOR_ERRORS, SourceError):
        stop.check()
        if is_late.is_set():
            raise silent(what, seconds or 0) from None
        raise
    finally:
        ended.set()
        watcher.join()


def silent(what: str, seconds: float) -> SourceUnavailable:
    """Return the error for a server that did not answer a question about ``what``."""
    return SourceUnavailable(
        f"PostgreSQL did not answer within {seconds:g} seconds when it was asked for {what}.",
        "Check that the server is not overloaded or stopped, then try again.",
        code="source_timeout",
    )


def _cancel_in_background(connection: psycopg.Connection[Any]) -> None:
    """Cancel in another thread: the request needs a connection of its own, and may wait for it."""

    def run() -> None:
        with suppress(*VENDOR_ERRORS):
            connection.cancel_safe(timeout=CANCEL_SECONDS)

    threading.Thread(target=run, name="postgres-cancel", daemon=True).start()


def _break_off(connection: psycopg.Connection[Any]) -> None:
    """Shut down the socket: the thread that waits for the server gets an error at once."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as opened:
        opened.shutdown(socket.SHUT_RDWR)
