"""Stop token: stops work between two batches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from migrations_app.engine.errors import Interrupted


class StopToken:
    """A stop that any thread may request and every loop checks. The first reason counts."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._reason: Interrupted | None = None
        self._callbacks: list[Callable[[Interrupted], None]] = []

    def stop(self, reason: Interrupted) -> None:
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            callbacks, self._callbacks = self._callbacks, []
        self._event.set()
        for callback in callbacks:
            callback(reason)

    def on_stop(self, callback: Callable[[Interrupted], None]) -> None:
        """Call ``callback`` once with the reason: at the stop, or now if the stop was already requested."""
        with self._lock:
            reason = self._reason
            if reason is None:
                self._callbacks.append(callback)
        if reason is not None:
            callback(reason)

    def child(self) -> StopToken:
        """A token that stops when this one stops, but can also be stopped alone."""
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
        """Raise the reason if a stop was requested."""
        if self._reason is not None:
            raise self._reason

    def wait(self, seconds: float) -> None:
        """Sleep for ``seconds``. Raises the reason as soon as a stop is requested."""
        self._event.wait(seconds)
        self.check()


class Deadline:
    """A point in time on the monotonic clock, or never (if ``seconds`` is None)."""

    def __init__(self, seconds: float | None = None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end
