"""Concurrency limit: the number of requests that may be in flight at once, found by measuring.

``concurrency_search`` finds the number with the highest throughput. When the target is in trouble, the number
is halved and every sender waits, as in TCP. Each writer limits itself, so many writers on many hosts settle
at what the target can take without talking to each other.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from migrations_app.engine.errors import (
    FerryError,
    Interrupted,
    LeaseLost,
    TargetBusy,
    TargetUnavailable,
    UnknownOutcome,
)
from migrations_app.engine.log import Log, counted
from migrations_app.engine.pacing.concurrency_search import ConcurrencySearch
from migrations_app.engine.pacing.retry_policy import RetryPolicy
from migrations_app.engine.stop_token import StopToken

# A target at its limit slows the writer down again and again. The run log gets one warning in this time.
LOG_EVERY_SECONDS = 60.0

TROUBLE: dict[type[FerryError], str] = {
    TargetBusy: "The target asked to slow down",
    UnknownOutcome: "The target did not answer",
    TargetUnavailable: "The target cannot be reached",
}


@dataclass(slots=True)
class Permit:
    """Permission for one request to be in flight.

    ``epoch``: the number of slow-downs before the request was sent. ``was_full``: when the request ended, all
    permits were in use.
    """

    epoch: int
    was_full: bool = False


@dataclass(slots=True, eq=False)
class QueuePosition:
    """A batch's position in the queue for its first permit. ``has_begun``: it got that permit."""

    has_begun: bool = False


class ConcurrencyLimit:
    """Hands out permits to send, never more than ``most`` at once. Any thread may call any method.

    Batches get their first permit in the order of the queue, so that a stop never leaves out a batch while a
    later one was sent. After a stop no new batch begins. A batch that was partly sent still gets permits for
    ``grace_seconds``, but none after a lost lease.
    """

    def __init__(
        self,
        most: int,
        retry: RetryPolicy,
        stop: StopToken,
        log: Log,
        grace_seconds: float = 0.0,
    ) -> None:
        self._search = ConcurrencySearch(most)
        self._retry = retry
        self._stop = stop
        self._log = log
        self._grace_seconds = grace_seconds
        self._give_up_at = math.inf
        self._changed = threading.Condition()
        self._queue: deque[QueuePosition] = deque()
        self._in_flight = 0
        self._failures = 0
        self._resume_at = 0.0
        # Counts slow-downs. A request sent before the last slow-down says nothing about the present limit.
        self._epoch = 0
        self._quiet_until = 0.0
        self._is_quiet = False
        stop.on_stop(self._stopped)

    @property
    def limit(self) -> int:
        """The number of requests that may be in flight now."""
        return self._search.limit

    def enqueue(self) -> QueuePosition:
        """Return a new position at the end of the queue. Give it up with ``leave_queue``."""
        with self._changed:
            self._queue.append(position := QueuePosition())
            return position

    def leave_queue(self, position: QueuePosition) -> None:
        """Let the batches behind go ahead if this one never began, such as a batch without rows."""
        with self._changed:
            self._begin(position)

    def _begin(self, position: QueuePosition) -> None:
        if not position.has_begun:
            position.has_begun = True
            self._queue.remove(position)
            self._changed.notify_all()

    @contextmanager
    def permit(self, position: QueuePosition) -> Iterator[Permit]:
        """Wait for a permit and hold it. Pass it to ``succeeded`` or ``slow_down`` afterwards.

        Raises the reason of a stop, also while it waits.
        """
        with self._changed:
            while (wait := self._wait_seconds(position)) > 0:
                self._changed.wait(min(wait, threading.TIMEOUT_MAX))
            self._begin(position)
            self._in_flight += 1
            permit = Permit(self._epoch)
        try:
            yield permit
        finally:
            with self._changed:
                permit.was_full = self._in_flight >= self.limit
                self._in_flight -= 1
                self._changed.notify_all()

    def _wait_seconds(self, position: QueuePosition) -> float:
        """Return how long to wait; 0 means go.

        Raises the reason of a stop if its grace period is over, or will be over before the wait ends.
        """
        now = time.monotonic()
        if not position.has_begun or max(now, self._resume_at) >= self._give_up_at:
            self._stop.check()
        is_early = not position.has_begun and self._queue[0] is not position
        until = math.inf if is_early or self._in_flight >= self.limit else self._resume_at
        return max(0.0, min(until, self._give_up_at) - now)

    def succeeded(self, permit: Permit, size_bytes: int) -> None:
        """Note that a request of ``size_bytes`` was accepted."""
        with self._changed:
            if permit.epoch != self._epoch:
                return
            self._failures = 0
            was_recovering = self._search.is_recovering
            self._search.acknowledged(time.monotonic(), size_bytes, permit.was_full)
            self._changed.notify_all()
            has_recovered = was_recovering and not self._search.is_recovering
        if has_recovered:
            text = f"The target keeps up again: {counted(self.limit, 'insert')} in flight"
            self._log("debug" if self._is_quiet else "info", text)

    def slow_down(self, error: FerryError, permit: Permit) -> None:
        """Note that a request failed: halve the limit and let every sender wait.

        If several requests fail in the same trouble, only the first one counts. The longest Retry-After is
        obeyed.
        """
        with self._changed:
            now = time.monotonic()
            if permit.epoch != self._epoch:
                self._resume_at = max(self._resume_at, now + (error.retry_after_seconds or 0.0))
                return
            before = self.limit
            self._search.halve(now, refused=isinstance(error, TargetBusy))
            self._epoch += 1
            self._failures += 1
            wait = self._retry.wait_seconds(self._failures, error.retry_after_seconds)
            self._resume_at = now + wait
            self._is_quiet = now < self._quiet_until
            self._quiet_until = self._quiet_until if self._is_quiet else now + LOG_EVERY_SECONDS
            level = "debug" if self._is_quiet else "warning"
            text = _log_text(error, before, self.limit, wait)
        self._log(level, text, code=error.code)

    def _stopped(self, reason: Interrupted) -> None:
        with self._changed:
            grace = 0.0 if isinstance(reason, LeaseLost) else self._grace_seconds
            self._give_up_at = time.monotonic() + grace
            self._changed.notify_all()


def _log_text(error: FerryError, before: int, limit: int, wait_seconds: float) -> str:
    trouble = next(text for kind, text in TROUBLE.items() if isinstance(error, kind))
    change = f" → {limit}" if limit != before else ""
    return (
        f"{trouble} ({error.message.rstrip('.')}): {counted(before, 'insert')} in flight{change}, "
        f"trying again in {wait_seconds:.1f} s"
    )
