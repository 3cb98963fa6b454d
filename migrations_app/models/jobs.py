"""A job, its collections and their slices."""

from __future__ import annotations

import secrets
import string
from typing import Any, Self

from django.contrib.auth.models import User
from django.db import models
from django.db.models.functions import Coalesce, Now

from migrations_app.engine.model.batch import Slice
from migrations_app.engine.model.plan import AUTO
from migrations_app.fields import EncryptedJSONField
from migrations_app.models.connections import Connection
from migrations_app.states import ENDED, RUNNING, Stage, Status

ALPHABET = string.ascii_letters + string.digits
COUNTERS = (
    *("rows_read", "rows_written", "rows_rejected", "rows_skipped", "rows_collapsed"),
    *("bytes_written", "values_cut"),
)


def new_public_id() -> str:
    """``job-`` and 22 letters and digits: the form Zilliz Cloud gives its jobs."""
    return "job-" + "".join(secrets.choice(ALPHABET) for _ in range(22))


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


class Job(Leased):
    """One run of a plan. ``plan`` is frozen, as it was written; ``secrets`` are the settings typed into it.

    An error on a job that is In Progress means it is stopping; Failed follows when the last slice is let go.
    ``refused`` tells a failure in preparation, before anything was written. ``seconds`` holds what each
    stage took. The lease is that of its control tasks (prepare, finish).
    """

    public_id = models.CharField(max_length=26, unique=True, default=new_public_id, editable=False)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PENDING)
    stage = models.CharField(max_length=20, choices=Stage.choices, blank=True, default=Stage.WAITING)
    description = models.CharField(max_length=500, blank=True, default="")
    kind = models.CharField(max_length=40)
    target_kind = models.CharField(max_length=40, default="milvus")
    source_connection = models.ForeignKey(
        Connection, models.SET_NULL, null=True, blank=True, related_name="source_jobs"
    )
    target_connection = models.ForeignKey(
        Connection, models.SET_NULL, null=True, blank=True, related_name="target_jobs"
    )
    source_name = models.CharField(max_length=500, blank=True, default="")
    target_name = models.CharField(max_length=500, blank=True, default="")
    database = models.CharField(max_length=255, default="default")
    plan = models.JSONField()
    secrets = EncryptedJSONField(default=dict)

    error_code = models.CharField(max_length=60, blank=True, default="")
    error_message = models.TextField(blank=True, default="")
    error_hint = models.TextField(blank=True, default="")
    refused = models.BooleanField(default=False)
    drop_requested = models.BooleanField(default=False)
    # Run by a command in its own process: the sweep wakes no worker for it.
    inline = models.BooleanField(default=False)
    # Takes the target one writer at a time, and which target is that?
    single_writer = models.BooleanField(default=False)
    target_key = models.CharField(max_length=500, blank=True, default="", db_index=True)

    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="jobs")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    stage_started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    seconds = models.JSONField(default=dict, blank=True)

    objects = LeasedQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = (models.Index(fields=("status", "created_at"), name="jobs_by_status"),)

    def __str__(self) -> str:
        return self.public_id

    @property
    def is_ended(self) -> bool:
        return self.status in ENDED

    @property
    def is_live(self) -> bool:
        return not self.is_ended

    @property
    def is_running(self) -> bool:
        return self.status in RUNNING

    @property
    def is_stopping(self) -> bool:
        """Whether its slices are to stop: it is being canceled, or a failure is noted."""
        return self.status == Status.CANCELING or (
            self.status == Status.IN_PROGRESS and bool(self.error_code)
        )

    @property
    def can_cancel(self) -> bool:
        return self.status in (Status.PENDING, Status.IN_PROGRESS)

    @property
    def can_use_target(self) -> bool:
        """Whether its collections may be indexed, loaded and released by hand."""
        return self.status == Status.SUCCESSFUL

    @property
    def error(self) -> dict[str, str] | None:
        if not self.error_code:
            return None
        return {"code": self.error_code, "message": self.error_message, "hint": self.error_hint}


class TargetState(models.TextChoices):
    """What is known of a collection in the target. Stored before and after the call that makes it."""

    NONE = "none", "not created"
    CREATING = "creating", "being created"
    CREATED = "created", "created by this job"
    EXISTING = "existing", "was there before"
    DROPPED = "dropped", "created by this job and dropped again"


class Wish(models.TextChoices):
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

    index_wish = models.CharField(max_length=10, choices=Wish.choices, blank=True, default=Wish.NONE)
    index_percent = models.PositiveSmallIntegerField(default=0)
    index_error = models.TextField(blank=True, default="")
    # What is wished of the load state: "load" or "release".
    load_action = models.CharField(max_length=10, blank=True, default="")
    load_wish = models.CharField(max_length=10, choices=Wish.choices, blank=True, default=Wish.NONE)
    load_percent = models.PositiveSmallIntegerField(default=0)
    load_error = models.TextField(blank=True, default="")

    objects = JobCollectionQuerySet.as_manager()

    class Meta:
        ordering = ("job", "position")
        constraints = (models.UniqueConstraint(fields=("job", "position"), name="one_collection_a_position"),)

    def __str__(self) -> str:
        return self.source

    @property
    def is_auto_id(self) -> bool:
        return bool(self.plan.get("key") == AUTO)

    @property
    def is_created(self) -> bool:
        """Whether this job made the collection, and it is still there as far as is known."""
        return self.target_state == TargetState.CREATED


class SliceState(models.TextChoices):
    WAITING = "waiting", "waiting"
    RUNNING = "running", "running"
    DONE = "done", "done"


class JobSliceQuerySet(LeasedQuerySet):
    def in_doubt(self) -> Self:
        """Those that stand still, and nobody knows of some rows whether they are in the target."""
        return self.free().exclude(state=SliceState.DONE).filter(rows_in_flight__gt=0)


class JobSlice(Leased):
    """An independent part of a collection, as the source gave it, and how far it is.

    ``cursor`` is that of its checkpoint; so are the counters, but for ``beyond``: what of them, by column,
    came after it in a run that broke off. ``rows_in_flight`` of a slice that stands still: nobody knows
    whether they arrived. ``unclean`` says that requests may have landed that are not counted; ``repeated``
    that a key was sent twice.
    """

    collection = models.ForeignKey(JobCollection, models.CASCADE, related_name="slices")
    number = models.PositiveIntegerField()
    part_id = models.CharField(max_length=500)
    bounds = models.JSONField(null=True, blank=True)
    partition = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 (None: no partition)
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
        """As the source gave it."""
        return Slice(self.part_id, self.bounds, self.rows_estimate, self.partition, self.resumable)
