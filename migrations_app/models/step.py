"""JobStep: a step of a job other than moving rows, with its state and position."""

from __future__ import annotations

from typing import Any, Self

from django.db import models

from migrations_app.engine.errors import FerryError
from migrations_app.models.collection import JobCollection
from migrations_app.models.job import Job
from migrations_app.models.status import StepKind, StepState

OPEN = (StepState.WAITING, StepState.RUNNING)
# The steps that a plan, or a user on the page of a finished job, can request.
ACTIONS = (StepKind.INDEX, StepKind.LOAD, StepKind.RELEASE)
COUNTS = (StepKind.COUNT_BEFORE, StepKind.COUNT_AFTER)


class JobStepQuerySet(models.QuerySet["JobStep"]):
    def open(self) -> Self:
        return self.filter(state__in=OPEN)

    def done(self, kind: StepKind) -> Self:
        return self.filter(kind=kind, state=StepState.DONE)

    def open_actions(self) -> Self:
        return self.open().filter(kind__in=ACTIONS)

    def unfinished_counts(self) -> Self:
        """Counts that may have indexed or loaded a collection temporarily and have not restored it."""
        counts = self.filter(kind__in=COUNTS, position__is_prepared=True)
        return counts.exclude(state=StepState.DONE)

    def planned_again(self) -> Self:
        """Plannings of slices that were repeated after rows had been written."""
        return self.filter(kind=StepKind.PLAN_SLICES, position__has_written=True)

    def fail(self, error: FerryError) -> int:
        """Mark all these steps as failed. Return their number."""
        return self.update(
            state=StepState.FAILED,
            error_code=error.code,
            error_message=error.message,
            error_hint=error.hint,
        )


class JobStep(models.Model):
    """A step of a collection, or of the whole job (``collection`` is None).

    A step works for a limited time, stores its ``position`` (JSON of its own) and continues in any process.
    It has no lease of its own: whoever holds the lease of the job works on the steps of the job.
    ``error_*`` describe why the step failed.
    """

    job = models.ForeignKey(Job, models.CASCADE, related_name="steps")
    collection = models.ForeignKey(JobCollection, models.CASCADE, null=True, blank=True, related_name="steps")
    kind = models.CharField(max_length=20, choices=StepKind.choices)
    state = models.CharField(max_length=10, choices=StepState.choices, default=StepState.WAITING)
    position = models.JSONField(default=dict, blank=True)
    percent = models.PositiveSmallIntegerField(default=0)
    error_code = models.CharField(max_length=60, blank=True, default="")
    error_message = models.TextField(blank=True, default="")
    error_hint = models.TextField(blank=True, default="")

    objects = JobStepQuerySet.as_manager()

    class Meta:
        ordering = ("job", "pk")
        constraints = (
            models.UniqueConstraint(fields=("collection", "kind"), name="one_step_a_kind"),
            models.UniqueConstraint(
                fields=("job", "kind"), condition=models.Q(collection=None), name="one_step_a_kind_of_a_job"
            ),
        )
        indexes = (models.Index(fields=("state", "kind"), name="steps_by_state"),)

    def __str__(self) -> str:
        return f"{self.kind} of {self.collection_id or self.job_id}"

    @property
    def is_done(self) -> bool:
        return self.state == StepState.DONE

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def error(self) -> str:
        """The error and its hint as one text."""
        return f"{self.error_message} {self.error_hint}".strip()

    def store(self, state: StepState, **changes: Any) -> bool:
        """Store the state and ``changes``. False if the step was deleted: another action was requested."""
        changes["state"] = state
        for name, value in changes.items():
            setattr(self, name, value)
        return JobStep.objects.filter(pk=self.pk).update(**changes) == 1

    def begin(self) -> None:
        """Mark the step as running."""
        if self.state != StepState.RUNNING:
            self.store(StepState.RUNNING)
