"""Leased: base of the models that one worker at a time may hold."""

from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.db.models.functions import Now


class LeasedQuerySet(models.QuerySet[Any]):
    def leased(self) -> Self:
        """Those somebody works on, or may still be working on, by the database's clock."""
        return self.filter(lease_until__gt=Now())

    def free(self) -> Self:
        """Those that nobody holds: never leased, released, or the lease ran out."""
        return self.filter(models.Q(lease_until=None) | models.Q(lease_until__lte=Now()))

    def due(self) -> Self:
        """Those that may be taken up now: free, and not waiting for another try."""
        return self.free().filter(models.Q(not_before=None) | models.Q(not_before__lte=Now()))


class Leased(models.Model):
    """What one worker at a time may hold. ``fence`` grows with each lease: a late writer does not match.

    ``attempts`` counts retryable failures since the last progress; ``not_before`` is when to try again.
    """

    lease_owner = models.CharField(max_length=100, blank=True, default="", editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    fence = models.PositiveBigIntegerField(default=0, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    not_before = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True
