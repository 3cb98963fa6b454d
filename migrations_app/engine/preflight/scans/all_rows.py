"""Scan of all rows: one pass over a collection that counts NULLs and every row that would not be moved.

The pass has a time limit. What was not looked at is said, and never called fine.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace

from migrations_app.engine.errors import SourceError, TimeIsUp
from migrations_app.engine.log import counted
from migrations_app.engine.mapping import Mapping, ServerChecks, compile_mapping
from migrations_app.engine.mapping.judge import Judge
from migrations_app.engine.mapping.row_tests import row_tests
from migrations_app.engine.mapping.sampled_rows import sampled_rows
from migrations_app.engine.model.row_tests import NULL_VECTOR, RowCounts, RowTest
from migrations_app.engine.preflight.rules.all_rules import check_collection
from migrations_app.engine.preflight.scans.losses import Losses, reason_of
from migrations_app.engine.preflight.scans.read_rows import FEW_ROWS, RowsRead, read_rows
from migrations_app.engine.preflight.subject import Subject
from migrations_app.engine.read_context import ReadContext, time_limit
from migrations_app.engine.reading.measure import measure
from migrations_app.engine.sources.base import MeasureRequest, Measures, Source

JOB_SECONDS = 60.0
LOOKED_FOR = "NULL, lengths and sizes"


class ScanBudget:
    """The time for looking at all rows, shared by the collections of a plan. ``counts_nulls``: after it, the
    NULLs alone are counted, without a limit, as a job needs them."""

    def __init__(self, seconds: float = JOB_SECONDS, *, counts_nulls: bool = True) -> None:
        self.seconds = seconds
        self.counts_nulls = counts_nulls
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())


@dataclass(frozen=True, slots=True)
class AllRows:
    """The answers about all rows, and the rows that would not be moved."""

    measured: Measures
    losses: Losses


def scan_all_rows(
    subject: Subject,
    wanted: MeasureRequest,
    source: Source,
    ctx: ReadContext,
    budget: ScanBudget,
    *,
    is_faulty: bool,
) -> AllRows:
    """Answer ``wanted`` and, if the plan has no fault yet, count the rows that would not be moved."""
    plan, rows = subject.plan, subject.schema.rows_estimate
    mapping = None if is_faulty else _mapping(subject)
    if mapping is None:
        return AllRows(_measured(source, subject, wanted, ctx), Losses(subject, None))
    if "row_tests" not in source.can_measure:
        measured = _measured(source, subject, wanted, ctx)
        read = read_rows(mapping, source, plan.ref, ctx, budget.left(), rows)
        lacking = _lacking(mapping, measured)
        counts = _with_lacking(read, lacking) if read else None
        return AllRows(measured, Losses(subject, counts, _looked_read(read, rows), lacking))
    tests = row_tests(mapping)
    reason = f"that takes more than {budget.seconds:g} seconds."
    try:
        if left := budget.left():
            with time_limit(ctx, left) as limited:
                measured = measure(source, plan, replace(wanted, rows_with=tests), limited, rows)
            counts = measured.row_counts
            others = _not_counted(subject, counts, tests) if counts else ""
            if counts and others and counts.rows <= FEW_ROWS:
                read = read_rows(mapping, source, plan.ref, ctx, budget.left(), counts.rows)
                if read and read.counts.is_complete:
                    counts, others = _with_lacking(read, _lacking(mapping, measured)), ""
            return AllRows(measured, Losses(subject, counts, _looked(counts, others)))
    except TimeIsUp:
        ctx.stop.check()
    except SourceError as error:
        if error.retryable:
            raise
        reason = error.message
    looked = f"Not all rows were checked for {LOOKED_FOR}: {reason} {_sampled(subject)}"
    measured = _measured(source, subject, wanted, ctx) if budget.counts_nulls else Measures()
    return AllRows(measured, Losses(subject, None, looked))


def _measured(source: Source, subject: Subject, wanted: MeasureRequest, ctx: ReadContext) -> Measures:
    if not (wanted.nulls_of or wanted.absent_of):
        return Measures()
    return measure(source, subject.plan, wanted, ctx, subject.schema.rows_estimate)


def _mapping(subject: Subject) -> Mapping | None:
    """Return the mapping of the plan; None if the plan has a fault."""
    plan, existing = subject.plan, subject.existing
    faults = check_collection(plan, subject.schema, subject.capabilities, existing)
    if any(fault.severity == "error" for fault in faults):
        return None
    key_per_partition = subject.capabilities.key_per_partition
    # The partitions may not be named yet, and do not matter here.
    plan = plan.model_copy(update={"partition_by": None, "partitions": {}})
    mapping = compile_mapping(plan, key_per_partition=key_per_partition)
    return replace(mapping, server=ServerChecks.of(subject.capabilities))


def _lacking(mapping: Mapping, measured: Measures) -> RowCounts | None:
    """Return how many of all rows lack each required vector; None if that is not known."""
    tests = [test for test in row_tests(mapping) if test.code == NULL_VECTOR]
    if measured.rows is None or not {(test.field,) for test in tests} <= measured.absent.keys():
        return None
    skips = [test.field for test in tests if test.is_skipped]
    # The largest group is made up of all vectors.
    lost = max(measured.absent.values(), default=0)
    skipped = max((n for group, n in measured.absent.items() if {*group} <= {*skips}), default=0)
    by_test = {test: measured.absent[test.field,] for test in tests}
    return RowCounts(measured.rows, lost - skipped, skipped, by_test)


def _with_lacking(read: RowsRead, lacking: RowCounts | None) -> RowCounts:
    """Return the counts of a read, together with the rows that lack a vector."""
    counts = read.counts
    if lacking is None or not counts.is_complete or lacking.rows != counts.rows:
        return counts
    counts = replace(counts, by_test={**lacking.by_test, **counts.by_test})
    found = lacking.rejected + lacking.skipped
    if not read.not_read or not found:
        return counts
    # Some rows may lack a vector and be rejected for another reason.
    lost, skipped = max(found, counts.rejected + counts.skipped), max(lacking.skipped, counts.skipped)
    is_exact = not counts.rejected and not counts.skipped
    return replace(counts, rejected=lost - skipped, skipped=skipped, is_exact=is_exact)


def _looked_read(read: RowsRead | None, rows: int | None) -> str:
    """Say which rows were read, and what was not read of them."""
    if read is None:
        return _looked(None)
    counts = read.counts
    if counts.is_complete:
        names = " and ".join(f"“{name}”" for name in read.not_read)
        return _looked(counts, f", without the numbers in {names}." if names else "")
    of = f" of about {rows:,} rows" if rows and rows > counts.rows else ""
    if counts.rows == 1:
        first = f"Only the first{of or ' row'} was"
    else:
        first = f"Only the first {counts.rows:,}{of or ' rows'} were"
    return f"{first} checked for {LOOKED_FOR}. The job checks the others while it moves them."


def _looked(counts: RowCounts | None, others: str = "") -> str:
    if counts is None:
        return f"The source cannot check all rows for {LOOKED_FOR} before the move."
    number = "The only row was" if counts.rows == 1 else f"All {counted(counts.rows, 'row')} were"
    return f"{number} checked for {LOOKED_FOR}{others or '.'}"


def is_complete(looked: str) -> bool:
    """True if ``looked`` (``AllRows.losses.looked``) says that all rows were checked, in all fields."""
    return looked.startswith(("All ", "The only row ")) and looked.endswith(f"checked for {LOOKED_FOR}.")


def _not_made(tests: tuple[RowTest, ...], made: Container[RowTest]) -> Iterator[str]:
    yield from dict.fromkeys(f"“{test.field}”" for test in tests if test not in made)


def _not_counted(subject: Subject, counts: RowCounts, tests: tuple[RowTest, ...]) -> str:
    """Name the fields with a test that was not made, and the sampled rows that would be rejected for a reason
    that has no test (a number inside a JSON document, for example). Empty if there are none."""
    fields = list(_not_made(tests, counts.by_test.keys()))
    sampled = _counts_of_sample(subject)
    found = sampled.by_test.items() if sampled else ()
    reasons = [f"{reason_of(test)} ({number:,})" for test, number in found if number and test not in tests]
    parts = [f", except in {', '.join(fields)}"] if fields else []
    parts.append(".")
    if reasons and sampled:
        rows = counted(sampled.rows, "sampled row")
        parts.append(
            f" Other reasons are not counted. Of {rows}, some would be rejected: {'; '.join(reasons)}."
        )
    return "".join(parts) if fields or reasons else ""


def _counts_of_sample(subject: Subject) -> RowCounts | None:
    """Return what the mapping makes of the sampled rows; None if there are none."""
    sample = subject.schema.sample
    if sample is None or not sample.num_rows:
        return None
    server = ServerChecks.of(subject.capabilities)
    rows = sampled_rows(subject.plan, subject.schema, sample, server)
    judge = Judge(rows.mapping)
    judge.add(rows.batch)
    return judge.counts()


def _sampled(subject: Subject) -> str:
    """Say what the mapping makes of the sampled rows."""
    counts = _counts_of_sample(subject)
    if counts is None:
        return "No row was checked."
    lost = f"{counts.rejected:,} of them would be rejected" if counts.rejected else "none would be rejected"
    return f"Only the {counted(counts.rows, 'sampled row')} were checked: {lost}."
