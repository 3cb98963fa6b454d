"""What a job that stops leaves behind: a count's passing index and load are taken back, and where that was
asked what it created is dropped."""

from __future__ import annotations

from migrations_app import endpoints
from migrations_app.engine.errors import FerryError, Interrupted, TargetChanged
from migrations_app.engine.mapping import compile_mapping
from migrations_app.engine.targets.base import Target
from migrations_app.execution.task_runner import HeldJob
from migrations_app.models import Job, JobCollection, TargetState
from migrations_app.services.lifecycle import to_drop, with_unfinished_count
from migrations_app.stages.count import BEFORE, COUNT, count_after, count_before
from migrations_app.stages.provision import is_ours


def cleanup(held: HeldJob) -> None:
    """Drop the collections that this job created, and no other; restore those that stay."""
    with endpoints.job_target(held.job) as target:
        for row in to_drop(held.job):
            held.stop.check()
            _drop(held, row, target)
        for row in with_unfinished_count(held.job):
            held.stop.check()
            _restore(held, row, target)


def _drop(held: HeldJob, row: JobCollection, target: Target) -> None:
    if row.target_state == TargetState.CREATED or _was_made(row, target):
        target.drop(row.target)
        held.log("info", f"Dropped the collection “{row.target}”.")
    row.target_state = TargetState.DROPPED
    row.finish.pop(COUNT, None)
    row.save(update_fields=("target_state", "finish"))


def _was_made(row: JobCollection, target: Target) -> bool:
    """Whether the create that was under way did make it."""
    try:
        return is_ours(target, compile_mapping(row.completed).target)
    except TargetChanged:
        return False


def _restore(held: HeldJob, row: JobCollection, target: Target) -> None:
    """Once: a target that refuses, or is away, keeps no job from ending."""
    try:
        count_before(row, target).undo()
        count_after(row, target).undo()
    except Interrupted:
        raise
    except FerryError as error:
        held.log("warning", f"{row.target}: what the count needed for the moment stays: {error.message}")
        _forget_counts(row)


def _forget_counts(row: JobCollection) -> None:
    for name in (BEFORE, COUNT):
        row.finish.pop(name, None)
    row.save(update_fields=("finish",))


def cleanup_failed(job: Job, error: FerryError) -> None:
    """The job ends all the same; where it was to drop something, its page says what was left where it is."""
    for row in with_unfinished_count(job):
        _forget_counts(row)
    if not to_drop(job).exists():
        return
    Job.objects.filter(pk=job.pk).update(
        drop_requested=False,
        error_code=error.code,
        error_message=f"The collections it created could not be dropped: {error.message}",
        error_hint=error.hint or "Drop them with another tool.",
    )
