"""A canceled job gives back what it created."""

from __future__ import annotations

from migrations_app import connect
from migrations_app.control import Held
from migrations_app.engine.errors import FerryError, TargetChanged
from migrations_app.engine.mapping import compile_mapping
from migrations_app.engine.plan import CollectionPlan
from migrations_app.engine.target import Target
from migrations_app.models import Job, JobCollection, TargetState
from migrations_app.preparing import is_ours
from migrations_app.services.lifecycle import to_drop


def drop(held: Held) -> None:
    """Drop the collections that this job created, and no other."""
    with connect.job_target(held.job) as target:
        for row in to_drop(held.job):
            held.stop.check()
            if row.target_state == TargetState.CREATED or _was_made(row, target):
                target.drop(row.target)
                held.log("info", f"Dropped the collection “{row.target}”.")
            row.target_state = TargetState.DROPPED
            row.save(update_fields=("target_state",))


def _was_made(row: JobCollection, target: Target) -> bool:
    """Whether the create that was under way did make it."""
    try:
        return is_ours(target, compile_mapping(CollectionPlan.model_validate(row.plan)).target)
    except TargetChanged:
        return False


def drop_failed(job: Job, error: FerryError) -> None:
    """The job is canceled all the same; its page says what was left where it is."""
    Job.objects.filter(pk=job.pk).update(
        drop_requested=False,
        error_code=error.code,
        error_message=f"The collections it created could not be dropped: {error.message}",
        error_hint=error.hint or "Drop them with another tool.",
    )
