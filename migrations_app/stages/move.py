"""Move stage: runs the pipeline for a claimed slice."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.db.models import Sum

from migrations_app import endpoints, queue, services
from migrations_app.engine.errors import (
    BoundsLost,
    Canceled,
    FerryError,
    Interrupted,
    LeaseLost,
    TooManyRejected,
)
from migrations_app.engine.mapping import ServerChecks, compile_mapping
from migrations_app.engine.pacing.retry_policy import RetryPolicy
from migrations_app.engine.pipeline.pipeline import Policy, SliceEnd, SliceWork, run_slice
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.stop_token import Deadline, StopToken
from migrations_app.execution import lease
from migrations_app.execution.heartbeat import Heartbeat
from migrations_app.execution.task_runner import CLOCK_SLACK_SECONDS, explain
from migrations_app.models import Job, JobSlice, SliceState
from migrations_app.reporting.run_log import RunLog
from migrations_app.stages import count
from migrations_app.stages.checkpoint_store import TAKEN_OVER, CheckpointStore
from migrations_app.stages.plan_slices import plan_again
from migrations_app.stages.shared_limits import SharedLimits, excess_of

MIB = 1024 * 1024
RETRY = RetryPolicy()


def run(job: Job, claimed: JobSlice, terms: lease.Terms, held_since: float) -> None:
    """Move rows of ``claimed`` until it is done, its time is over or it must stop; then release it."""
    log = RunLog(job)
    checkpoints = CheckpointStore(claimed, terms, log)
    try:
        end = _move(job, claimed, checkpoints, terms, held_since, log)
        _ended(job, checkpoints, end, log)
    except LeaseLost as lost:
        log("warning", lost.message)
    except Interrupted:
        _release(checkpoints)
    except Exception as error:  # noqa: BLE001 (a task's outermost frame)
        _failed(job, claimed, checkpoints, error, log)
    finally:
        log.flush()


def _move(
    job: Job,
    claimed: JobSlice,
    checkpoints: CheckpointStore,
    terms: lease.Terms,
    held_since: float,
    log: RunLog,
) -> SliceEnd:
    plan = claimed.collection.completed
    stop = StopToken()
    memory = settings.VECTORFERRY_MEMORY_MB * MIB
    ctx = ReadContext(stop, Deadline(settings.VECTORFERRY_SLICE_SECONDS), memory // 4)
    policy = Policy(
        request_timeout_seconds=terms.request_timeout_seconds,
        memory_bytes=memory - ctx.memory_bytes,
        retry=RETRY,
    )
    limits = SharedLimits(job, claimed)

    def beat() -> Interrupted | None:
        reason = checkpoints.beat()
        if reason is None and (excess := limits.refresh(checkpoints.rows_rejected)) is not None:
            _note_excess(job, excess, log)
            return Canceled(excess.message)
        return reason

    with (
        Heartbeat(beat, terms, stop, held_since),
        endpoints.job_source(job) as source,
        endpoints.job_target(job) as target,
    ):
        # Not while rows are sent: it would be unknown which of them were written.
        with target.obeying(stop):
            capabilities = target.capabilities()
            mapping = compile_mapping(plan, key_per_partition=capabilities.key_per_partition)
            may_replace = claimed.repeated or not claimed.collection.key_unique
            may_replace = may_replace or count.may_replace(claimed.collection)
            opened = target.channel(mapping.target, upsert=mapping.upsert, may_replace=may_replace)
        work = SliceWork(
            plan.ref,
            claimed.as_slice(),
            claimed.cursor,
            replace(mapping, server=ServerChecks.of(capabilities)),
            allowance=limits.allowance,
            max_rows=rows_wanted(claimed),
            throttle=limits.throttle,
        )
        with closing(opened) as channel:
            checkpoints.begin()
            return run_slice(source, channel, work, checkpoints.ledger, ctx, policy, log)


def rows_wanted(claimed: JobSlice) -> int | None:
    """The number of rows to read from a slice, if only the first rows of its collection are wanted: the limit
    minus the rows of the earlier slices, which are done. None means all rows."""
    limit = claimed.collection.limit_rows
    if limit is None:
        return None
    earlier = claimed.collection.slices.filter(number__lt=claimed.number)
    return max(0, limit - int(earlier.aggregate(total=Sum("rows_read", default=0))["total"]))


def _ended(job: Job, checkpoints: CheckpointStore, end: SliceEnd, log: RunLog) -> None:
    state = SliceState.DONE if end is SliceEnd.DONE else SliceState.WAITING
    checkpoints.close(state=state, attempts=0, not_before=None, unclean=False)
    if (excess := excess_of(job)) is not None:  # several slices together
        _note_excess(job, excess, log)


def _note_excess(job: Job, excess: TooManyRejected, log: RunLog) -> None:
    if services.job_note_failure(job=job, error=excess):
        log("error", excess.message, hint=excess.hint, code=excess.code)


def _release(checkpoints: CheckpointStore, **changes: Any) -> None:
    """Release the slice. With Auto ID it stays unclean if rows after the checkpoint were sent."""
    checkpoints.close(state=SliceState.WAITING, **_cleanness(checkpoints), **changes)


def _cleanness(checkpoints: CheckpointStore) -> dict[str, bool]:
    return {} if checkpoints.ledger.checkpoint().repeated else {"unclean": False}


def _failed(job: Job, claimed: JobSlice, checkpoints: CheckpointStore, error: Exception, log: RunLog) -> None:
    """Schedule a retry if that may help, else fail the job.

    The failure is stored before the slice is released, so that no worker takes the slice in between. If the
    worker had lost its lease, its error does not concern the job and is only logged.
    """
    known = explain(error, log)
    if not checkpoints.is_held():
        log("warning", TAKEN_OVER)
        return
    if isinstance(error, BoundsLost):
        known = plan_again(claimed.collection, error)
        if known is None:
            log("warning", f"{claimed.collection.source}: it is divided into slices again, and moved again.")
            return
    attempts = 1 if checkpoints.has_moved else claimed.attempts + 1
    is_clean = not claimed.unclean or "unclean" in _cleanness(checkpoints)
    if known.retryable and is_clean and attempts < lease.MAX_ATTEMPTS:
        wait = lease.retry_seconds(attempts)
        log("warning", f"Trying again in {wait:.0f} seconds (try {attempts + 1} of {lease.MAX_ATTEMPTS}).")
        _release(checkpoints, attempts=attempts, not_before=lease.after(wait), last_error=known.message)
        queue.wake(job, queue.Task.WORK, delay_seconds=wait + CLOCK_SLACK_SECONDS)
        return
    services.job_note_failure(job=job, error=_named(known, claimed))
    _release(checkpoints, attempts=attempts, last_error=known.message)


def _named(error: FerryError, claimed: JobSlice) -> FerryError:
    """Return the error with the name of its collection, if the message does not contain it."""
    row = claimed.collection
    if row.source in error.message or row.target in error.message:
        return error
    return FerryError(f"{row.source}: {error.message}", error.hint, code=error.code)
