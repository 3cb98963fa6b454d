"""Leases: a worker takes a lease on a job or a slice, renews it while it works, and releases it.

All times come from the database's clock, so hosts with different clocks agree when a lease ends. Each lease
has a fencing number (``fence``): a worker that lost its lease cannot change the row any more.
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

# The most lease renewals and rate samples per second, for all running slices together.
BEATS_A_SECOND = 25
SAMPLES_A_SECOND = 5
MANY_SLICES = 250
SHORTEST_INTERVAL_SECONDS = 2.0
# Waiting times before a retry, after a failure that may be temporary.
FIRST_RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 60.0
MAX_ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms of a lease.

    ``lease_seconds`` is the time after which a lease that was not renewed ends. ``interval_seconds`` is the
    time between two renewals, at most a third of the lease. ``sample_seconds`` is the time between two
    samples of the rate.
    """

    lease_seconds: float
    interval_seconds: float
    sample_seconds: float = 0.0

    @property
    def request_timeout_seconds(self) -> float:
        """The timeout of a request that writes rows."""
        return self.lease_seconds / 2


def terms() -> Terms:
    """Return the terms for a lease taken now. The more slices run, the less often each lease is renewed."""
    return terms_for(JobSlice.objects.leased().count(), settings.VECTORFERRY_LEASE_SECONDS)


def terms_for(running: int, lease_seconds: float) -> Terms:
    interval = max(SHORTEST_INTERVAL_SECONDS, running / BEATS_A_SECOND)
    if running > MANY_SLICES:
        lease_seconds = max(lease_seconds, 3 * interval)
    return Terms(lease_seconds, min(interval, lease_seconds / 3), running / SAMPLES_A_SECOND)


def owner() -> str:
    """The name of this process as the owner of a lease."""
    return f"{socket.gethostname()[:80]}:{os.getpid()}"


def after(seconds: float) -> Combinable:
    """The time ``seconds`` from now, by the database's clock."""
    return Now() + timedelta(seconds=seconds)


def take(row: Leased, terms: Terms, where: Q | None = None, **changes: Any) -> bool:
    """Take the lease of ``row`` and refresh it, if it is free, due and matches ``where``. False if not."""
    due = type(row).objects.filter(where or Q(), pk=row.pk).due()
    taken = due.update(
        lease_owner=owner(), lease_until=after(terms.lease_seconds), fence=F("fence") + 1, **changes
    )
    if taken:
        row.refresh_from_db()
    return taken == 1


def renew(row: Leased, terms: Terms, where: Any = None, **changes: Any) -> bool:
    """Renew the lease of ``row`` and store ``changes``, in one statement.

    False if another worker took the lease, or if ``row`` does not match ``where``.
    """
    return _held(row, where).update(lease_until=after(terms.lease_seconds), **changes) == 1


def release(row: Leased, **changes: Any) -> bool:
    """Release ``row`` and store ``changes``, in one statement. False if another worker took the lease."""
    return _held(row).update(lease_until=None, lease_owner="", **changes) == 1


def _held(row: Leased, where: Any = None) -> Any:
    return type(row).objects.filter(where or Q(), pk=row.pk, fence=row.fence)


def retry_seconds(attempts: int) -> float:
    """The waiting time after ``attempts`` failures in a row (1 or more)."""
    return float(min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** (attempts - 1)))
