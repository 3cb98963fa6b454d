"""Leased: base class of the models that only one worker at a time may hold."""

from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.db.models.functions import Now


class LeasedQuerySet(models.QuerySet[Any]):
    def leased(self) -> Self:
        """Rows whose lease has not ended, by the database's clock: a worker may be working on them."""
        return self.filter(lease_until__gt=Now())

    def free(self) -> Self:
        """Rows without a lease: never leased, released, or the lease ran out."""
        return self.filter(models.Q(lease_until=None) | models.Q(lease_until__lte=Now()))

    def due(self) -> Self:
        """Rows that a worker may take now: free, and not waiting for a retry."""
        return self.free().filter(models.Q(not_before=None) | models.Q(not_before__lte=Now()))


class Leased(models.Model):
    """A row that only one worker at a time may hold.

    Each lease increases ``fence``, so a worker that lost its lease can no longer change the row. ``attempts``
    counts the retryable failures since the last progress; ``not_before`` is the time of the next try.
    """

    lease_owner = models.CharField(max_length=100, blank=True, default="", editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    fence = models.PositiveBigIntegerField(default=0, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    not_before = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True
