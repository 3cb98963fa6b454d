"""Row counts of a collection in the target. Their state is stored, so any process can continue a count."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
from django.conf import settings

from migrations_app.engine.log import Log, silent
from migrations_app.engine.mapping import Mapping, compile_mapping
from migrations_app.engine.model.partition_names import DEFAULT_PARTITION
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.reading.throttle import Throttle
from migrations_app.engine.sources.base import Source
from migrations_app.engine.stop_token import Deadline, StopToken
from migrations_app.engine.targets.base import Target
from migrations_app.engine.verification.key_check import KeyCheck, KeyCheckState, SentRows
from migrations_app.engine.verification.row_count import CountState, RowCount
from migrations_app.engine.verification.verdict import KeyCheckCounts
from migrations_app.models import JobCollection, JobStep, RejectedRow, StepKind, StepState, TargetState
from migrations_app.models.step import ACTIONS
from migrations_app.stages.post_migration import spec_of

# A count that waits for an index or a load frees the process, and continues after this time.
PAUSE_SECONDS = 1.0
PAGE_BYTES = 256 * 1024


def count_before(row: JobCollection, target: Target) -> RowCount:
    """Return the count of a collection that existed before the job."""
    counted = _partitions(row, row.completed)
    existing = set(target.partitions(row.target)) if counted else set()
    counted = tuple(name for name in counted if name in existing)
    return _row_count(row, target, StepKind.COUNT_BEFORE, partitions=counted)


def partition_rows_before(row: JobCollection) -> dict[str, int]:
    """Return the rows that each partition contained before the job, of those that are counted one by one."""
    rows: dict[str, int] = row.position_of(StepKind.COUNT_BEFORE).get("by_partition", {})
    return rows


def count_after(
    row: JobCollection, target: Target, source: Source | None = None, log: Log = silent
) -> RowCount:
    """Return the final count of a job. If ``source`` is given, a key check follows if it is needed."""
    plan = row.completed
    requested = set(row.steps.filter(kind__in=ACTIONS).values_list("kind", flat=True))
    indexes = plan.indexes if StepKind.INDEX in requested else None
    options: dict[str, Any] = {}
    if source is not None and may_replace(row):
        opened = source
        options["while_loaded"] = lambda rows, stop, deadline: _check_keys(
            row, opened, target, rows, stop, deadline, log
        )
    return _row_count(
        row,
        target,
        StepKind.COUNT_AFTER,
        statistics_are_exact=_no_key_was_repeated(row),
        indexes=[spec_of(index) for index in indexes or ()],
        keep_loaded=StepKind.LOAD in requested,
        partitions=_partitions(row, plan),
        **options,
    )


def _partitions(row: JobCollection, plan: CollectionPlan) -> tuple[str, ...]:
    """The partitions to count one by one: those of the source; or those of values, if this job created them
    and no key is in two of them."""
    is_ours = row.target_state == TargetState.CREATED and row.key_unique
    if not plan.source_partitions and not (plan.partition_by and is_ours):
        return ()
    return tuple(dict.fromkeys((*(plan.partitions or {}).values(), DEFAULT_PARTITION)))


def _row_count(row: JobCollection, target: Target, kind: StepKind, **options: Any) -> RowCount:
    step = row.step(kind)

    def save(state: CountState) -> None:
        _store(step, state)

    return RowCount(
        target,
        row.target,
        state=CountState.from_dict(step.position),
        save=save,
        stall_seconds=settings.VECTORFERRY_STALL_SECONDS,
        **options,
    )


def _store(step: JobStep, state: CountState | KeyCheckState, **changes: Any) -> None:
    step_state = StepState.DONE if state.is_done else StepState.RUNNING
    step.store(step_state, position=state.as_dict(), **changes)


def _no_key_was_repeated(row: JobCollection) -> bool:
    is_ours = row.target_state == TargetState.CREATED
    return is_ours and row.key_unique and not row.slices.filter(repeated=True).exists()


# ---------------------------------------------------------------- keys


def may_replace(row: JobCollection) -> bool:
    """True if rows of this job may have replaced rows that were in the target before."""
    return row.target_state == TargetState.EXISTING and not row.completed.is_auto_id


def key_check_counts(row: JobCollection) -> KeyCheckCounts | None:
    """Return the result of the key check; None if no row can have replaced another."""
    if not may_replace(row):
        return None
    state = KeyCheckState.from_dict(row.position_of(StepKind.KEY_CHECK))
    reason = state.reason or row.position_of(StepKind.COUNT_AFTER).get("reason", "")
    return KeyCheckCounts(state.asked, state.found, reason.rstrip("."))


def _check_keys(
    row: Any, source: Source, target: Target, rows: int, stop: StopToken, deadline: Deadline, log: Log
) -> bool:
    """Look for the sent keys in the target, if the count alone does not prove that each arrived once."""
    sent = row.rows_read - row.rows_rejected - row.rows_skipped - row.rows_collapsed
    may_be_twice = row.completed.is_partitioned and target.capabilities().key_per_partition
    if row.count_before is None or (rows - row.count_before >= sent and not may_be_twice):
        return True
    step = row.step(StepKind.KEY_CHECK)
    check = KeyCheck(
        source,
        target,
        _sent_rows(row),
        state=KeyCheckState.from_dict(step.position),
        save=lambda state: _store(step, state, percent=100 * state.read // max(state.read, row.rows_read, 1)),
        throttle=Throttle.of(row.job.options.source_rows_per_second),
        log=log,
    )
    return check.run(stop, deadline)


def _sent_rows(row: Any) -> SentRows:
    plan = row.completed
    # Only the whole mapping can tell which rows were skipped.
    mapping = compile_mapping(plan) if row.rows_skipped else _key_mapping(plan)
    rejected = list(RejectedRow.objects.filter(slice__collection=row).values_list("locator", flat=True))
    return SentRows(
        plan.ref,
        [part.as_slice() for part in row.slices.order_by("number")],
        mapping,
        row.limit_rows,
        pa.array(rejected, pa.string()) if rejected else None,
    )


def _key_mapping(plan: CollectionPlan) -> Mapping:
    """Return the mapping of the key field alone, with batches of about ten thousand rows."""
    fields = [field for field in plan.fields or () if plan.is_kept_key(field.source) and not field.dynamic]
    without = {
        "partition_key": None,
        "partition_by": None,
        "partitions": {},
        "open": [],
        "full_text": [],
        "dynamic_field": False,
        "exact": None,
    }
    mapping = compile_mapping(plan.model_copy(update={"fields": fields, "select": {}, **without}))
    return replace(mapping, read_plan=replace(mapping.read_plan, batch_bytes=PAGE_BYTES))
