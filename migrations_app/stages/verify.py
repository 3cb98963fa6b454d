"""Verify stage: counts the rows at the end of a job, compares the counts, and stores the result."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Sum

from migrations_app.engine.errors import SourceError, VerifyMismatch
from migrations_app.engine.model.counters import Counters
from migrations_app.engine.reading.measure import measure
from migrations_app.engine.sources.base import Count, MeasureRequest, Source
from migrations_app.engine.targets.base import Target
from migrations_app.engine.verification.duplicate_keys import key_rows
from migrations_app.engine.verification.partition_counts import check_partitions, check_partitions_read
from migrations_app.engine.verification.row_count import CountState
from migrations_app.engine.verification.verdict import Check, Verdict, judge
from migrations_app.execution.task_runner import HeldJob, RunAgain
from migrations_app.models import Job, JobCollection, StepKind, StepState
from migrations_app.stages.count import (
    PAUSE_SECONDS,
    count_after,
    key_check_counts,
    partition_rows_before,
)

# If more new values of ``partition_by`` than this appeared during the move, partitions are not compared.
NEW_VALUES = 100


def verify(held: HeldJob, source: Source, target: Target) -> RunAgain | None:
    """Check every collection that is not checked yet. Returns ``RunAgain`` if one needs more time.

    Raises ``VerifyMismatch`` if all are checked and one has an unexplained difference.
    """
    for row in held.job.collections.with_counters().order_by("position"):
        held.stop.check()
        if (step := row.step(StepKind.VERIFY)).is_done:
            continue
        step.begin()
        if row.rows_source is not None and row.rows_source_after is None:
            count = source.count(row.completed.ref, held.ctx)
            row.rows_source_after = count.rows
            row.rows_source_exact &= count.is_exact
            row.save(update_fields=("rows_source_after", "rows_source_exact"))
        counted = count_after(row, target, source, held.log).run(held.stop, held.deadline)
        if not counted.is_done:
            return RunAgain(PAUSE_SECONDS)
        _store(held, row, source, target, counted)
        step.store(StepState.DONE)
    _refuse_mismatch(held.job)
    return None


def _partition_checks(
    held: HeldJob, row: JobCollection, source: Source, counted: CountState
) -> tuple[Check, ...]:
    """Compare the partitions. Empty if they were not counted, or if the source changed in the meantime."""
    plan = row.completed
    if plan.source_partitions:
        return tuple(_source_partition_checks(held, row, source, counted))
    if plan.partition_by is None or not counted.by_partition or row.rows_source != row.rows_source_after:
        return ()
    names = plan.partitions or {}
    limit = len(names) + NEW_VALUES
    wanted = MeasureRequest(values_of=plan.partition_by, at_most=limit)
    values = measure(source, plan, wanted, held.ctx, row.rows_source).values
    if values is None or len(values) > limit:
        return ()
    counters = _counters(row)
    left_out = counters.rejected + counters.skipped + counters.collapsed
    is_whole = left_out == 0 and row.limit_rows is None and _has_own_keys(row)
    return (check_partitions(names, values, counted.by_partition, is_whole=is_whole),)


def _source_partition_checks(
    held: HeldJob, row: JobCollection, source: Source, counted: CountState
) -> Iterator[Check]:
    """Compare the rows read from each partition of the source with its count there, and the rows sent with
    those in the target."""
    plan, read, sent = row.completed, *_rows_by_partition(row)
    is_comparable = row.rows_source_exact and row.rows_source == row.rows_source_after
    count = source.count(plan.ref, held.ctx) if is_comparable and row.limit_rows is None else Count()
    if count.is_exact and count.rows == row.rows_source and count.by_partition:
        yield check_partitions_read(count.by_partition, read)
    if counted.by_partition:
        before = partition_rows_before(row)
        added = {name: rows - before.get(name, 0) for name, rows in counted.by_partition.items()}
        is_whole = plan.is_auto_id or (row.is_created and _has_own_keys(row))
        yield check_partitions(plan.source_partitions, sent, added, is_whole=is_whole, origin="its partition")


def _rows_by_partition(row: JobCollection) -> tuple[dict[str | None, int], dict[str | None, int]]:
    """Return the rows read from each partition of the source, and the rows of each that were sent."""
    names = ("read", "rejected", "skipped", "collapsed")
    sums = {f"{name}_rows": Sum(f"rows_{name}") for name in names}
    found = row.slices.order_by().values("partition").annotate(**sums)
    read = {part["partition"]: part["read_rows"] for part in found}
    left_out = ("rejected_rows", "skipped_rows", "collapsed_rows")
    sent = {p["partition"]: p["read_rows"] - sum(p[name] for name in left_out) for p in found}
    return read, sent


def _has_own_keys(row: JobCollection) -> bool:
    """True if no two rows of the source have the same key."""
    return row.key_unique or row.duplicate_keys == 0


def _store(held: HeldJob, row: JobCollection, source: Source, target: Target, counted: CountState) -> None:
    partition_checks = _partition_checks(held, row, source, counted)
    verdict = _judge(row, counted, partition_checks)
    if verdict.verified is False and row.duplicate_keys is not None:
        # Values may have changed during the move: count the duplicates again before reporting a loss.
        _count_duplicates(held, row, source, target)
        verdict = _judge(row, counted, partition_checks)
    row.rows_target, row.verified, row.checks = counted.rows, verdict.verified, verdict.checks_as_dicts()
    row.save(update_fields=("rows_target", "verified", "checks"))
    held.log(_level(verdict), f"{row.target}: {verdict.message}", counted_by=counted.method)
    if counted.rows is not None and counted.reason:
        held.log("warning", f"{row.target}: its index or load state could not be restored. {counted.reason}")


def _judge(row: JobCollection, counted: CountState, partition_checks: tuple[Check, ...]) -> Verdict:
    known = (row.duplicate_keys, row.duplicate_keys_after)
    duplicates = tuple(number for number in known if number is not None)
    return judge(
        _counters(row),
        source_before=row.rows_source,
        source_after=row.rows_source_after,
        source_is_exact=row.rows_source_exact,
        target_before=row.count_before,
        keys=key_check_counts(row),
        target_after=counted.rows,
        limit=row.limit_rows,
        duplicates=() if row.key_unique else duplicates or None,
        reason=_reason_not_counted(row, counted),
        more=partition_checks,
    )


def _count_duplicates(held: HeldJob, row: JobCollection, source: Source, target: Target) -> None:
    step = row.step(StepKind.DUPLICATE_KEYS)
    if step.is_done:
        return
    step.begin()
    row.duplicate_keys_after = _duplicates(held, row, source, target)
    row.save(update_fields=("duplicate_keys_after",))
    step.store(StepState.DONE)


def _duplicates(held: HeldJob, row: JobCollection, source: Source, target: Target) -> int | None:
    keys = key_rows(row.completed, key_per_partition=target.capabilities().key_per_partition)
    try:
        wanted = MeasureRequest(duplicates_of=keys)
        return measure(source, row.completed, wanted, held.ctx, row.rows_source).duplicates
    except SourceError as error:
        if error.retryable:
            raise
        return None


def _reason_not_counted(row: JobCollection, counted: CountState) -> str:
    """Return the reason why there are no counts to compare, or an empty text."""
    if row.count_before is None:
        reason = row.position_of(StepKind.COUNT_BEFORE).get("reason") or "The plan requested no verification."
        return f"The rows that the collection contained before were not counted. {reason}"
    return counted.reason


def _level(verdict: Verdict) -> str:
    return {True: "warning" if verdict.explained else "info", None: "warning", False: "error"}[
        verdict.verified
    ]


def _counters(row: JobCollection) -> Counters:
    """Return the counters that ``with_counters`` annotated."""
    names = ("read", "written", "rejected", "skipped", "collapsed")
    return Counters(**{name: getattr(row, f"rows_{name}") for name in names})


def _refuse_mismatch(job: Job) -> None:
    mismatched = job.collections.filter(verified=False).order_by("position")
    if not mismatched:
        return
    messages = [check["message"] for row in mismatched for check in row.checks if check["passed"] is False]
    is_ours = all(row.is_created for row in mismatched)
    raise VerifyMismatch(
        f"The counts of {', '.join(row.target for row in mismatched)} do not match. {' '.join(messages)}",
        "Nothing was dropped. Check that nothing else writes to the source or the collection; then "
        f"{'drop the collection and ' if is_ours else ''}migrate it again.",
    )
