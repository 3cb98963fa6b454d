"""Job: one run of a plan."""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING

from django.contrib.auth.models import User
from django.db import models

from migrations_app.engine.model.plan import Options
from migrations_app.models.connections import Connection
from migrations_app.models.encrypted_json import EncryptedJSONField
from migrations_app.models.leased import Leased, LeasedQuerySet
from migrations_app.models.status import ENDED, RUNNING, Stage, Status, StepKind

if TYPE_CHECKING:
    from migrations_app.models.step import JobStep

# In ``Job.seconds``: the time of moving rows before the job was resumed, and the time that it had ended.
MOVING_BEFORE, PAUSED = "moving_before", "paused"
ALPHABET = string.ascii_letters + string.digits


def new_public_id() -> str:
    """Return ``job-`` and 22 letters and digits: the format of job ids in Zilliz Cloud."""
    return "job-" + "".join(secrets.choice(ALPHABET) for _ in range(22))


class Job(Leased):
    """One run of a plan. ``plan`` is stored as it was written; a resume may raise its limits of rejected and
    skipped rows, nothing else changes. ``secrets`` are the endpoint settings that were written in it.

    A job that is In Progress and has an error is stopping: it becomes Failed when its last slice is released.
    ``refused`` means that the job failed in the prepare stage, before anything was written. ``seconds`` is
    the duration of each stage. The lease of the job is for its steps (all its tasks except moving rows).
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
    # The address that the connection had when the job was created; empty in jobs of earlier versions.
    source_address = models.CharField(max_length=500, blank=True, default="")
    target_name = models.CharField(max_length=500, blank=True, default="")
    database = models.CharField(max_length=255, default="default")
    plan = models.JSONField()
    secrets = EncryptedJSONField(default=dict)

    error_code = models.CharField(max_length=60, blank=True, default="")
    error_message = models.TextField(blank=True, default="")
    error_hint = models.TextField(blank=True, default="")
    refused = models.BooleanField(default=False)
    drop_requested = models.BooleanField(default=False)
    # A command runs the job in its own process: the scheduler wakes no worker for it.
    inline = models.BooleanField(default=False)
    # The target accepts one writer at a time; the key that identifies the target server.
    single_writer = models.BooleanField(default=False)
    target_key = models.CharField(max_length=500, blank=True, default="", db_index=True)

    # The token of the form that started the job: sending a form twice starts one job.
    once = models.CharField(max_length=100, null=True, blank=True, unique=True, editable=False)
    # Of a trial: ``target`` and ``if_exists`` of each collection in the full migration, by position.
    trial_targets = models.JSONField(default=list, blank=True)

    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="jobs")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    resumed_at = models.DateTimeField(null=True, blank=True)
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
    def options(self) -> Options:
        """The options of ``plan``. They are parsed again only after ``plan`` was replaced."""
        parsed = self.__dict__.get("_options")
        if parsed is None or parsed[0] is not self.plan:
            options = Options.model_validate(self.plan.get("options", {}))
            parsed = self.__dict__["_options"] = (self.plan, options)
        return parsed[1]

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
        """True if its slices must stop: the job is being canceled, or it has an error."""
        return self.status == Status.CANCELING or (
            self.status == Status.IN_PROGRESS and bool(self.error_code)
        )

    @property
    def can_cancel(self) -> bool:
        return self.status in (Status.PENDING, Status.IN_PROGRESS)

    @property
    def is_trial(self) -> bool:
        """True if the job moves only the first rows, into collections of its own."""
        return bool(self.trial_targets)

    @property
    def status_label(self) -> str:
        """The status in words; that of a trial says so."""
        label = str(Status(self.status).label)
        if not self.is_trial:
            return label
        return "Trial finished" if self.status == Status.SUCCESSFUL else f"Trial · {label}"

    @property
    def can_use_target(self) -> bool:
        """True if a user may index, load and release its collections."""
        return self.status == Status.SUCCESSFUL

    @property
    def error(self) -> dict[str, str] | None:
        if not self.error_code:
            return None
        return {"code": self.error_code, "message": self.error_message, "hint": self.error_hint}

    def step(self, kind: StepKind) -> JobStep:
        """Return the step of the whole job of this kind. It is created, waiting, if there is none yet."""
        step: JobStep = self.steps.get_or_create(kind=kind, collection=None)[0]
        return step
