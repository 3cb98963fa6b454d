"""Read rows: reads rows through the mapping, as the job will, and counts those that would not be moved."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass, replace

from migrations_app.engine.errors import CursorLost, FerryError, SourceError, TimeIsUp
from migrations_app.engine.mapping import Mapping
from migrations_app.engine.mapping.columns import FixedColumn, MappedColumn
from migrations_app.engine.mapping.judge import Judge
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.model.row_tests import RowCounts
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.pacing.retry_policy import RetryPolicy
from migrations_app.engine.read_context import ReadContext, time_limit
from migrations_app.engine.reading.slice_reader import SliceReader
from migrations_app.engine.sources.base import Source

# At most this many rows are read with their vectors, and for at most this long.
FEW_ROWS, READ_SECONDS = 10_000, 5.0


@dataclass(frozen=True, slots=True)
class RowsRead:
    """What was found in the rows that were read. ``not_read`` are the vectors that were not."""

    counts: RowCounts
    not_read: tuple[str, ...] = ()


def read_rows(
    mapping: Mapping, source: Source, ref: CollectionRef, ctx: ReadContext, seconds: float, rows: int | None
) -> RowsRead | None:
    """Read the rows of a collection through the mapping; None if not a single row could be read.

    A small collection is read whole, and so are all rows without their dense vectors, if the source can leave
    these out. Of another one, the first rows are read. What cannot be read in time is left to the job.
    ``rows`` is an estimate of the number of rows.
    """
    is_light = source.reads_without_vectors and (rows is None or rows > FEW_ROWS)
    light = without_dense_vectors(mapping) if is_light else mapping
    judge = Judge(light)
    most = None if is_light else FEW_ROWS
    is_complete = False
    seconds = seconds if is_light else min(READ_SECONDS, seconds)
    with suppress(TimeIsUp, SourceError), time_limit(ctx, seconds) as limited:
        is_complete = _judge_all(judge, source, ref, most, limited)
    ctx.stop.check()
    if not judge.rows and not is_complete:
        return None
    left_out = tuple(column.name for column in mapping.columns if column not in light.columns)
    return RowsRead(replace(judge.counts(), is_complete=is_complete), left_out)


def without_dense_vectors(mapping: Mapping) -> Mapping:
    """Return a mapping that judges rows without their dense vectors. It cannot make rows of the target."""
    columns = tuple(column for column in mapping.columns if not _is_dense(column))
    used = {read for column in columns for read in column.reads}
    reads = tuple(read for read in mapping.read_plan.columns if read in used)
    plan = replace(mapping.read_plan, columns=reads)
    return replace(mapping, columns=columns, read_plan=plan, partitioning=None)


def _is_dense(column: MappedColumn) -> bool:
    if not isinstance(column, FixedColumn):
        return False
    kind = column.target.spec.type
    return kind.is_vector and kind is not MilvusType.SPARSE_FLOAT_VECTOR


def _judge_all(judge: Judge, source: Source, ref: CollectionRef, most: int | None, ctx: ReadContext) -> bool:
    """Read the rows, at most ``most``. True if these were all."""
    for part in source.slices(ref, 1, ctx):
        # One more row shows whether there are more.
        limit = None if most is None else most + 1 - judge.rows
        plan = replace(judge.mapping.read_plan, limit=limit)
        reader = SliceReader(source, ref, part, plan, retry=RetryPolicy(), log=ctx.log, start_over=_give_up)
        with closing(reader.batches(None, ctx)) as batches:
            for batch in batches:
                ctx.stop.check()
                if most is not None and judge.rows + batch.rows_read > most:
                    fitting = max(0, most - judge.rows - len(batch.rejected))
                    judge.add(replace(batch, rows=batch.rows.slice(0, fitting)))
                    return False
                judge.add(batch)
    return True


def _give_up(error: FerryError) -> None:
    """Rows that are read again would count twice."""
    raise CursorLost(error.message) from error
