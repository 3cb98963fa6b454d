"""What workers do to the state of a job: it starts, enters a stage, fails, ends."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Min, Q
from django.utils import timezone

from migrations_app import queue
from migrations_app.engine.errors import FerryError, LeaseLost, VerifyMismatch
from migrations_app.models import Installation, Job, JobSlice, LogEntry, SliceState, TargetState
from migrations_app.models.status import RUNNING, Stage, Status
from migrations_app.services.transitions import move


def job_start(*, job: Job) -> bool:
    """Pending → In Progress, as long as fewer than ``VECTORFERRY_JOBS_AT_ONCE`` are. Whether it did."""
    with transaction.atomic():
        # Two starts at once would each count the other out.
        Installation.objects.select_for_update().first()
        if Job.objects.filter(status__in=RUNNING).count() >= settings.VECTORFERRY_JOBS_AT_ONCE:
            return False
        now = timezone.now()
        return move(
            job,
            Status.IN_PROGRESS,
            only_from=frozenset({Status.PENDING}),
            stage=Stage.PREPARING,
            started_at=now,
            stage_started_at=now,
        )


def wake_next_pending() -> None:
    """Have the job that waits longest prepared: another one made room."""
    job = Job.objects.filter(status=Status.PENDING, inline=False).order_by("created_at", "pk").first()
    if job is not None:
        queue.wake(job, queue.Task.PREPARE)


def job_enter_stage(*, job: Job, stage: Stage) -> None:
    """Close the books of the stage that is over, and begin ``stage``. Nothing where it is in it already.

    Raises ``LeaseLost`` where another worker took the job's lease meanwhile.
    """
    if job.stage == stage:
        return
    now = timezone.now()
    held = Job.objects.filter(pk=job.pk, fence=job.fence)
    if not held.update(stage=stage, stage_started_at=now, seconds=_seconds(job, now)):
        raise LeaseLost("Another worker took this task over.")
    job.refresh_from_db()


def _seconds(job: Job, now: datetime) -> dict[str, Any]:
    """What each stage took so far, the current one up to ``now``."""
    seconds = dict(job.seconds)
    if job.stage == Stage.MOVING:
        span = JobSlice.objects.filter(collection__job=job).aggregate(
            first=Min("first_read_at"), last=Max("last_ack_at")
        )
        if span["first"] and span["last"]:
            seconds[job.stage] = round((span["last"] - span["first"]).total_seconds(), 3)
    elif job.stage and job.stage_started_at:
        spent = (now - job.stage_started_at).total_seconds()
        seconds[job.stage] = round(seconds.get(job.stage, 0) + spent, 3)
    return seconds


def job_note_failure(*, job: Job, error: FerryError, refused: bool = False) -> bool:
    """Note on a running job that it fails, and why; the first failure counts. It stops from now on.

    ``refused``: it was found in preparation, before anything was written.
    """
    found = Job.objects.filter(pk=job.pk, status=Status.IN_PROGRESS, error_code="")
    noted = found.update(
        error_code=error.code, error_message=error.message, error_hint=error.hint, refused=refused
    )
    job.refresh_from_db()
    return noted == 1


def job_settle(*, job: Job) -> bool:
    """Stopping → Failed or Canceled, once no lease of it is alive and nothing is left to be undone.

    Whether it ended now. Both, the look at the leases and the move, see one state of the job: who takes a
    lease locks the job, too.
    """
    with transaction.atomic():
        locked = Job.objects.select_for_update().get(pk=job.pk)
        if not locked.is_stopping or job_is_held(job=locked) or _is_to_undo(locked):
            return False
        stopped = JobSlice.objects.filter(collection__job=locked).exclude(state=SliceState.DONE)
        # A worker that fell silent and comes back finds its lease gone.
        stopped.update(
            state=SliceState.WAITING,
            lease_until=None,
            lease_owner="",
            fence=F("fence") + 1,
        )
        to = Status.CANCELED if locked.status == Status.CANCELING else Status.FAILED
        _end(locked, to)
        _say_end(locked)
    job.refresh_from_db()
    wake_next_pending()
    return True


def job_is_moved(*, job: Job) -> bool:
    """Whether every slice is through."""
    is_cut = not job.collections.filter(is_sliced=False).exists()
    return is_cut and not JobSlice.objects.filter(collection__job=job).exclude(state=SliceState.DONE).exists()


def job_is_held(*, job: Job) -> bool:
    """Whether anyone works on the job, or may still be working."""
    return (
        Job.objects.filter(pk=job.pk).leased().exists()
        or JobSlice.objects.filter(collection__job=job).leased().exists()
    )


def to_drop(job: Job) -> Any:
    """The collections that a canceled job is to drop yet."""
    made = (TargetState.CREATING, TargetState.CREATED)
    asked = job.status == Status.CANCELING and job.drop_requested
    return job.collections.filter(target_state__in=made) if asked else job.collections.none()


def half_counted(job: Job) -> Any:
    """The collections that a count may have indexed or loaded for the moment, and did not put back yet."""
    at_the_end = Q(finish__count__is_prepared=True, finish__count__is_done=False)
    before = Q(finish__before__is_prepared=True, finish__before__is_done=False)
    return job.collections.filter(before | at_the_end)


def _is_to_undo(job: Job) -> bool:
    return bool(to_drop(job).exists() or half_counted(job).exists())


def _end(job: Job, to: Status) -> bool:
    now = timezone.now()
    return move(job, to, ended_at=now, seconds=_seconds(job, now))


def _say_end(job: Job) -> None:
    level = LogEntry.Level.ERROR if job.status == Status.FAILED else LogEntry.Level.INFO
    sentence = f"{Status(job.status).label}: {_written(job)}"
    LogEntry.objects.create(job=job, at=timezone.now(), level=level, message=sentence)


def _written(job: Job) -> str:
    """What the job leaves in the target, as far as it is known."""
    rows = sum(c.rows_written for c in job.collections.with_counters())
    # Of rows with equal keys one stays; and what the count at the end did not find is not there.
    is_less = (
        job.error_code == VerifyMismatch.default_code or job.collections.filter(key_unique=False).exists()
    )
    written = f"{rows:,} rows were {'sent' if is_less else 'written'}" if rows else "nothing was written"
    if job.collections.filter(target_state=TargetState.DROPPED).exists():
        return f"{written}; the collections it created were dropped."
    if JobSlice.objects.filter(collection__job=job).in_doubt().exists():
        written = written if rows else "nothing is known to be written"
        return f"{written}. Some of what was sent last, and not answered, may be there as well."
    if not rows or job.status == Status.SUCCESSFUL:
        return f"{written}."
    return f"{written}; what of them is in the target stays." if is_less else f"{written} and stay."


def job_succeed(*, job: Job) -> bool:
    """In Progress → Successful. False where it was canceled or failed meanwhile."""
    with transaction.atomic():
        locked = Job.objects.select_for_update().get(pk=job.pk)
        if locked.is_stopping or not _end(locked, Status.SUCCESSFUL):
            return False
        _say_end(locked)
    job.refresh_from_db()
    wake_next_pending()
    return True
