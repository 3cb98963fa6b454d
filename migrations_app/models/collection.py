"""JobCollection: one collection of a job, and its state in the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models.functions import Coalesce

from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.models.job import Job
from migrations_app.models.status import SliceState, StepKind, TargetState

if TYPE_CHECKING:
    from migrations_app.models.step import JobStep

# The counter columns of a slice.
COUNTERS = (
    *("rows_read", "rows_written", "rows_rejected", "rows_skipped", "rows_collapsed"),
    *("bytes_written", "values_cut", "values_mismatched"),
)


class JobCollectionQuerySet(models.QuerySet["JobCollection"]):
    def with_counters(self) -> Self:
        """Annotate each collection with the sums over its slices (``rows_read``, ``rows_written``, ...,
        ``rows_in_flight``) and with ``slices_total``, ``slices_running`` and ``slices_done``."""
        sums = {name: Coalesce(models.Sum(f"slices__{name}"), 0) for name in (*COUNTERS, "rows_in_flight")}
        counts = {
            f"slices_{name}": models.Count("slices", filter=models.Q(slices__state=state))
            for name, state in (("running", SliceState.RUNNING), ("done", SliceState.DONE))
        }
        return self.annotate(slices_total=models.Count("slices"), **sums, **counts)


class JobCollection(models.Model):
    """One collection of a job. ``plan`` is its completed plan; the mapping is compiled from it alone.

    Row counts (None means not counted): ``rows_source`` and ``rows_source_after`` are the rows in the source
    before and after the move. ``count_before`` are the rows that an existing target collection contained
    before the job, ``rows_target`` the rows in the target after it. If ``limit_rows`` is set, only the first
    ``limit_rows`` rows of the source are moved. ``verified`` is None if the result is not known; ``checks``
    contains the reasons.
    """

    job = models.ForeignKey(Job, models.CASCADE, related_name="collections")
    position = models.PositiveIntegerField()
    source = models.CharField(max_length=1000)
    target = models.CharField(max_length=255, blank=True, default="")
    plan = models.JSONField()
    target_state = models.CharField(max_length=20, choices=TargetState.choices, default=TargetState.NONE)
    # What the server gives only to this collection, from when the job created it or began to add rows.
    target_identity = models.CharField(max_length=500, blank=True, default="")
    # The key is left unchanged, and the source declares it unique.
    key_unique = models.BooleanField(default=False)
    # The slices must be moved one after another (with Auto ID, and if only the first rows are wanted).
    one_slice_at_a_time = models.BooleanField(default=False)

    limit_rows = models.PositiveBigIntegerField(null=True, blank=True)
    rows_source = models.PositiveBigIntegerField(null=True, blank=True)
    # False if one of the two counts of the source is an estimate or may lag behind writes.
    rows_source_exact = models.BooleanField(default=True)
    rows_source_after = models.PositiveBigIntegerField(null=True, blank=True)
    count_before = models.PositiveBigIntegerField(null=True, blank=True, default=0)
    # Rows minus distinct keys in the source, before and after, if it does not declare the key unique.
    duplicate_keys = models.PositiveBigIntegerField(null=True, blank=True)
    duplicate_keys_after = models.PositiveBigIntegerField(null=True, blank=True)
    rows_target = models.PositiveBigIntegerField(null=True, blank=True)
    verified = models.BooleanField(null=True, blank=True)
    checks = models.JSONField(default=list, blank=True)

    objects = JobCollectionQuerySet.as_manager()

    class Meta:
        ordering = ("job", "position")
        constraints = (models.UniqueConstraint(fields=("job", "position"), name="one_collection_a_position"),)

    def __str__(self) -> str:
        return self.source

    @property
    def completed(self) -> CollectionPlan:
        """``plan`` as the engine's model. It is parsed again only after ``plan`` was replaced."""
        parsed = self.__dict__.get("_completed")
        if parsed is None or parsed[0] is not self.plan:
            parsed = self.__dict__["_completed"] = (self.plan, CollectionPlan.model_validate(self.plan))
        return parsed[1]

    @property
    def is_created(self) -> bool:
        """True if this job created the collection and, as far as is known, it still exists."""
        return self.target_state == TargetState.CREATED

    def step(self, kind: StepKind) -> JobStep:
        """Return the step of this kind. It is created, waiting, if the collection has none yet."""
        step: JobStep = self.steps.get_or_create(kind=kind, defaults={"job_id": self.job_id})[0]
        return step

    def position_of(self, kind: StepKind) -> dict[str, Any]:
        """Return the stored position of the step of this kind; empty if there is none."""
        position: dict[str, Any] | None = (
            self.steps.filter(kind=kind).values_list("position", flat=True).first()
        )
        return position or {}
