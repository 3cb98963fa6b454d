"""Leases: who works on a job or a slice, and until when.

All times are the database's: hosts whose clocks differ agree on when a lease is over. A lease carries a
fencing number; whoever lost it changes nothing any more, however late.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from migrations_app.models import JobSlice, Leased

# All running slices together renew their leases, and draw the rate curve, no more often than this.
BEATS_A_SECOND = 25
SAMPLES_A_SECOND = 5
MANY_SLICES = 250
SHORTEST_INTERVAL_SECONDS = 2.0
# Waits before the next try of something that failed but may work again.
FIRST_RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 60.0
MAX_ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a lease holds, and how often it is renewed (never later than after a third of it).

    ``sample_seconds`` lie between two samples of the rate.
    """

    lease_seconds: float
    interval_seconds: float
    sample_seconds: float = 0.0

    @property
    def request_timeout_seconds(self) -> float:
        """The deadline of a request that writes rows."""
        return self.lease_seconds / 2


def terms() -> Terms:
    """The terms of a lease taken now: the more slices run, the longer."""
    return terms_for(JobSlice.objects.leased().count(), settings.VECTORFERRY_LEASE_SECONDS)


def terms_for(running: int, lease_seconds: float) -> Terms:
    interval = max(SHORTEST_INTERVAL_SECONDS, running / BEATS_A_SECOND)
    if running > MANY_SLICES:
        lease_seconds = max(lease_seconds, 3 * interval)
    return Terms(lease_seconds, min(interval, lease_seconds / 3), running / SAMPLES_A_SECOND)


def owner() -> str:
    """This process, as a lease names it."""
    return f"{socket.gethostname()[:80]}:{os.getpid()}"


def after(seconds: float) -> Combinable:
    """The moment so many seconds from now, by the database's clock."""
    return Now() + timedelta(seconds=seconds)


def take(thing: Leased, how: Terms, where: Q | None = None, **changes: Any) -> bool:
    """Take the lease of ``thing`` if nobody holds it, it is due and ``where`` holds. Refreshes it."""
    found = type(thing).objects.filter(where or Q(), pk=thing.pk).due()
    taken = found.update(
        lease_owner=owner(), lease_until=after(how.lease_seconds), fence=F("fence") + 1, **changes
    )
    if taken:
        thing.refresh_from_db()
    return taken == 1


def renew(thing: Leased, how: Terms, where: Any = None, **changes: Any) -> bool:
    """Hold ``thing`` longer and store ``changes``, in one statement. False: someone else has it, or not
    ``where``."""
    return _held(thing, where).update(lease_until=after(how.lease_seconds), **changes) == 1


def release(thing: Leased, **changes: Any) -> bool:
    """Let go of ``thing`` and store ``changes``, in one statement. False: someone else has it."""
    return _held(thing).update(lease_until=None, lease_owner="", **changes) == 1


def _held(thing: Leased, where: Any = None) -> Any:
    return type(thing).objects.filter(where or Q(), pk=thing.pk, fence=thing.fence)


def retry_seconds(attempts: int) -> float:
    """How long to wait after so many failures in a row (from 1)."""
    return float(min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** (attempts - 1)))
