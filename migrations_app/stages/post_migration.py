"""Post-migration stage: indexes, loads and releases collections, as requested by the plan or on the page of a
finished job.

Each call only sends a request to the target or reads its progress; between two calls the process is free.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from django.conf import settings

from migrations_app import endpoints
from migrations_app.engine.errors import FerryError, TargetError
from migrations_app.engine.model.plan import IndexPlan
from migrations_app.engine.model.target_schema import IndexSpec
from migrations_app.engine.targets.base import IndexState, LoadState, Target
from migrations_app.engine.verification.stall import StallDetector
from migrations_app.execution.task_runner import HeldJob, RunAgain, explain
from migrations_app.models import Job, JobCollection, JobStep, StepKind, StepState
from migrations_app.models.step import ACTIONS

POLL_SECONDS = 2.0


def post_migration(held: HeldJob) -> RunAgain | None:
    """Continue all requested actions on the collections of a finished job."""
    with endpoints.job_target(held.job) as target, target.obeying(held.stop):
        for row in held.job.collections.order_by("position"):
            held.stop.check()
            _advance_collection(held, row, target)
    return RunAgain(POLL_SECONDS) if held.job.steps.open_actions().exists() else None


def _advance_collection(held: HeldJob, row: JobCollection, target: Target) -> None:
    """Continue the actions of one collection. If they fail, the other collections still continue."""
    steps = sorted(row.steps.open_actions(), key=lambda step: ACTIONS.index(step.kind))
    try:
        for step in steps:
            advance(held, step, target)
            if step.is_open:  # a collection is loaded after it is indexed
                break
    except TargetError as error:
        if error.retryable:
            raise
        requested = row.steps.filter(pk__in=[step.pk for step in steps])  # not those requested meanwhile
        requested.open().fail(explain(error, held.log))


def post_migration_failed(job: Job, error: FerryError) -> None:
    job.steps.open_actions().fail(error)


def advance(held: HeldJob, step: JobStep, target: Target) -> None:
    """Continue one action. Raises ``TargetError`` if the target fails or makes no progress."""
    row = step.collection
    assert row is not None
    if step.kind == StepKind.INDEX:
        _advance_index(held, row, step, target)
    elif step.kind == StepKind.LOAD:
        _advance_load(held, row, step, target)
    else:
        target.release(row.target)
        _done(held, row, step, "released", percent=0)


def _done(held: HeldJob, row: JobCollection, step: JobStep, word: str, *, percent: int = 100) -> None:
    if step.store(StepState.DONE, percent=percent):
        held.log("info", f"{row.target}: {word}.")


def _waits(row: JobCollection, step: JobStep, percent: int, seen: list[Any]) -> None:
    """Store the progress. Raises ``TargetError`` if there was none for too long."""
    detector = StallDetector() if step.state == StepState.WAITING else StallDetector(**step.position)
    detector = detector.look(seen, time.time())
    is_wanted = step.store(StepState.RUNNING, percent=percent, position=asdict(detector))
    limit = settings.VECTORFERRY_STALL_SECONDS
    if is_wanted and detector.idle_seconds > limit:
        raise TargetError(
            f"The {step.kind} of “{row.target}” made no progress for {limit} seconds.",
            "All rows are in the target. Check the target's own log: it may still finish. The operator can "
            "raise VECTORFERRY_STALL_SECONDS.",
            code=f"{step.kind}_stalled",
        )


# ---------------------------------------------------------------- indexes


def _advance_index(held: HeldJob, row: JobCollection, step: JobStep, target: Target) -> None:
    """Request the indexes of the plan, or read their progress. Raises ``TargetError`` if one failed."""
    wanted = [spec_of(index) for index in row.completed.indexes or ()]
    if not wanted:
        raise TargetError(
            f"The plan has no index for “{row.target}”: no vector has a metric that Milvus has.",
            "Create the index in the target, with a metric of your choice.",
            code="index_missing",
        )
    states_by_field = {state.spec.field: state for state in target.indexes(row.target)}
    for spec in wanted:
        if spec.field not in states_by_field:
            target.create_index(row.target, spec)
            held.log("info", f"{row.target}: creating {spec.type} on {spec.field}, metric {spec.metric}.")
    states = [states_by_field[spec.field] for spec in wanted if spec.field in states_by_field]
    for state in states:
        if state.failed:
            raise TargetError(f"The index on {row.target}.{state.spec.field} failed: {state.failed}")
    if len(states) == len(wanted) and all(state.is_finished for state in states):
        _done(held, row, step, "indexed")
    else:
        seen = [[s.spec.field, s.rows_indexed, s.is_finished] for s in states]
        _waits(row, step, min(map(_percent, states), default=0), seen)


def spec_of(index: IndexPlan) -> IndexSpec:
    assert index.metric is not None, "preflight refuses an index without a metric"
    return IndexSpec(index.field, index.type, index.metric, index.params)


def _percent(state: IndexState) -> int:
    return min(99, 100 * state.rows_indexed // state.rows_total) if state.rows_total else 0


# ---------------------------------------------------------------- loading


def _advance_load(held: HeldJob, row: JobCollection, step: JobStep, target: Target) -> None:
    """Request that the collection is loaded, or read the progress."""
    load = _loading(row, step, target)
    if load.is_loaded:
        _done(held, row, step, "loaded", percent=load.percent)
    else:
        _waits(row, step, load.percent, [load.state, load.percent])


def _loading(row: JobCollection, step: JobStep, target: Target) -> LoadState:
    """Return the progress of a load.

    If the target reports that the collection is not loaded, the load was interrupted or someone released the
    collection: it is requested again. Requesting a load that is running changes nothing.
    """
    if step.state == StepState.WAITING:
        _refuse_without_index(row, target)
        target.load(row.target)
        return target.load_state(row.target)
    state = target.load_state(row.target)
    if state.state == "not_loaded":
        target.load(row.target)
    return state


def _refuse_without_index(row: JobCollection, target: Target) -> None:
    schema = target.describe(row.target) if target.capabilities().count_needs_load else None
    indexed = {state.spec.field for state in target.indexes(row.target)} if schema else set()
    missing = [vector.name for vector in schema.vector_fields if vector.name not in indexed] if schema else []
    if missing:
        raise TargetError(
            f"“{row.target}.{missing[0]}” has no index, and this target loads a collection only if each of "
            "its vectors has one.",
            "Create the index first.",
            code="index_missing",
        )
