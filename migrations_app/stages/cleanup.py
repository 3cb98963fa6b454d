"""Cleanup stage: when a job stops, undoes temporary indexes and loads of a count, and drops the collections
that the job created if the user requested it.
"""

from __future__ import annotations

from migrations_app import endpoints
from migrations_app.engine.errors import FerryError, Interrupted, TargetChanged
from migrations_app.engine.mapping import compile_mapping
from migrations_app.engine.targets.base import Target
from migrations_app.execution.task_runner import HeldJob
from migrations_app.models import Job, JobCollection, JobStep, StepKind, StepState, TargetState
from migrations_app.services.lifecycle import needs_cleanup, to_drop
from migrations_app.stages.count import count_after, count_before
from migrations_app.stages.provision import is_ours


def cleanup(held: HeldJob) -> None:
    """Drop only the collections that this job created; restore the others after an unfinished count."""
    if not needs_cleanup(held.job):
        return
    step = held.job.step(StepKind.CLEANUP)
    step.begin()
    with endpoints.job_target(held.job) as target, target.obeying(held.stop):
        for row in to_drop(held.job):
            held.stop.check()
            _drop(held, row, target)
        for count in held.job.steps.unfinished_counts().select_related("collection"):
            held.stop.check()
            _restore(held, count, target)
    step.store(StepState.DONE)


def _drop(held: HeldJob, row: JobCollection, target: Target) -> None:
    if row.target_state == TargetState.CREATED or _was_created(row, target):
        target.drop(row.target)
        held.log("info", f"Dropped the collection “{row.target}”.")
    row.target_state = TargetState.DROPPED
    row.save(update_fields=("target_state",))
    row.steps.filter(kind=StepKind.COUNT_AFTER).delete()


def _was_created(row: JobCollection, target: Target) -> bool:
    """True if the interrupted create call created the collection."""
    try:
        return is_ours(target, compile_mapping(row.completed).target)
    except TargetChanged:
        return False


def _restore(held: HeldJob, count: JobStep, target: Target) -> None:
    """Try once: a target that refuses or is unavailable must not keep the job from ending."""
    row = count.collection
    assert row is not None
    try:
        (count_before if count.kind == StepKind.COUNT_BEFORE else count_after)(row, target).undo()
    except Interrupted:
        raise
    except FerryError as error:
        held.log("warning", f"{row.target}: its index or load state could not be restored. {error.message}")
        count.delete()


def cleanup_failed(job: Job, error: FerryError) -> None:
    """Let the job end anyway. If collections could not be dropped, the job page shows the error."""
    if not to_drop(job).exists():
        return
    Job.objects.filter(pk=job.pk).update(
        drop_requested=False,
        error_code=error.code,
        error_message=f"The collections it created could not be dropped: {error.message}",
        error_hint=error.hint or "Drop them with another tool.",
    )
