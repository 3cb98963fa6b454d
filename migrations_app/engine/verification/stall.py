"""Stall detector: notices when something in the target makes no progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# At most this much of the time between two checks counts, because nobody watched in between.
LONGEST_LOOK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class StallDetector:
    """The last progress seen, and for how long it has not changed.

    ``seen``: the progress (any JSON value), unchanged for ``idle_seconds``. ``looked_at``: the time of the
    last look, in seconds since 1970.
    """

    seen: Any = None
    idle_seconds: float = 0.0
    looked_at: float = 0.0

    def look(self, seen: Any, now: float) -> StallDetector:
        """Return the new state after a look at time ``now`` that showed the progress ``seen``."""
        if seen != self.seen:
            return StallDetector(seen, 0.0, now)
        spent = min(max(now - self.looked_at, 0.0), LONGEST_LOOK_SECONDS)
        return StallDetector(seen, self.idle_seconds + spent, now)
