"""The bridge between a claimed slice and the pipeline."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.db.models import Sum

from migrations_app import endpoints, queue, services
from migrations_app.engine.errors import FerryError, Interrupted, LeaseLost, TooManyRejected
from migrations_app.engine.mapping import ServerChecks, compile_mapping
from migrations_app.engine.pipeline.pipeline import Policy, SliceEnd, SliceWork, run_slice
from migrations_app.engine.pipeline.retry import RetryPolicy
from migrations_app.engine.pipeline.throttle import Throttle
from migrations_app.engine.sources.base import ReadContext
from migrations_app.engine.stop_token import Deadline, StopToken
from migrations_app.execution import lease
from migrations_app.execution.heartbeat import Heartbeat
from migrations_app.execution.task_runner import CLOCK_SLACK_SECONDS, explain
from migrations_app.models import Job, JobSlice, SliceState
from migrations_app.reporting.run_log import RunLog
from migrations_app.stages import count
from migrations_app.stages.checkpoint_store import TAKEN_OVER, CheckpointStore

MIB = 1024 * 1024
RETRY = RetryPolicy()


def run(job: Job, claimed: JobSlice, how: lease.Terms, held_since: float) -> None:
    """Move rows of ``claimed`` until it is through, its time is over or it must stop; then let go of it."""
    log = RunLog(job)
    books = CheckpointStore(claimed, how, log)
    try:
        end = _move(job, claimed, books, how, held_since, log)
        _ended(job, books, end, log)
    except LeaseLost as lost:
        log("warning", lost.message)
    except Interrupted:
        _let_go(books)
    except Exception as error:  # noqa: BLE001 (a task's outermost frame)
        _failed(job, claimed, books, error, log)
    finally:
        log.flush()


def _move(
    job: Job, claimed: JobSlice, books: CheckpointStore, how: lease.Terms, held_since: float, log: RunLog
) -> SliceEnd:
    plan = claimed.collection.completed
    stop = StopToken()
    memory = settings.VECTORFERRY_MEMORY_MB * MIB
    ctx = ReadContext(stop, Deadline(settings.VECTORFERRY_SLICE_SECONDS), memory // 4)
    policy = Policy(
        request_timeout_seconds=how.request_timeout_seconds,
        memory_bytes=memory - ctx.memory_bytes,
        retry=RETRY,
    )
    throttle = _throttle(job)

    def beat() -> Interrupted | None:
        if throttle is not None:
            throttle.sharers = max(1, JobSlice.objects.filter(collection__job=job).leased().count())
        return books.beat()

    with (
        Heartbeat(beat, how, stop, held_since),
        endpoints.job_source(job) as source,
        endpoints.job_target(job) as target,
    ):
        capabilities = target.capabilities()
        mapping = compile_mapping(plan, key_per_partition=capabilities.key_per_partition)
        work = SliceWork(
            plan.ref,
            claimed.as_slice(),
            claimed.cursor,
            replace(mapping, server=ServerChecks.of(capabilities)),
            max_rejected=rejections_left(job, None if claimed.resumable else claimed),
            max_rows=rows_wanted(claimed),
            throttle=throttle,
        )
        may_replace = not claimed.collection.key_unique or count.may_replace(claimed.collection)
        opened = target.channel(mapping.target, upsert=mapping.upsert, may_replace=may_replace)
        with closing(opened) as channel:
            books.begin()
            return run_slice(source, channel, work, books.ledger, ctx, policy, log)


def _throttle(job: Job) -> Throttle | None:
    """What the job may read in a second, shared by the slices of it that run; none where it may read all."""
    most = job.options.source_rows_per_second
    return None if most is None else Throttle(most)


def rows_wanted(claimed: JobSlice) -> int | None:
    """How many rows of a slice are wanted where only the first of its collection are: those that the slices
    before it, which are through, did not give. None: all."""
    most = claimed.collection.limit_rows
    if most is None:
        return None
    earlier = claimed.collection.slices.filter(number__lt=claimed.number)
    return max(0, most - int(earlier.aggregate(total=Sum("rows_read", default=0))["total"]))


def rejections_left(job: Job, anew: JobSlice | None = None) -> int | None:
    """How many rows may still be rejected before the job fails; None: any number. Those of the slice
    ``anew``, which starts over, are void."""
    most = job.options.max_rejected
    if most is None:
        return None
    slices = JobSlice.objects.filter(collection__job=job).exclude(pk=anew.pk if anew else None)
    return most - int(slices.aggregate(total=Sum("rows_rejected", default=0))["total"])


def _ended(job: Job, books: CheckpointStore, end: SliceEnd, log: RunLog) -> None:
    state = SliceState.DONE if end is SliceEnd.DONE else SliceState.WAITING
    books.close(state=state, attempts=0, not_before=None, unclean=False)
    left = rejections_left(job)
    if left is not None and left < 0:  # several slices at once spent it together
        error = TooManyRejected(
            f"{-left:,} more rows could not be moved than the plan allows.",
            "See the rejected rows for the reasons; the plan's max_rejected sets the limit.",
        )
        log("error", error.message, hint=error.hint, code=error.code)
        services.job_note_failure(job=job, error=error)


def _let_go(books: CheckpointStore, **changes: Any) -> None:
    """Back to those that wait. With Auto ID it stays unclean where rows beyond the checkpoint were sent."""
    books.close(state=SliceState.WAITING, **_cleanness(books), **changes)


def _cleanness(books: CheckpointStore) -> dict[str, bool]:
    return {} if books.ledger.checkpoint().repeated else {"unclean": False}


def _failed(job: Job, claimed: JobSlice, books: CheckpointStore, error: Exception, log: RunLog) -> None:
    """Another try later where that may help, else the job fails: noted first, so that nobody takes the slice
    in between. What befell a worker that had lost its lease says nothing about the job."""
    known = explain(error, log)
    if not books.is_held():
        log("warning", TAKEN_OVER)
        return
    attempts = 1 if books.has_moved else claimed.attempts + 1
    is_clean = not claimed.unclean or "unclean" in _cleanness(books)
    if known.retryable and is_clean and attempts < lease.MAX_ATTEMPTS:
        wait = lease.retry_seconds(attempts)
        log("warning", f"Trying again in {wait:.0f} seconds (try {attempts + 1} of {lease.MAX_ATTEMPTS}).")
        _let_go(books, attempts=attempts, not_before=lease.after(wait), last_error=known.message)
        queue.wake(job, queue.Task.WORK, delay_seconds=wait + CLOCK_SLACK_SECONDS)
        return
    services.job_note_failure(job=job, error=_named(known, claimed))
    _let_go(books, attempts=attempts, last_error=known.message)


def _named(error: FerryError, claimed: JobSlice) -> FerryError:
    """The error, with the collection it belongs to where its sentence does not name it."""
    row = claimed.collection
    if row.source in error.message or row.target in error.message:
        return error
    return FerryError(f"{row.source}: {error.message}", error.hint, code=error.code)
