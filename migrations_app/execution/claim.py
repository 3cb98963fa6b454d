"""Which slice a worker takes next."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from migrations_app import services
from migrations_app.engine.errors import UncleanStop
from migrations_app.execution import lease
from migrations_app.models import Installation, Job, JobCollection, JobSlice, LogEntry, SliceState
from migrations_app.models.status import Stage, Status

TRIED_AT_ONCE = 5
WAITS = "Waiting for the target: it takes one writer at a time, and {other} is writing to it."


def claim(job: Job, how: lease.Terms) -> JobSlice | None:
    """Take the lease of a slice that waits, or whose worker is gone. None where there is none to take.

    The job is locked meanwhile: none is taken of one that is being ended. A slice that writes into a
    collection with Auto ID is unclean from here until it is let go in order.
    """
    with transaction.atomic():
        locked = Job.objects.select_for_update().get(pk=job.pk)
        if locked.status != Status.IN_PROGRESS or locked.error_code or not has_turn(locked):
            return None
        due = claimable(locked)
        if due.filter(unclean=True).exists():
            return None
        for found in due[:TRIED_AT_ONCE]:
            if lease.take(found, how, **_on_claim(found)):
                found.rejected.filter(is_beyond=True).delete()
                return found
    return None


def _on_claim(found: JobSlice) -> dict[str, Any]:
    counted = {column: getattr(found, column) - count for column, count in found.beyond.items()}
    return counted | {
        "beyond": {},
        "state": SliceState.RUNNING,
        "rows_in_flight": 0,
        "unclean": found.collection.completed.is_auto_id,
        # Whoever held it went without a word: rows after his last checkpoint are sent again.
        "repeated": found.repeated or found.state == SliceState.RUNNING,
    }


def claimable(job: Job) -> Any:
    """The slices that a worker could take now, in their order."""
    siblings = JobSlice.objects.filter(collection=OuterRef("collection"), number__lt=OuterRef("number"))
    earlier = siblings.exclude(state=SliceState.DONE)
    found = JobSlice.objects.filter(collection__job=job).exclude(state=SliceState.DONE).due()
    in_turn = JobCollection.objects.filter(pk=OuterRef("collection"), one_slice_at_a_time=True)
    blocked = Exists(in_turn) & Exists(earlier)
    return found.exclude(blocked).select_related("collection").order_by("collection__position", "number")


def say_why_not(job: Job) -> None:
    """Why nothing could be claimed: fail the job where that stays so, tell what it waits for otherwise."""
    job.refresh_from_db()
    if job.status != Status.IN_PROGRESS or job.error_code:
        return
    stopped = claimable(job).filter(unclean=True).first()
    if stopped is not None:
        error = _unclean_stop(stopped)
        if services.job_note_failure(job=job, error=error):
            _tell(job, LogEntry.Level.ERROR, error.message)
    elif job.single_writer and (writer := writers(job).exclude(collection__job=job).first()):
        sentence = WAITS.format(other=writer.collection.job.public_id)
        last = job.log.order_by("-pk").first()
        if last is None or last.message != sentence:
            _tell(job, LogEntry.Level.INFO, sentence)


def _tell(job: Job, level: LogEntry.Level, sentence: str) -> None:
    LogEntry.objects.create(job=job, at=timezone.now(), level=level, message=sentence)


def _unclean_stop(stopped: JobSlice) -> UncleanStop:
    row = stopped.collection
    return UncleanStop(
        f"The worker that wrote into “{row.target}” went away, and whether its last requests arrived is not "
        f"known. {stopped.rows_written:,} rows were acknowledged.",
    )


def has_turn(job: Job) -> bool:
    """Whether no other job writes to a target that takes one writer at a time. Asked in a transaction."""
    if not job.single_writer:
        return True
    # Two jobs that look at once would each find the other idle.
    Installation.objects.select_for_update().first()
    return not writers(job).exists()


def writers(job: Job) -> Any:
    """The slices that are being written to the target of ``job``."""
    found = JobSlice.objects.filter(
        collection__job__target_key=job.target_key, collection__job__single_writer=True
    )
    return found.leased().select_related("collection__job")


def waiting_for_target(job: Job) -> Any:
    """The jobs that may have waited for ``job`` to let go of its target."""
    if not job.single_writer:
        return Job.objects.none()
    others = Job.objects.filter(target_key=job.target_key, single_writer=True, stage=Stage.MOVING)
    return others.filter(status=Status.IN_PROGRESS).exclude(pk=job.pk)
