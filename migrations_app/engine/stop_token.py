"""Stopping work between two batches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from migrations_app.engine.errors import Interrupted


class StopToken:
    """A stop that any thread may ask for and every loop looks at. The first reason wins."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._reason: Interrupted | None = None
        self._calls: list[Callable[[Interrupted], None]] = []

    def stop(self, reason: Interrupted) -> None:
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            calls, self._calls = self._calls, []
        self._event.set()
        for call in calls:
            call(reason)

    def on_stop(self, call: Callable[[Interrupted], None]) -> None:
        """Have ``call`` called once with the reason, at once where there already is one."""
        with self._lock:
            reason = self._reason
            if reason is None:
                self._calls.append(call)
        if reason is not None:
            call(reason)

    def child(self) -> StopToken:
        """A token that stops when this one does, and may be stopped alone."""
        token = StopToken()
        self.on_stop(token.stop)
        return token

    @property
    def reason(self) -> Interrupted | None:
        return self._reason

    @property
    def is_stopped(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise the reason if a stop was asked for."""
        if self._reason is not None:
            raise self._reason

    def wait(self, seconds: float) -> None:
        """Sleep, but not through a stop: raises its reason at once."""
        self._event.wait(seconds)
        self.check()


class Deadline:
    """A point in time, or never (``seconds`` is None). Monotonic."""

    def __init__(self, seconds: float | None = None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end
