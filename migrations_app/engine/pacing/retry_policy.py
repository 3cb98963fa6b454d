"""Retry policy: how often a failed operation is tried again, and how long to wait before each try."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from migrations_app.engine.errors import FerryError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most ``tries`` in all, including the first. Waits double from ``first_seconds`` to ``most_seconds``.

    ``jitter`` is the random share of a wait, so that many workers do not all try again at the same moment.
    The defaults bridge an outage of about a minute and a half.
    """

    tries: int = 10
    first_seconds: float = 0.5
    most_seconds: float = 30.0
    jitter: float = 0.5

    def wait_seconds(
        self,
        failures: int,
        retry_after_seconds: float | None = None,
        chance: Callable[[], float] = random.random,
    ) -> float:
        """Return how long to wait after this number of ``failures`` in a row (from 1).

        If the server asked for a wait (Retry-After), jitter only adds to it and never shortens it.
        """
        if retry_after_seconds is not None:
            return retry_after_seconds * (1 + self.jitter * chance())
        # The exponent is bounded: 2.0**2000 overflows.
        wait = min(self.most_seconds, self.first_seconds * 2.0 ** min(failures - 1, 60))
        return wait * (1 - self.jitter * chance())


class Backoff:
    """Counts the failures in a row of one operation. Call ``worked`` after a success."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._failures = 0

    def worked(self) -> None:
        self._failures = 0

    def failed(self, error: FerryError) -> float:
        """Count a failure and return the seconds to wait. Raises ``error`` if no try is left."""
        self._failures += 1
        if self._failures >= self._policy.tries:
            raise error
        return self._policy.wait_seconds(self._failures, error.retry_after_seconds)
