"""Rates: computes how fast rows move and how long a job still takes. It reads no clock; the times are
arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

WINDOW_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows and bytes moved so far, at a time in seconds (from any clock)."""

    at: float
    rows: int
    size_bytes: int = 0


def rate_now(samples: Sequence[Sample], now: float, window_seconds: float = WINDOW_SECONDS) -> float | None:
    """Rows per second over the last ``window_seconds`` before ``now``. None if there are too few samples.

    A job without progress repeats the same count, so its rate falls to 0. If the count became lower (a slice
    was read again from its start), only the samples after that are used.
    """
    recent = _since_last_fall([s for s in samples if now - window_seconds <= s.at <= now])
    return _rate(recent[0], recent[-1]) if recent else None


def seconds_left(rows_left: int | None, rate: float | None) -> float | None:
    """Seconds until ``rows_left`` are moved. None if one of them is not known, or if the rate is 0."""
    if rows_left is None or not rate:
        return 0.0 if rows_left == 0 else None
    return max(0, rows_left) / rate


def curve(samples: Sequence[Sample]) -> tuple[tuple[float, float], ...]:
    """Pairs of (time, rows per second) between each sample and the next, for drawing."""
    pairs = ((b.at, _rate(a, b)) for a, b in pairwise(samples))
    return tuple((at, rate) for at, rate in pairs if rate is not None)


def _rate(first: Sample, last: Sample) -> float | None:
    seconds = last.at - first.at
    return max(0, last.rows - first.rows) / seconds if seconds > 0 else None


def _since_last_fall(samples: Sequence[Sample]) -> Sequence[Sample]:
    falls = [number for number, (a, b) in enumerate(pairwise(samples), start=1) if b.rows < a.rows]
    return samples[falls[-1] :] if falls else samples
