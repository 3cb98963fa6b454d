"""Pace of fetching: how many requests run at once, how many items each asks for, and when one is tried again.

The number of requests is found as for a target: by measuring, and it is halved when the source asks to slow
down.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass

from migrations_app.engine.errors import (
    AnswerTooLarge,
    ConnectionRefused,
    FerryError,
    Interrupted,
    SourceBusy,
)
from migrations_app.engine.log import Log, counted
from migrations_app.engine.pacing.concurrency_search import ConcurrencySearch
from migrations_app.engine.pacing.retry_policy import Backoff, RetryPolicy

# A source at its limit asks to slow down again and again. The log gets one warning in this time.
LOG_EVERY_SECONDS = 60.0
# After so many answers in a row that were not too large, twice the items are asked for at once.
FITS_BEFORE_GROWTH = 16


class Tries:
    """The tries of one request. A busy source costs none."""

    def __init__(self, retry: RetryPolicy) -> None:
        self._retry = retry
        self._backoff = Backoff(retry)
        self._pauses = 0

    def failed(self, error: FerryError) -> float:
        """Return the seconds to wait before the next try. Raises ``error`` if there is none."""
        if isinstance(error, SourceBusy):
            self._pauses += 1
            return self._retry.wait_seconds(self._pauses, error.retry_after_seconds)
        # A server that is restarting refuses connections.
        if isinstance(error, Interrupted) or not (error.retryable or isinstance(error, ConnectionRefused)):
            raise error
        return self._backoff.failed(error)


@dataclass(slots=True)
class Permit:
    """Permission for one request. ``epoch``: the number of slow-downs before it began."""

    epoch: int
    was_full: bool = False


class Pace:
    """How many requests run at once and how many items each asks for. Any thread may call any method."""

    def __init__(self, most_at_once: int, log: Log) -> None:
        self._search = ConcurrencySearch(most_at_once)
        self._log = log
        self._lock = threading.Lock()
        self._quiet_until = 0.0
        self._most_items: float = math.inf
        self._fits = 0
        self.epoch = 0

    @property
    def limit(self) -> int:
        return self._search.limit

    def most_items(self, whole: int) -> int:
        """Return how many of ``whole`` items to ask for at once."""
        return int(min(self._most_items, whole))

    def slow_down(self, permit: Permit) -> None:
        """Halve the number of requests. Requests that ran at the same time count once."""
        with self._lock:
            if permit.epoch == self.epoch:
                self._search.halve(time.monotonic(), refused=True)
                self.epoch += 1

    def succeeded(self, permit: Permit, size_bytes: int, items: int) -> None:
        with self._lock:
            if permit.epoch == self.epoch:
                self._search.acknowledged(time.monotonic(), size_bytes, permit.was_full)
            if items >= self._most_items:
                self._fits += 1
                if self._fits == FITS_BEFORE_GROWTH:
                    self._most_items, self._fits = 2 * self._most_items, 0

    def shrink(self, items: int, error: AnswerTooLarge) -> None:
        """Ask for at most half as many items from now on."""
        with self._lock:
            self._most_items, self._fits = min(self._most_items, max(1, items // 2)), 0
            most = counted(int(self._most_items), "item")
        self._log("debug", f"{error.message.rstrip('.')}: {most} at once from now on", code=error.code)

    def note(self, error: FerryError, what: str, seconds: float) -> None:
        """Log a request that pauses or is tried again."""
        with self._lock:
            now = time.monotonic()
            is_quiet = now < self._quiet_until
            self._quiet_until = self._quiet_until if is_quiet else now + LOG_EVERY_SECONDS
        reason = error.message.rstrip(".")
        text = f"{what} could not be fetched ({reason}): trying again in {seconds:.1f} s"
        if isinstance(error, SourceBusy):
            text = f"The source asked to slow down ({reason}): {what.lower()} pauses for {seconds:.1f} s"
        self._log("debug" if is_quiet else "warning", text, code=error.code)
