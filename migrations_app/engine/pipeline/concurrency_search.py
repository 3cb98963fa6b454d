"""The number of requests in flight that serves best, found by comparing what the target acknowledges.

More in flight help while the way to the target is long; where it is busy all the time they only wait in front
of it, and a small server gets slower by them. One request's time cannot tell these apart, and a server that
compacts or collects garbage makes any single measure a poor one. So numbers are compared by bytes a second
over some rounds each, in turns, and the other one must win twice::

    grow      doubled for as long as that brings a good deal more: an unknown target
    rest      stay; now and then try one more, or one fewer
    recover   after trouble: halved at once, then one more after each round that went well

It knows no clock and no thread: whoever calls says what time it is, and takes care that one does at a time.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

START = 2
# What doubling must bring to go on with it, and what one more must.
GROWTH = 1.25
GAIN = 1.05
# A stretch is measured over so many rounds, acknowledgements and seconds at least.
ROUNDS = 2
LEAST_ACKNOWLEDGED = 4
LEAST_SECONDS = 0.25
# How long to rest between two tries; doubled while they bring nothing.
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 30.0
# A number at which the target asked to slow down is not tried again for so long.
REFUSED_SECONDS = 60.0


@dataclass(slots=True)
class Interval:
    """What was acknowledged while ``limit`` requests were in flight.

    Measured from one acknowledgement to another; the first ``settling`` are of requests sent before it.
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
    def tells(self) -> bool:
        """Whether it says something about the target: mostly, as many were in flight as might be."""
        return 2 * self.full >= self.acknowledged

    def beats(self, other: Interval, factor: float) -> bool:
        return self.tells and other.tells and self.bytes_per_second >= factor * other.bytes_per_second


Course = Generator[Interval, None, None]
Measured = Generator[Interval, None, Interval]


class ConcurrencySearch:
    """``limit`` is how many requests may be in flight now, from 1 to ``most``."""

    def __init__(self, most: int) -> None:
        self.limit = min(START, most)
        self.is_recovering = False
        # Nothing is known before the first acknowledgement: it alone sets the clock.
        self._stretch = Interval(1, 0, 0, 0.0)
        self._most = most
        self._goal = self.limit
        self._refused = most + 1
        self._refused_until = 0.0
        self._follow(self._from_unknown())

    def acknowledged(self, now: float, size_bytes: int, is_full: bool) -> None:
        """A request was accepted. ``is_full``: as many were in flight with it as may be.

        ``now`` is in seconds, by any clock that does not go back."""
        self._stretch.add(now, size_bytes, is_full)
        if self._stretch.is_over:
            self._stretch = next(self._course)
            self.limit = self._stretch.limit

    def halve(self, now: float, *, refused: bool) -> None:
        """A request met trouble. ``refused``: the target asked to slow down, so it takes fewer than these."""
        if refused:
            self._goal = self._refused = max(1, self.limit - 1)
            self._refused_until = now + REFUSED_SECONDS
        elif not self.is_recovering:
            self._goal = self.limit
        self.limit = max(1, self.limit // 2)
        self._follow(self._from_trouble())

    def _follow(self, course: Course) -> None:
        self._course = course
        self._stretch = next(course)

    def _from_unknown(self) -> Course:
        here = yield from self._measure(self.limit)
        while here.limit < self._most:
            more = yield from self._measure(min(2 * here.limit, self._most))
            if not more.beats(here, GROWTH):
                break
            here = more
        yield from self._rest(here.limit)

    def _from_trouble(self) -> Course:
        self.is_recovering = True
        here = yield from self._round(self.limit)
        while here.limit < self._goal:
            here = yield from self._round(here.limit + 1)
        self.is_recovering = False
        yield from self._rest(here.limit)

    def _rest(self, home: int) -> Course:
        """Stay at ``home``, and move it where that is better. Fewer need only be as good as more."""
        pause, step, lost, until = FIRST_PAUSE_SECONDS, -1, 0, 0.0
        while True:
            here = yield from self._measure(home)
            other = home + step
            if here.ended < until or not here.tells:
                continue
            if 1 <= other <= self._top(here.ended) and (yield from self._wins(other, here)):
                home, lost, pause = other, 0, FIRST_PAUSE_SECONDS
                continue
            step, lost = -step, lost + 1
            if lost % 2 == 0:
                until = self._stretch.ended + pause
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _top(self, now: float) -> int:
        return self._refused if now < self._refused_until else self._most

    def _wins(self, other: int, here: Interval) -> Generator[Interval, None, bool]:
        """Whether ``other`` beats the limit of ``here`` both before and after that is measured once more."""
        factor = GAIN if other > here.limit else 1.0
        first = yield from self._measure(other)
        if not first.beats(here, factor):
            return False
        second = yield from self._measure(other)
        again = yield from self._measure(here.limit)
        return second.beats(again, factor)

    def _measure(self, limit: int) -> Measured:
        """A stretch at ``limit``, once what is in flight from before it has been acknowledged."""
        before = self._stretch
        settling = 0 if before.limit == limit and before.acknowledged else before.limit
        wanted = max(ROUNDS * limit, LEAST_ACKNOWLEDGED)
        stretch = Interval(limit, settling, wanted, LEAST_SECONDS, began=before.ended)
        yield stretch
        return stretch

    def _round(self, limit: int) -> Measured:
        """A stretch of one round, whatever its time."""
        stretch = Interval(limit, 0, limit, 0.0)
        yield stretch
        return stretch
