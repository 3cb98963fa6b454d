"""How many requests may be in flight at once, found by trying.

``climbing`` finds the number that serves best; when the target is in trouble it is halved and all wait, as
TCP does it. Each writer paces itself, so many of them on many hosts settle at what the target can take
without talking to each other.
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
from migrations_app.engine.pipeline.concurrency_search import ConcurrencySearch
from migrations_app.engine.pipeline.retry import RetryPolicy
from migrations_app.engine.stop_token import StopToken

# A target at its limit slows the writer down again and again: the run log hears of it this often.
LOG_EVERY_SECONDS = 60.0

TROUBLE: dict[type[FerryError], str] = {
    TargetBusy: "Target asked to slow down",
    UnknownOutcome: "Target did not answer",
    TargetUnavailable: "Target cannot be reached",
}


@dataclass(slots=True)
class Permit:
    """One request's place among those in flight. ``was_full``: no other had one left when it ended."""

    epoch: int
    was_full: bool = False


@dataclass(slots=True, eq=False)
class QueuePosition:
    """A batch's place in the line for a first turn. ``has_begun``: it had that turn."""

    has_begun: bool = False


class ConcurrencyLimit:
    """Hands out turns to send, never more than ``most`` at once; any thread may call any method.

    Batches get their first turns in the order of their places, so that a stop never leaves out one before
    another that went in. After a stop no batch is begun; one that is half in is given turns for
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
        self._climb = ConcurrencySearch(most)
        self._retry = retry
        self._stop = stop
        self._log = log
        self._grace_seconds = grace_seconds
        self._give_up_at = math.inf
        self._changed = threading.Condition()
        self._line: deque[QueuePosition] = deque()
        self._in_flight = 0
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
        return self._climb.limit

    def place(self) -> QueuePosition:
        """The next place in the line; to be given up with ``leave``."""
        with self._changed:
            self._line.append(place := QueuePosition())
            return place

    def leave(self, place: QueuePosition) -> None:
        """Let those behind go ahead where this one was never begun, such as a batch without rows."""
        with self._changed:
            self._begin(place)

    def _begin(self, place: QueuePosition) -> None:
        if not place.has_begun:
            place.has_begun = True
            self._line.remove(place)
            self._changed.notify_all()

    @contextmanager
    def turn(self, place: QueuePosition) -> Iterator[Permit]:
        """Wait for a place among the requests in flight and keep it; gives what the two below ask for.

        Raises the reason of a stop, also while it waits.
        """
        with self._changed:
            while (wait := self._wait_seconds(place)) > 0:
                self._changed.wait(min(wait, threading.TIMEOUT_MAX))
            self._begin(place)
            self._in_flight += 1
            turn = Permit(self._epoch)
        try:
            yield turn
        finally:
            with self._changed:
                turn.was_full = self._in_flight >= self.limit
                self._in_flight -= 1
                self._changed.notify_all()

    def _wait_seconds(self, place: QueuePosition) -> float:
        """0: go. Raises the reason of a stop once its grace is over, or sure to be over before the turn."""
        now = time.monotonic()
        if not place.has_begun or max(now, self._resume_at) >= self._give_up_at:
            self._stop.check()
        is_early = not place.has_begun and self._line[0] is not place
        until = math.inf if is_early or self._in_flight >= self.limit else self._resume_at
        return max(0.0, min(until, self._give_up_at) - now)

    def succeeded(self, turn: Permit, size_bytes: int) -> None:
        """A request of so many bytes was accepted."""
        with self._changed:
            if turn.epoch != self._epoch:
                return
            self._failures = 0
            was_recovering = self._climb.is_recovering
            self._climb.acknowledged(time.monotonic(), size_bytes, turn.was_full)
            self._changed.notify_all()
            has_recovered = was_recovering and not self._climb.is_recovering
        if has_recovered:
            text = f"The target keeps up again: {counted(self.limit, 'insert')} in flight"
            self._log("debug" if self._is_quiet else "info", text)

    def slow_down(self, error: FerryError, turn: Permit) -> None:
        """A request met trouble: halve what may be in flight, and let all wait.

        Of several that met the same trouble the first one counts; the longest Retry-After is obeyed.
        """
        with self._changed:
            now = time.monotonic()
            if turn.epoch != self._epoch:
                self._resume_at = max(self._resume_at, now + (error.retry_after_seconds or 0.0))
                return
            before = self.limit
            self._climb.halve(now, refused=isinstance(error, TargetBusy))
            self._epoch += 1
            self._failures += 1
            wait = self._retry.wait_seconds(self._failures, error.retry_after_seconds)
            self._resume_at = now + wait
            self._is_quiet = now < self._quiet_until
            self._quiet_until = self._quiet_until if self._is_quiet else now + LOG_EVERY_SECONDS
            level = "debug" if self._is_quiet else "warning"
            text = _sentence(error, before, self.limit, wait)
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
