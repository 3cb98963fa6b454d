"""Job lifecycle: the functions with which workers start a job, change its stage, and end it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Min, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from migrations_app import queue
from migrations_app.engine.errors import FerryError, LeaseLost, VerifyMismatch
from migrations_app.engine.log import counted
from migrations_app.models import (
    Installation,
    Job,
    JobSlice,
    LogEntry,
    SliceState,
    StepKind,
    StepState,
    TargetState,
)
from migrations_app.models.job import MOVING_BEFORE
from migrations_app.models.status import RUNNING, Stage, Status
from migrations_app.services.transitions import move

# States of collections that a job may have created.
CREATED = (TargetState.CREATING, TargetState.CREATED)


def job_start(*, job: Job) -> bool:
    """Pending → In Progress, if fewer than ``VECTORFERRY_JOBS_AT_ONCE`` jobs run. True if the job started."""
    with transaction.atomic():
        # Without this lock two jobs could start at the same time and exceed the limit.
        Installation.objects.select_for_update().first()
        if Job.objects.filter(status__in=RUNNING).count() >= settings.VECTORFERRY_JOBS_AT_ONCE:
            return False
        now = timezone.now()
        return move(
            job,
            Status.IN_PROGRESS,
            only_from=frozenset({Status.PENDING}),
            stage=Stage.PREPARING,
            started_at=Coalesce("started_at", Value(now)),
            stage_started_at=now,
        )


def wake_next_pending() -> None:
    """Wake a worker for the job that has waited longest, after another job ended."""
    job = Job.objects.filter(status=Status.PENDING, inline=False).order_by("created_at", "pk").first()
    if job is not None:
        queue.wake(job, queue.Task.PREPARE)


def job_enter_stage(*, job: Job, stage: Stage) -> None:
    """Store the duration of the current stage and enter ``stage``, unless the job is already in it.

    Raises ``LeaseLost`` if another worker took the job's lease in the meantime.
    """
    if job.stage == stage:
        return
    now = timezone.now()
    held = Job.objects.filter(pk=job.pk, fence=job.fence)
    if not held.update(stage=stage, stage_started_at=now, seconds=_seconds(job, now)):
        raise LeaseLost("Another worker took over this task.")
    job.refresh_from_db()


def _seconds(job: Job, now: datetime) -> dict[str, Any]:
    """Return the duration of each stage so far; the current stage counts up to ``now``."""
    seconds = dict(job.seconds)
    if job.stage == Stage.MOVING:
        slices = JobSlice.objects.filter(collection__job=job)
        if job.resumed_at:
            slices = slices.filter(first_read_at__gte=job.resumed_at)
        span = slices.aggregate(first=Min("first_read_at"), last=Max("last_ack_at"))
        moved = seconds.get(MOVING_BEFORE, 0)
        if span["first"] and span["last"]:
            moved += (span["last"] - span["first"]).total_seconds()
        if moved:
            seconds[job.stage] = round(moved, 3)
    elif job.stage and job.stage_started_at:
        spent = (now - job.stage_started_at).total_seconds()
        seconds[job.stage] = round(seconds.get(job.stage, 0) + spent, 3)
    return seconds


def job_note_failure(*, job: Job, error: FerryError, refused: bool = False) -> bool:
    """Store the error of a running job, which then stops. False if the job already had an error.

    ``refused`` means that the job failed in the prepare stage, before anything was written.
    """
    running = Job.objects.filter(pk=job.pk, status=Status.IN_PROGRESS, error_code="")
    noted = running.update(
        error_code=error.code, error_message=error.message, error_hint=error.hint, refused=refused
    )
    job.refresh_from_db()
    return noted == 1


def job_settle(*, job: Job) -> bool:
    """Stopping → Failed or Canceled, if no worker holds a lease and no cleanup is left. True if it ended.

    The lock on the job covers both steps, checking the leases and changing the status: a worker that claims a
    slice locks the job as well.
    """
    with transaction.atomic():
        locked = Job.objects.select_for_update().get(pk=job.pk)
        if not locked.is_stopping or job_is_held(job=locked) or needs_cleanup(locked):
            return False
        stopped = JobSlice.objects.filter(collection__job=locked).exclude(state=SliceState.DONE)
        # A worker that stopped responding and comes back must find that it lost its lease.
        stopped.update(
            state=SliceState.WAITING,
            lease_until=None,
            lease_owner="",
            fence=F("fence") + 1,
        )
        locked.steps.filter(state=StepState.RUNNING).update(state=StepState.WAITING)
        status = Status.CANCELED if locked.status == Status.CANCELING else Status.FAILED
        _end(locked, status)
        _log_end(locked)
    job.refresh_from_db()
    wake_next_pending()
    return True


def job_is_planned(*, job: Job) -> bool:
    """True if all slices of every collection are stored."""
    planned = job.steps.done(StepKind.PLAN_SLICES).values("collection")
    return not job.collections.exclude(pk__in=planned).exists()


def job_is_moved(*, job: Job) -> bool:
    """True if every slice is done."""
    unfinished = JobSlice.objects.filter(collection__job=job).exclude(state=SliceState.DONE)
    return job_is_planned(job=job) and not unfinished.exists()


def job_is_held(*, job: Job) -> bool:
    """True if a worker works on the job, or may still be working on it."""
    return (
        Job.objects.filter(pk=job.pk).leased().exists()
        or JobSlice.objects.filter(collection__job=job).leased().exists()
    )


def to_drop(job: Job) -> Any:
    """The collections that a job in cancellation still has to drop."""
    is_requested = job.status == Status.CANCELING and job.drop_requested
    return job.collections.filter(target_state__in=CREATED) if is_requested else job.collections.none()


def needs_cleanup(job: Job) -> bool:
    """True if a stopping job has something to drop or to restore. A cleanup that failed is not repeated."""
    if job.steps.filter(kind=StepKind.CLEANUP, state=StepState.FAILED).exists():
        return False
    return bool(to_drop(job).exists() or job.steps.unfinished_counts().exists())


def _end(job: Job, status: Status) -> bool:
    now = timezone.now()
    return move(job, status, ended_at=now, seconds=_seconds(job, now))


def _log_end(job: Job) -> None:
    level = LogEntry.Level.ERROR if job.status == Status.FAILED else LogEntry.Level.INFO
    sentence = f"{Status(job.status).label}: {_written(job)}"
    LogEntry.objects.create(job=job, at=timezone.now(), level=level, message=sentence)


def _written(job: Job) -> str:
    """Describe the rows that the job left in the target, as far as is known."""
    rows = sum(c.rows_written for c in job.collections.with_counters())
    # Fewer rows than were sent may be in the target: rows with equal keys replace each other, or the final
    # count found fewer.
    may_be_less = (
        job.error_code == VerifyMismatch.default_code or job.collections.filter(key_unique=False).exists()
    )
    verb = f"{'was' if rows == 1 else 'were'} {'sent' if may_be_less else 'written'}"
    written = f"{counted(rows, 'row')} {verb}" if rows else "nothing was written"
    if job.collections.filter(target_state=TargetState.DROPPED).exists():
        return f"{written}; the collections it created were dropped."
    if job.status != Status.SUCCESSFUL and job.steps.planned_again().exists():
        written = written if rows else "no rows were written"
        return (
            f"{written} after the source was divided into slices again; rows from before may be in the "
            "target as well."
        )
    if JobSlice.objects.filter(collection__job=job).in_doubt().exists():
        written = written if rows else "no rows are known to be written"
        return f"{written}. Rows whose last requests were not answered may be in the target as well."
    if not rows or job.status == Status.SUCCESSFUL:
        return f"{written}."
    return f"{written}; those in the target stay." if may_be_less else f"{written}; they stay in the target."


def job_succeed(*, job: Job) -> bool:
    """In Progress → Successful. False if the job was canceled or failed in the meantime."""
    with transaction.atomic():
        locked = Job.objects.select_for_update().get(pk=job.pk)
        if locked.is_stopping or not _end(locked, Status.SUCCESSFUL):
            return False
        _log_end(locked)
    job.refresh_from_db()
    wake_next_pending()
    return True
