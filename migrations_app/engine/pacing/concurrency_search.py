"""Concurrency search: finds the number of requests in flight with the highest throughput.

More requests in flight help if the network round trip is long. If the target is busy all the time, they only
wait in front of it, and a small server even becomes slower. The duration of one request does not show which
of the two is the case, and a server that compacts or collects garbage distorts any single measurement. So two
numbers are compared by bytes per second, over several rounds each and in turns, and the new one must win
twice. There are three phases::

    grow      an unknown target: double the number as long as that brings much more
    rest      stay; from time to time try one more, or one fewer
    recover   after trouble: halve the number at once, then add one after each round that succeeds

This module uses no clock and no threads. The caller passes the time, and calls from one thread at a time.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

START = 2
# The gain in throughput that is needed to keep a doubled number, and to keep one more.
GROWTH = 1.25
GAIN = 1.05
# An interval has at least this many rounds, acknowledgements and seconds.
ROUNDS = 2
LEAST_ACKNOWLEDGED = 4
LEAST_SECONDS = 0.25
# How long to rest between two tries. The pause doubles while the tries bring no gain.
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 30.0
# If the target asked to slow down at some number, that number is not tried again for this time.
REFUSED_SECONDS = 60.0


@dataclass(slots=True)
class Interval:
    """A measurement: the requests that were acknowledged while ``limit`` of them were in flight.

    The first ``settling`` acknowledgements belong to requests that were sent before; they are not counted.
    Then ``wanted`` acknowledgements and ``least_seconds`` are needed. ``full``: how many of them were
    sent while the limit was reached.
    """

    limit: int
    settling: int
    wanted: int
    least_seconds: float
    acknowledged: int = 0
    size_bytes: int = 0
    full: int = 0
    began: float = 0.0
    ended: float = 0.0

    def add(self, now: float, size_bytes: int, is_full: bool) -> None:
        self.ended = now
        if self.settling > 0:
            self.settling -= 1
            self.began = now
            return
        self.acknowledged += 1
        self.size_bytes += size_bytes
        self.full += is_full

    @property
    def is_over(self) -> bool:
        return self.acknowledged >= self.wanted and self.ended - self.began >= self.least_seconds

    @property
    def bytes_per_second(self) -> float:
        return self.size_bytes / max(self.ended - self.began, 1e-9)

    @property
    def is_conclusive(self) -> bool:
        """True if the limit was reached most of the time, so that the result shows what the target can do."""
        return 2 * self.full >= self.acknowledged

    def beats(self, other: Interval, factor: float) -> bool:
        is_conclusive = self.is_conclusive and other.is_conclusive
        return is_conclusive and self.bytes_per_second >= factor * other.bytes_per_second


# A phase yields each interval that it wants to be measured; a measurement also returns it.
Phase = Generator[Interval, None, None]
Measurement = Generator[Interval, None, Interval]


class ConcurrencySearch:
    """Search for the best number; ``limit`` is the number to use now, from 1 to ``most``."""

    def __init__(self, most: int) -> None:
        self.limit = min(START, most)
        self.is_recovering = False
        # The first acknowledgement is not measured: it only starts the clock.
        self._interval = Interval(1, 0, 0, 0.0)
        self._most = most
        self._goal = self.limit
        self._refused = most + 1
        self._refused_until = 0.0
        self._enter(self._grow())

    def acknowledged(self, now: float, size_bytes: int, is_full: bool) -> None:
        """Note that a request was accepted. ``is_full``: the limit was reached
        while it was in flight.

        ``now`` is in seconds, from any clock that never goes back.
        """
        self._interval.add(now, size_bytes, is_full)
        if self._interval.is_over:
            self._interval = next(self._phase)
            self.limit = self._interval.limit

    def halve(self, now: float, *, refused: bool) -> None:
        """Note that a request failed. ``refused``: the target asked to slow down: the number is too high."""
        if refused:
            self._goal = self._refused = max(1, self.limit - 1)
            self._refused_until = now + REFUSED_SECONDS
        elif not self.is_recovering:
            self._goal = self.limit
        self.limit = max(1, self.limit // 2)
        self._enter(self._recover())

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._interval = next(phase)

    def _grow(self) -> Phase:
        here = yield from self._measure(self.limit)
        while here.limit < self._most:
            more = yield from self._measure(min(2 * here.limit, self._most))
            if not more.beats(here, GROWTH):
                break
            here = more
        yield from self._rest(here.limit)

    def _recover(self) -> Phase:
        self.is_recovering = True
        here = yield from self._round(self.limit)
        while here.limit < self._goal:
            here = yield from self._round(here.limit + 1)
        self.is_recovering = False
        yield from self._rest(here.limit)

    def _rest(self, limit: int) -> Phase:
        """Stay at ``limit``, and move to a neighbor if that is better. One fewer wins if it is as good."""
        pause, step, lost, until = FIRST_PAUSE_SECONDS, -1, 0, 0.0
        while True:
            here = yield from self._measure(limit)
            other = limit + step
            if here.ended < until or not here.is_conclusive:
                continue
            if 1 <= other <= self._highest(here.ended) and (yield from self._wins_twice(other, here)):
                limit, lost, pause = other, 0, FIRST_PAUSE_SECONDS
                continue
            step, lost = -step, lost + 1
            if lost % 2 == 0:
                until = self._interval.ended + pause
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _highest(self, now: float) -> int:
        return self._refused if now < self._refused_until else self._most

    def _wins_twice(self, other: int, here: Interval) -> Generator[Interval, None, bool]:
        """True if ``other`` beats the limit of ``here`` in this measurement and in a repeated one."""
        factor = GAIN if other > here.limit else 1.0
        first = yield from self._measure(other)
        if not first.beats(here, factor):
            return False
        second = yield from self._measure(other)
        again = yield from self._measure(here.limit)
        return second.beats(again, factor)

    def _measure(self, limit: int) -> Measurement:
        """An interval at ``limit``, after the requests that are in flight now were acknowledged."""
        before = self._interval
        settling = 0 if before.limit == limit and before.acknowledged else before.limit
        wanted = max(ROUNDS * limit, LEAST_ACKNOWLEDGED)
        interval = Interval(limit, settling, wanted, LEAST_SECONDS, began=before.ended)
        yield interval
        return interval

    def _round(self, limit: int) -> Measurement:
        """An interval of one round, of any duration."""
        interval = Interval(limit, 0, limit, 0.0)
        yield interval
        return interval
