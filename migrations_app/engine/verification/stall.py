"""Whether something that is looked at now and then still moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Nobody looked for longer than this: what happened meanwhile is not known, and no standing still.
LONGEST_LOOK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class StallDetector:
    """``seen`` is how far it was (any JSON value), unchanged for ``idle_seconds`` of looking at it; the last
    look was at ``looked_at``, in seconds since 1970."""

    seen: Any = None
    idle_seconds: float = 0.0
    looked_at: float = 0.0

    def look(self, seen: Any, now: float) -> StallDetector:
        """The watch after a look at ``now`` that found ``seen``."""
        if seen != self.seen:
            return StallDetector(seen, 0.0, now)
        spent = min(max(now - self.looked_at, 0.0), LONGEST_LOOK_SECONDS)
        return StallDetector(seen, self.idle_seconds + spent, now)
