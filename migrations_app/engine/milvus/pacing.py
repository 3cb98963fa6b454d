"""How many requests may be in flight at once, found by trying.

As TCP does it: halved when the target is in trouble, one more after each round that went well. Each writer
paces itself, so many of them on many hosts settle at what the target can take without talking to each other.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from migrations_app.engine.cancel import StopToken
from migrations_app.engine.errors import (
    FerryError,
    Interrupted,
    LeaseLost,
    TargetBusy,
    TargetUnavailable,
    UnknownOutcome,
)
from migrations_app.engine.log import Log, counted
from migrations_app.engine.retry import RetryPolicy

# A target at its limit slows the writer down again and again: the run log hears of it this often.
LOG_EVERY_SECONDS = 60.0

TROUBLE: dict[type[FerryError], str] = {
    TargetBusy: "Target asked to slow down",
    UnknownOutcome: "Target did not answer",
    TargetUnavailable: "Target cannot be reached",
}


class Pace:
    """Hands out turns to send. ``most`` is full speed; any thread may call any method.

    After a stop no turn is given, but for ``grace_seconds``: where a batch that is half in could not be
    resumed, what was begun may be finished. A lost lease allows no grace.
    """

    def __init__(
        self, most: int, retry: RetryPolicy, stop: StopToken, log: Log, grace_seconds: float = 0.0
    ) -> None:
        self._most = self._limit = most
        self._retry = retry
        self._stop = stop
        self._log = log
        self._grace_seconds = grace_seconds
        self._give_up_at = math.inf
        self._changed = threading.Condition()
        self._in_flight = 0
        self._went_well = 0
        self._failures = 0
        self._resume_at = 0.0
        # Counts slow-downs: a request sent before the last one says nothing about the pace since.
        self._epoch = 0
        self._quiet_until = 0.0
        self._is_quiet = False
        stop.on_stop(self._stopped)

    @property
    def limit(self) -> int:
        """How many requests may be in flight now."""
        return self._limit

    @contextmanager
    def turn(self) -> Iterator[int]:
        """Wait for a place among the requests in flight and keep it; gives the epoch for the two below.

        Raises the reason of a stop, also while it waits.
        """
        with self._changed:
            while (wait := self._wait_seconds()) > 0:
                self._changed.wait(min(wait, threading.TIMEOUT_MAX))
            self._in_flight += 1
            epoch = self._epoch
        try:
            yield epoch
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()

    def _wait_seconds(self) -> float:
        """0: go. Raises the reason of a stop once its grace is over."""
        now = time.monotonic()
        if now >= self._give_up_at:
            self._stop.check()
        until = math.inf if self._in_flight >= self._limit else self._resume_at
        return max(0.0, min(until, self._give_up_at) - now)

    def succeeded(self, epoch: int) -> None:
        """A request was accepted: one more may be in flight once a whole round was."""
        with self._changed:
            if epoch != self._epoch:
                return
            self._failures = 0
            self._went_well += 1
            if self._limit == self._most or self._went_well < self._limit:
                return
            self._limit += 1
            self._went_well = 0
            self._changed.notify_all()
            is_full = self._limit == self._most
        if is_full:
            self._log("debug" if self._is_quiet else "info", "Back to full speed")

    def slow_down(self, error: FerryError, epoch: int) -> None:
        """A request met trouble: halve what may be in flight, and let all wait.

        Of several that met the same trouble the first one counts; the longest Retry-After is obeyed.
        """
        with self._changed:
            now = time.monotonic()
            if epoch != self._epoch:
                self._resume_at = max(self._resume_at, now + (error.retry_after_seconds or 0.0))
                return
            before, self._limit = self._limit, max(1, self._limit // 2)
            self._epoch += 1
            self._went_well = 0
            self._failures += 1
            wait = self._retry.wait_seconds(self._failures, error.retry_after_seconds)
            self._resume_at = now + wait
            self._is_quiet = now < self._quiet_until
            self._quiet_until = self._quiet_until if self._is_quiet else now + LOG_EVERY_SECONDS
            level = "debug" if self._is_quiet else "warning"
            text = _sentence(error, before, self._limit, wait)
        self._log(level, text, code=error.code)

    def _stopped(self, reason: Interrupted) -> None:
        with self._changed:
            grace = 0.0 if isinstance(reason, LeaseLost) else self._grace_seconds
            self._give_up_at = time.monotonic() + grace
            self._changed.notify_all()


def _sentence(error: FerryError, before: int, limit: int, wait_seconds: float) -> str:
    trouble = next(text for kind, text in TROUBLE.items() if isinstance(error, kind))
    change = f" → {limit}" if limit != before else ""
    return (
        f"{trouble} ({error.message.rstrip('.')}): {counted(before, 'insert')} in flight{change}, "
        f"trying again in {wait_seconds:.1f} s"
    )
