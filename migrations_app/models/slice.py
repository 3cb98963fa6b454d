"""JobSlice: an independent part of a collection, with its checkpoint and counters."""

from __future__ import annotations

from typing import Self

from django.db import models

from migrations_app.engine.model.batch import Slice
from migrations_app.models.collection import JobCollection
from migrations_app.models.leased import Leased, LeasedQuerySet
from migrations_app.models.status import SliceState


class JobSliceQuerySet(LeasedQuerySet):
    def in_doubt(self) -> Self:
        """Stopped slices of which some rows may or may not have arrived in the target."""
        return self.free().exclude(state=SliceState.DONE).filter(rows_in_flight__gt=0)


class JobSlice(Leased):
    """An independent part of a collection, as defined by the source, and its progress.

    ``cursor`` is the cursor of its checkpoint. The counters also include rows after the checkpoint, from a
    run that was interrupted; ``beyond`` contains that part of each counter. In a slice that is not running,
    ``rows_in_flight`` are rows that may or may not have arrived. ``unclean`` means that requests may have
    arrived that are not counted, ``repeated`` that a key may have been sent twice.
    """

    collection = models.ForeignKey(JobCollection, models.CASCADE, related_name="slices")
    number = models.PositiveIntegerField()
    part_id = models.CharField(max_length=500)
    bounds = models.JSONField(null=True, blank=True)
    partition = models.TextField(null=True, blank=True)  # noqa: DJ001 (None: no partition)
    rows_estimate = models.PositiveBigIntegerField(null=True, blank=True)
    resumable = models.BooleanField(default=True)

    state = models.CharField(max_length=10, choices=SliceState.choices, default=SliceState.WAITING)
    cursor = models.JSONField(null=True, blank=True)
    rows_read = models.PositiveBigIntegerField(default=0)
    rows_written = models.PositiveBigIntegerField(default=0)
    rows_rejected = models.PositiveBigIntegerField(default=0)
    rows_skipped = models.PositiveBigIntegerField(default=0)
    rows_collapsed = models.PositiveBigIntegerField(default=0)
    bytes_written = models.PositiveBigIntegerField(default=0)
    values_cut = models.PositiveBigIntegerField(default=0)
    values_mismatched = models.PositiveBigIntegerField(default=0)
    beyond = models.JSONField(default=dict, blank=True)
    rows_in_flight = models.PositiveIntegerField(default=0)
    first_read_at = models.DateTimeField(null=True, blank=True)
    last_ack_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")
    unclean = models.BooleanField(default=False)
    repeated = models.BooleanField(default=False)

    objects = JobSliceQuerySet.as_manager()

    class Meta:
        ordering = ("collection", "number")
        constraints = (models.UniqueConstraint(fields=("collection", "number"), name="one_slice_a_number"),)
        indexes = (models.Index(fields=("state", "lease_until"), name="slices_to_claim"),)

    def __str__(self) -> str:
        return f"slice {self.number} of {self.collection_id}"

    def as_slice(self) -> Slice:
        """Return the slice as the source defined it."""
        return Slice(self.part_id, self.bounds, self.rows_estimate, self.partition, self.resumable)
