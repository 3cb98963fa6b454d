"""Planning of slices: divides a collection into slices, which workers move at the same time.

Slices are stored as they come, but none can be claimed before the last one is stored.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import cast

from django.db import transaction

from migrations_app.engine.errors import BoundsLost, FerryError, LeaseLost, SourceError, UncleanStop
from migrations_app.engine.log import counted
from migrations_app.engine.mapping import compile_mapping
from migrations_app.engine.model.batch import Slice
from migrations_app.engine.sources.base import MAX_SLICES, Closable, Source
from migrations_app.execution.claim import most_at_once
from migrations_app.execution.task_runner import TAKEN_OVER, HeldJob
from migrations_app.models import Job, JobCollection, JobSlice, JobStep, StepKind, StepState, Worker

ROWS_PER_SLICE = 1_000_000
BYTES_PER_SLICE = 1024**3
# Each slice costs a connection and a query, so there are not more of them for the sake of the workers alone.
LEAST_ROWS = 25_000
# Keys of the position of the step: the number of slices to ask for, how often they had to be planned again,
# and whether rows had been written before that.
WANTED, AGAIN, HAS_WRITTEN = "wanted", "again", "has_written"
STORED_AT_ONCE = 100
STORED_EVERY_SECONDS = 1.0
# A source that is rewritten again and again cannot be moved.
MOST_PLANNINGS = 5


def slices_wanted(row: JobCollection, rows: int | None, size_bytes: int | None) -> int:
    """The number of slices to ask the source for: one for each million rows and each GiB, and one for each
    worker. ``rows`` and ``size_bytes`` are of the whole collection, None if unknown."""
    size = size_bytes or 0
    if row.limit_rows is not None:
        size = size * row.limit_rows // rows if rows else 0
        rows = row.limit_rows if rows is None else min(rows, row.limit_rows)
    workers = _slices_at_once(row)
    if rows is not None:
        workers = min(workers, rows // LEAST_ROWS)
    return max(1, min(MAX_SLICES, max(workers, (rows or 0) // ROWS_PER_SLICE, size // BYTES_PER_SLICE)))


def _slices_at_once(row: JobCollection) -> int:
    """How many slices of the collection can be moved at the same time."""
    if row.job.inline or row.one_slice_at_a_time:
        return 1
    slots = max(1, Worker.objects.slots())
    return min(slots, most_at_once(row.job) or slots)


def plan_slices(held: HeldJob, row: JobCollection, source: Source) -> None:
    """Store the slices of a collection, unless it has them. A planning that was interrupted starts over."""
    step = row.step(StepKind.PLAN_SLICES)
    if step.is_done:
        return
    step.begin()
    mapping, number = compile_mapping(row.completed), 0
    with _fenced(held):
        row.slices.all().delete()
    for parts in _chunks(source.slices(row.completed.ref, step.position.get(WANTED, 1), held.ctx)):
        held.stop.check()
        if number + len(parts) > MAX_SLICES:
            raise SourceError(
                f"The source divides “{row.source}” into more than {MAX_SLICES:,} slices.",
                "Move it in several jobs, each with a part of its rows.",
                code="too_many_slices",
            )
        for part in parts:
            mapping.partition_of(part)  # raises if the plan has no name for its partition
        with _fenced(held):
            JobSlice.objects.bulk_create(_slice(row, number + n, part, step) for n, part in enumerate(parts))
        number += len(parts)
    with _fenced(held):
        step.store(StepState.DONE)
    held.log("info", f"{row.source}: {_rows(row)}{_slices(number)}{_limits(row)}.")


def _slice(row: JobCollection, number: int, part: Slice, step: JobStep) -> JobSlice:
    return JobSlice(
        collection=row,
        number=number,
        part_id=part.id,
        bounds=part.bounds,
        partition=part.partition,
        rows_estimate=part.rows_estimate,
        resumable=part.resumable,
        repeated=step.position.get(AGAIN, 0) > 0,
    )


def _chunks(parts: Iterator[Slice]) -> Iterator[list[Slice]]:
    """Yield the slices in lists, as they come: about once a second, and not too many at once."""
    chunk: list[Slice] = []
    due = time.monotonic() + STORED_EVERY_SECONDS
    with closing(cast(Closable, parts)):
        for part in parts:
            chunk.append(part)
            if len(chunk) >= STORED_AT_ONCE or time.monotonic() >= due:
                yield chunk
                chunk, due = [], time.monotonic() + STORED_EVERY_SECONDS
    if chunk:
        yield chunk


@contextmanager
def _fenced(held: HeldJob) -> Iterator[None]:
    """A transaction, in which this process still holds the job. Raises ``LeaseLost`` if it does not."""
    with transaction.atomic():
        job = held.job
        if not Job.objects.select_for_update().filter(pk=job.pk, fence=job.fence).exists():
            raise LeaseLost(TAKEN_OVER)
        yield


def plan_again(row: JobCollection, error: BoundsLost) -> FerryError | None:
    """Delete the slices of a collection, so that they are planned again. Return the error that fails the job
    instead, if rows would then be written twice, or if it happened too often."""
    with transaction.atomic():
        Job.objects.select_for_update().get(pk=row.job_id)
        step = row.step(StepKind.PLAN_SLICES)
        if not step.is_done:
            return None  # another worker met the same error
        again = step.position.get(AGAIN, 0) + 1
        if again >= MOST_PLANNINGS:
            return error
        may_repeat = not row.completed.is_auto_id and row.limit_rows is None
        has_written = row.slices.exclude(rows_written=0, rows_in_flight=0).exists()
        if has_written and not may_repeat:
            return _cannot_repeat(row, error)
        has_written |= step.position.get(HAS_WRITTEN, False)
        changes = {AGAIN: again, HAS_WRITTEN: has_written}
        step.store(StepState.WAITING, position=step.position | changes)
        # The workers of other slices find that they lost their leases.
        row.slices.all().delete()
    return None


def _cannot_repeat(row: JobCollection, error: BoundsLost) -> UncleanStop:
    return UncleanStop(
        f"“{row.source}” can only be read from its beginning again ({error.message.rstrip('.')}), and some "
        "of its rows are in the target already.",
    )


def _rows(row: JobCollection) -> str:
    if row.rows_source is None:
        return "an unknown number of rows"
    return counted(row.rows_source, "row") if row.rows_source_exact else f"about {row.rows_source:,} rows"


def _slices(number: int) -> str:
    return f" in {number:,} slices" if number > 1 else ""


def _limits(row: JobCollection) -> str:
    """Describe the limits of the plan: the number of rows and the read rate, if any."""
    rate = row.job.options.source_rows_per_second
    first = f", of which at most the first {row.limit_rows:,} are moved" if row.limit_rows else ""
    return first + (f"; at most {rate:,} are read per second" if rate else "")
