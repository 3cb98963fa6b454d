"""Simulated target: computes the result of minutes of requests at once."""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass, field
from typing import Protocol

REQUEST_BYTES = 6_000_000


class Limited(Protocol):
    """An object that limits the number of requests in flight."""

    limit: int

    def acknowledged(self, now: float, size_bytes: int, is_full: bool) -> None: ...


@dataclass
class Fixed:
    """A limit that never changes."""

    limit: int

    def acknowledged(self, now: float, size_bytes: int, is_full: bool) -> None: ...


@dataclass
class SimulatedTarget:
    """A target that processes one request after another.

    ``latency`` is the time of a round trip in seconds, ``work`` the time to process one request. ``crowding``
    is the share of work that each other request in flight adds (0.5: 50 % more), ``noise`` the variation of
    the work, and ``stalls`` how many times per minute the target does nothing for 0.7 seconds.
    """

    latency: float
    work: float
    crowding: float = 0.0
    noise: float = 0.0
    stalls: float = 0.0
    seed: int = 1
    now: float = 0.0
    acknowledged_at: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._free_at = 0.0
        self._in_flight: list[float] = []

    def run(self, limited: Limited, seconds: float, source_seconds: float = 0.0) -> None:
        """Send as many requests as ``limited`` allows; the source has one every ``source_seconds``."""
        end, ready_at = self.now + seconds, self.now
        while self.now < end:
            while len(self._in_flight) < limited.limit and ready_at <= self.now:
                ready_at = max(ready_at, self.now - source_seconds) + source_seconds
                self._send()
            if not self._in_flight:
                self.now = ready_at
                continue
            is_full = len(self._in_flight) >= limited.limit
            self.now = heapq.heappop(self._in_flight)
            self.acknowledged_at.append(self.now)
            limited.acknowledged(self.now, REQUEST_BYTES, is_full)

    def _send(self) -> None:
        spread = math.exp(self._random.gauss(0, self.noise) - self.noise**2 / 2)
        work = self.work * (1 + self.crowding * len(self._in_flight)) * spread
        start = max(self.now + self.latency / 2, self._free_at)
        if self._random.random() < self.stalls / 60 * work:
            start += 0.7
        self._free_at = start + work
        heapq.heappush(self._in_flight, self._free_at + self.latency / 2)

    def per_second(self, since: float, until: float) -> float:
        return sum(since <= at < until for at in self.acknowledged_at) / (until - since)


def best_per_second(most: int, **target: float) -> float:
    """Return the requests per second of the best fixed limit over two minutes."""
    found = []
    for limit in range(1, most + 1):
        simulated = SimulatedTarget(**target)  # type: ignore[arg-type]
        simulated.run(Fixed(limit), 120)
        found.append(simulated.per_second(0, 120))
    return max(found)
