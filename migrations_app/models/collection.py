"""JobCollection: one collection of a job, and what is known of it in the target."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models.functions import Coalesce

from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.models.job import Job
from migrations_app.models.status import SliceState, TargetState

# The columns of a slice that count.
COUNTERS = (
    *("rows_read", "rows_written", "rows_rejected", "rows_skipped", "rows_collapsed"),
    *("bytes_written", "values_cut"),
)


class ActionState(models.TextChoices):
    """What is to be done with the index or the load state of a collection, and how far it is."""

    NONE = "", "not asked"
    ASKED = "asked", "asked"
    RUNNING = "running", "running"
    DONE = "done", "done"
    FAILED = "failed", "failed"


class JobCollectionQuerySet(models.QuerySet["JobCollection"]):
    def with_counters(self) -> Self:
        """Each with the sums over its slices (``rows_read``, ``rows_written``, ..., ``rows_in_flight``) and
        their number: ``slices_total``, ``slices_running``, ``slices_done``."""
        sums = {name: Coalesce(models.Sum(f"slices__{name}"), 0) for name in (*COUNTERS, "rows_in_flight")}
        counts = {
            f"slices_{name}": models.Count("slices", filter=models.Q(slices__state=state))
            for name, state in (("running", SliceState.RUNNING), ("done", SliceState.DONE))
        }
        return self.annotate(slices_total=models.Count("slices"), **sums, **counts)


class JobCollection(models.Model):
    """One collection of a job. ``plan`` is the completed plan of it, which alone makes its mapping.

    Counted are: ``rows_source`` before and ``rows_source_after`` the move in the source, ``count_before`` in
    a target collection that was there, ``rows_target`` after (None: not counted). ``limit_rows``: only the
    first so many of the source are moved. ``verified`` is None where it is not known, and ``checks`` say why.
    """

    job = models.ForeignKey(Job, models.CASCADE, related_name="collections")
    position = models.PositiveIntegerField()
    source = models.CharField(max_length=1000)
    target = models.CharField(max_length=255, blank=True, default="")
    plan = models.JSONField()
    target_state = models.CharField(max_length=20, choices=TargetState.choices, default=TargetState.NONE)
    # Is the key kept as it is, and does the source declare it unique?
    key_unique = models.BooleanField(default=False)
    # May its slices be moved one after another only (Auto ID, and where only the first rows are wanted)?
    one_slice_at_a_time = models.BooleanField(default=False)
    # Has preflight completed its plan, and are its slices stored?
    is_prepared = models.BooleanField(default=False)
    is_sliced = models.BooleanField(default=False)

    limit_rows = models.PositiveBigIntegerField(null=True, blank=True)
    rows_source = models.PositiveBigIntegerField(null=True, blank=True)
    rows_source_after = models.PositiveBigIntegerField(null=True, blank=True)
    count_before = models.PositiveBigIntegerField(null=True, blank=True, default=0)
    # Rows minus different keys in the source, before and after, where it does not declare the key unique.
    duplicate_keys = models.PositiveBigIntegerField(null=True, blank=True)
    duplicate_keys_after = models.PositiveBigIntegerField(null=True, blank=True)
    rows_target = models.PositiveBigIntegerField(null=True, blank=True)
    verified = models.BooleanField(null=True, blank=True)
    checks = models.JSONField(default=list, blank=True)
    # Where finishing stands: steps taken, and what a check found and has to restore.
    finish = models.JSONField(default=dict, blank=True)

    index_action_state = models.CharField(
        max_length=10, choices=ActionState.choices, blank=True, default=ActionState.NONE
    )
    index_percent = models.PositiveSmallIntegerField(default=0)
    index_error = models.TextField(blank=True, default="")
    # What is wished of the load state: "load" or "release".
    load_action = models.CharField(max_length=10, blank=True, default="")
    load_action_state = models.CharField(
        max_length=10, choices=ActionState.choices, blank=True, default=ActionState.NONE
    )
    load_percent = models.PositiveSmallIntegerField(default=0)
    load_error = models.TextField(blank=True, default="")

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
        """Whether this job made the collection, and it is still there as far as is known."""
        return self.target_state == TargetState.CREATED
