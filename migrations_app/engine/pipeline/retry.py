"""Trying again: how often, and after how long."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from migrations_app.engine.errors import FerryError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``tries`` in all, the first included. Waits double from ``first_seconds`` up to ``most_seconds``.

    ``jitter`` is the share of a wait that is left to chance, so that many workers do not come back at once.
    With the defaults an outage of about a minute and a half is sat out.
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
        """How long to wait after so many ``failures`` in a row (from 1).

        What the server asked for is never cut short: there, jitter only adds.
        """
        if retry_after_seconds is not None:
            return retry_after_seconds * (1 + self.jitter * chance())
        # The exponent is bounded: 2.0**2000 overflows.
        wait = min(self.most_seconds, self.first_seconds * 2.0 ** min(failures - 1, 60))
        return wait * (1 - self.jitter * chance())


class Backoff:
    """The failures in a row of one thing that is tried again. ``worked`` once it did."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._failures = 0

    def worked(self) -> None:
        self._failures = 0

    def failed(self, error: FerryError) -> float:
        """The seconds to wait before the next try. Raises ``error`` where none is left."""
        self._failures += 1
        if self._failures >= self._policy.tries:
            raise error
        return self._policy.wait_seconds(self._failures, error.retry_after_seconds)
