"""Own thread: reads from a driver whose calls cannot be interrupted, in a thread that can be left behind."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from migrations_app.engine.errors import FerryError
from migrations_app.engine.sources.postgresql.connect.cancel import (
    CHECK_SECONDS,
    GRACE_SECONDS,
    silent,
)
from migrations_app.engine.sources.postgresql.connect.driver_messages import VENDOR_ERRORS
from migrations_app.engine.stop_token import StopToken

Item = TypeVar("Item")
# A context manager for the function that cancels a statement: another thread may call it inside the block.
CancelableBy = Callable[[Callable[[], None]], AbstractContextManager[None]]
Items = Callable[[CancelableBy], Generator[Item, None, None]]
# How long a read that is closed early waits for the server to end its statement.
_CLOSE_SECONDS = 1.0
# The longest pause between two requests to cancel a statement that does not end.
_LONGEST_PAUSE_SECONDS = 60.0


def in_own_thread(
    items: Items[Item], stop: StopToken, what: str, seconds: float | None = None
) -> Generator[Item, None, None]:
    """Yield the items of ``items``, a generator that runs in a thread of its own. It never runs ahead.

    After a stop, its statement is canceled and the reason is raised, also if the server does not answer: then
    the thread is left behind, and closes what it opened when its driver returns. The same happens if an item
    takes more than ``seconds``; then ``SourceUnavailable`` is raised.
    """
    thread = _OwnThread(items)
    try:
        while (answer := thread.next(stop, what, seconds)) is not None:
            yield answer[0]
    finally:
        thread.close()


class _OwnThread(Generic[Item]):
    def __init__(self, items: Items[Item]) -> None:
        self._cancel_statement: Callable[[], None] | None = None
        self._wanted: SimpleQueue[bool] = SimpleQueue()
        self._answers: SimpleQueue[tuple[Item] | BaseException | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._canceling: threading.Thread | None = None
        self._ended = threading.Event()
        self._is_left = False
        self._thread = threading.Thread(target=self._run, args=(items,), name="postgres-read", daemon=True)
        self._thread.start()

    def _run(self, items: Items[Item]) -> None:
        opened = items(self._cancelable_by)
        try:
            while self._wanted.get():
                self._answers.put((next(opened),))
        except StopIteration:
            self._answers.put(None)
        except BaseException as error:  # noqa: BLE001 (raised again in the waiting thread)
            self._answers.put(error)
        with suppress(FerryError, *VENDOR_ERRORS):
            opened.close()
        self._ended.set()

    @contextmanager
    def _cancelable_by(self, cancel: Callable[[], None]) -> Iterator[None]:
        self._cancel_statement = cancel
        try:
            yield
        finally:
            with self._lock:
                self._ended.set()
            if self._canceling is not None:
                self._canceling.join()  # it uses the connection that is closed next

    def next(self, stop: StopToken, what: str, seconds: float | None) -> tuple[Item] | None:
        """Return the next item, None after the last one."""
        end = math.inf if seconds is None else time.monotonic() + seconds
        self._wanted.put(True)
        answer = self._answer(lambda: stop.is_stopped or time.monotonic() >= end)
        if isinstance(answer, BaseException):
            stop.check()
            raise silent(what, seconds or 0) if time.monotonic() >= end else answer
        return answer

    def _answer(self, is_over: Callable[[], bool]) -> tuple[Item] | BaseException | None:
        while not is_over():
            with suppress(Empty):
                return self._answers.get(timeout=CHECK_SECONDS)
        self._cancel()
        try:
            return self._answers.get(timeout=GRACE_SECONDS)
        except Empty as nothing:
            self._is_left = True
            return nothing

    def _cancel(self) -> None:
        with self._lock:
            if self._canceling is None and not self._ended.is_set():
                self._canceling = threading.Thread(target=self._keep_canceling, daemon=True)
                self._canceling.start()

    def _keep_canceling(self) -> None:
        """Cancel the statement until it ends: it may not have begun yet."""
        pause = CHECK_SECONDS
        while not self._ended.is_set():
            if self._cancel_statement is not None:
                with suppress(*VENDOR_ERRORS):
                    self._cancel_statement()
            self._ended.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def close(self) -> None:
        self._wanted.put(False)
        if not self._is_left:
            self._thread.join(_CLOSE_SECONDS)
