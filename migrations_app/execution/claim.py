"""Claim: selects the next slice for a worker and takes its lease."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from migrations_app import services
from migrations_app.engine.errors import UncleanStop
from migrations_app.engine.sources.registry import source_class
from migrations_app.execution import lease
from migrations_app.models import Installation, Job, JobCollection, JobSlice, LogEntry, SliceState, StepKind
from migrations_app.models.status import Stage, Status

MAX_CANDIDATES = 5
WAITING = "Waiting for the target: it accepts one writer at a time, and {other} is writing to it."


def claim(job: Job, terms: lease.Terms) -> JobSlice | None:
    """Take the lease of a slice that is waiting, or whose worker is gone. None if there is none to take.

    The job is locked meanwhile, so that no slice is claimed from a job that is being ended. A slice that
    writes into a collection with Auto ID is marked unclean until it is released normally.
    """
    with transaction.atomic():
        locked = Job.objects.select_for_update().get(pk=job.pk)
        if locked.status != Status.IN_PROGRESS or locked.error_code:
            return None
        if room(locked) == 0 or not has_turn(locked):
            return None
        due = claimable(locked)
        if due.filter(unclean=True).exists():
            return None
        for candidate in due[:MAX_CANDIDATES]:
            if lease.take(candidate, terms, **_changes_on_claim(candidate)):
                candidate.rejected.filter(is_beyond=True).delete()
                return candidate
    return None


def _changes_on_claim(candidate: JobSlice) -> dict[str, Any]:
    """Set the counters back to the checkpoint, and mark the slice as running."""
    counters = {column: getattr(candidate, column) - count for column, count in candidate.beyond.items()}
    return counters | {
        "beyond": {},
        "state": SliceState.RUNNING,
        "rows_in_flight": 0,
        "unclean": candidate.collection.completed.is_auto_id,
        # A slice that is still RUNNING lost its worker: rows after the checkpoint are sent again.
        "repeated": candidate.repeated or candidate.state == SliceState.RUNNING,
    }


def most_at_once(job: Job) -> int | None:
    """How many slices of the job may be moved at the same time, as far as its source and its target say."""
    return 1 if job.single_writer else source_class(job.kind).most_readers


def room(job: Job) -> int | None:
    """How many more slices of the job may be moved now than those that are running. None: any number."""
    most = most_at_once(job)
    return None if most is None else max(0, most - running(job).count())


def running(job: Job) -> Any:
    """The slices of the job that workers are moving."""
    return JobSlice.objects.filter(collection__job=job).leased()


def claimable(job: Job) -> Any:
    """The slices that a worker can take now, in order: of collections of which all slices are stored."""
    planned = job.steps.done(StepKind.PLAN_SLICES).values("collection")
    siblings = JobSlice.objects.filter(collection=OuterRef("collection"), number__lt=OuterRef("number"))
    earlier = siblings.exclude(state=SliceState.DONE)
    due = JobSlice.objects.filter(collection__in=planned).exclude(state=SliceState.DONE).due()
    in_turn = JobCollection.objects.filter(pk=OuterRef("collection"), one_slice_at_a_time=True)
    blocked = Exists(in_turn) & Exists(earlier)
    return due.exclude(blocked).select_related("collection").order_by("collection__position", "number")


def report_nothing_claimed(job: Job) -> None:
    """Fail the job if no slice can ever be claimed, otherwise log what the job is waiting for."""
    job.refresh_from_db()
    if job.status != Status.IN_PROGRESS or job.error_code:
        return
    stopped = claimable(job).filter(unclean=True).first()
    if stopped is not None:
        error = _unclean_stop(stopped)
        if services.job_note_failure(job=job, error=error):
            _log(job, LogEntry.Level.ERROR, error.message)
    elif job.single_writer and (writer := writers(job).exclude(collection__job=job).first()):
        message = WAITING.format(other=writer.collection.job.public_id)
        last = job.log.order_by("-pk").first()
        if last is None or last.message != message:
            _log(job, LogEntry.Level.INFO, message)


def _log(job: Job, level: LogEntry.Level, message: str) -> None:
    LogEntry.objects.create(job=job, at=timezone.now(), level=level, message=message)


def _unclean_stop(stopped: JobSlice) -> UncleanStop:
    row = stopped.collection
    return UncleanStop(
        f"The worker that wrote into “{row.target}” stopped, and it is not known whether its last requests "
        f"arrived. Rows acknowledged: {stopped.rows_written:,}.",
    )


def has_turn(job: Job) -> bool:
    """True if the job may write to its target now. Some targets accept one writer at a time.

    Call it in a transaction.
    """
    if not job.single_writer:
        return True
    # Without this lock, two jobs that check at the same time would both start.
    Installation.objects.select_for_update().first()
    return not writers(job).exists()


def writers(job: Job) -> Any:
    """The slices that workers are writing to the target of ``job``, if it accepts one writer at a time."""
    slices = JobSlice.objects.filter(
        collection__job__target_key=job.target_key, collection__job__single_writer=True
    )
    return slices.leased().select_related("collection__job")


def waiting_for_target(job: Job) -> Any:
    """The jobs that may have been waiting until ``job`` releases its target."""
    if not job.single_writer:
        return Job.objects.none()
    others = Job.objects.filter(target_key=job.target_key, single_writer=True, stage=Stage.MOVING)
    return others.filter(status=Status.IN_PROGRESS).exclude(pk=job.pk)
