"""Post-migration stage: indexes, loads and releases collections, as requested by the plan or on the page of a
finished job.

A requested action changes from asked to running, and then to done or failed. Each step only sends a request
to the target or reads its progress; between two steps the process is free.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.db.models import Q

from migrations_app import endpoints
from migrations_app.engine.errors import FerryError, TargetError
from migrations_app.engine.model.plan import IndexPlan
from migrations_app.engine.model.target_schema import IndexSpec
from migrations_app.engine.targets.base import IndexState, LoadState, Target
from migrations_app.engine.verification.stall import StallDetector
from migrations_app.execution.task_runner import HeldJob, RunAgain, explain
from migrations_app.models import ActionState, Job, JobCollection

OPEN = (ActionState.ASKED, ActionState.RUNNING)
HAS_OPEN_ACTION = Q(index_action_state__in=OPEN) | Q(load_action_state__in=OPEN)
POLL_SECONDS = 2.0
DEFAULT_METRIC = "COSINE"


def post_migration(held: HeldJob) -> RunAgain | None:
    """Continue all requested actions on the collections of a finished job."""
    with endpoints.job_target(held.job) as target:
        for row in held.job.collections.filter(HAS_OPEN_ACTION):
            held.stop.check()
            _advance_one(held, row, target)
    return RunAgain(POLL_SECONDS) if held.job.collections.filter(HAS_OPEN_ACTION).exists() else None


def _advance_one(held: HeldJob, row: JobCollection, target: Target) -> None:
    """Continue the actions of one collection. If they fail, the other collections still continue."""
    try:
        if row.index_action_state in OPEN:
            advance_index(held, row, target)
        if row.load_action_state in OPEN and row.index_action_state not in OPEN:
            advance_load(held, row, target)
    except TargetError as error:
        if error.retryable:
            raise
        _fail_actions(row, explain(error, held.log))


def post_migration_failed(job: Job, error: FerryError) -> None:
    for row in job.collections.filter(HAS_OPEN_ACTION):
        _fail_actions(row, error)


def _fail_actions(row: JobCollection, error: FerryError) -> None:
    message = f"{error.message} {error.hint}".strip()
    if row.index_action_state in OPEN:
        row.index_action_state, row.index_error = ActionState.FAILED, message
    if row.load_action_state in OPEN:
        row.load_action_state, row.load_error = ActionState.FAILED, message
    _store(row, "index_action_state", "index_error", "load_action_state", "load_error")


def _check_for_stall(row: JobCollection, action: str, seen: list[Any]) -> None:
    """Raise ``TargetError`` if an index or a load made no progress for too long."""
    is_new = getattr(row, f"{action}_action_state") == ActionState.ASKED
    detector = StallDetector() if is_new else StallDetector(**row.finish.get(f"{action}_watch", {}))
    detector = detector.look(seen, time.time())
    row.finish[f"{action}_watch"] = asdict(detector)
    row.save(update_fields=("finish",))
    limit = settings.VECTORFERRY_STALL_SECONDS
    if detector.idle_seconds > limit:
        raise TargetError(
            f"The {action} of “{row.target}” made no progress for {limit} seconds.",
            "All rows are in the target. Check the target's own log: it may still finish. The operator can "
            "raise VECTORFERRY_STALL_SECONDS.",
            code=f"{action}_stalled",
        )


def _store(row: JobCollection, *names: str) -> bool:
    """Store these fields of ``row``. False if another load or release was requested in the meantime."""
    unchanged = JobCollection.objects.filter(pk=row.pk, load_action=row.load_action)
    return unchanged.update(**{name: getattr(row, name) for name in names}) == 1


# ---------------------------------------------------------------- indexes


def advance_index(held: HeldJob, row: JobCollection, target: Target) -> None:
    """Request the indexes of the plan, or read their progress. Raises ``TargetError`` if one failed."""
    wanted = [spec_of(index) for index in row.completed.indexes or ()]
    states_by_field = {state.spec.field: state for state in target.indexes(row.target)}
    for spec in wanted:
        if spec.field not in states_by_field:
            target.create_index(row.target, spec)
            held.log("info", f"{row.target}: creating {spec.type} on {spec.field}, metric {spec.metric}.")
    states = [states_by_field[spec.field] for spec in wanted if spec.field in states_by_field]
    for state in states:
        if state.failed:
            raise TargetError(f"The index on {row.target}.{state.spec.field} failed: {state.failed}")
    is_done = len(states) == len(wanted) and all(state.is_finished for state in states)
    if not is_done:
        _check_for_stall(row, "index", [[s.spec.field, s.rows_indexed, s.is_finished] for s in states])
    row.index_action_state = ActionState.DONE if is_done else ActionState.RUNNING
    row.index_percent = 100 if is_done else min(map(_percent, states), default=0)
    if _store(row, "index_action_state", "index_percent") and is_done:
        held.log("info", f"{row.target}: indexed.")


def spec_of(index: IndexPlan) -> IndexSpec:
    return IndexSpec(index.field, index.type, index.metric or DEFAULT_METRIC, index.params)


def _percent(state: IndexState) -> int:
    return min(99, 100 * state.rows_indexed // state.rows_total) if state.rows_total else 0


# ---------------------------------------------------------------- loading


def advance_load(held: HeldJob, row: JobCollection, target: Target) -> None:
    """Request that the collection is loaded or released, or read the progress."""
    if row.load_action == "release":
        target.release(row.target)
        is_done, percent = True, 0
    else:
        state = _loading(row, target)
        is_done, percent = state.is_loaded, state.percent
        if not is_done:
            _check_for_stall(row, "load", [state.state, state.percent])
    row.load_action_state, row.load_percent = ActionState.DONE if is_done else ActionState.RUNNING, percent
    if _store(row, "load_action_state", "load_percent") and is_done:
        held.log("info", f"{row.target}: {'released' if row.load_action == 'release' else 'loaded'}.")


def _loading(row: JobCollection, target: Target) -> LoadState:
    """Return the progress of a load.

    If the target reports that the collection is not loaded, the load was interrupted or someone released the
    collection: it is requested again. Requesting a load that is running changes nothing.
    """
    if row.load_action_state == ActionState.ASKED:
        _refuse_without_index(row, target)
        target.load(row.target)
        return target.load_state(row.target)
    state = target.load_state(row.target)
    if state.state == "not_loaded":
        target.load(row.target)
    return state


def _refuse_without_index(row: JobCollection, target: Target) -> None:
    if target.capabilities().count_needs_load and not target.indexes(row.target):
        raise TargetError(
            f"“{row.target}” has no index, and this target can load only collections with an index.",
            "Create the index first.",
            code="index_missing",
        )
