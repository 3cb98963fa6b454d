"""Measure: answers questions about all rows of a collection.

What the source itself cannot answer is read from the rows, if that takes little time; otherwise the answer is
unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.errors import CursorLost, FerryError, TimeIsUp
from migrations_app.engine.model.batch import ReadColumn, ReadPlan
from migrations_app.engine.model.joined_key_text import PART
from migrations_app.engine.model.partition_names import VALUE
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.model.types import TypeSpec
from migrations_app.engine.pacing.retry_policy import RetryPolicy
from migrations_app.engine.read_context import ReadContext, time_limit
from migrations_app.engine.reading.slice_reader import SliceReader
from migrations_app.engine.sources.base import KeyRows, MeasureRequest, Measures, Source

# The most rows that are read to answer questions, and the most time.
MAX_ROWS = 200_000
SECONDS = 5.0


def can_list_values(source: Source, schema: CollectionSchema) -> bool:
    """True if the values of a field can be listed: by the source, or by reading the collection."""
    is_small = schema.rows_estimate is not None and schema.rows_estimate <= MAX_ROWS
    return "values" in source.can_measure or is_small


def measure(
    source: Source, plan: CollectionPlan, wanted: MeasureRequest, ctx: ReadContext, rows: int | None = None
) -> Measures:
    """Answer ``wanted`` about the rows that ``plan`` selects, by the source or by reading the rows.

    If the rows are read, only the columns that matter are read: at most ``MAX_ROWS`` rows, for at most
    ``SECONDS``. If there are more rows, the answers are unknown. ``rows`` is an estimate of their number, if
    known. Raises the errors of the source.
    """
    found = source.measure(plan.ref, wanted, ctx)
    scan = _Scan(plan, _unanswered(source, wanted))
    if not scan.columns or (rows or 0) > MAX_ROWS:
        return found
    try:
        with time_limit(ctx, SECONDS) as limited:
            is_complete = scan.run(source, limited)
    except (TimeIsUp, CursorLost):
        is_complete = False
    ctx.stop.check()
    return scan.completed(found) if is_complete else found


def _unanswered(source: Source, wanted: MeasureRequest) -> MeasureRequest:
    """Return the questions that the source cannot answer."""
    able = source.can_measure
    return MeasureRequest(
        dims_of=() if "dims" in able else wanted.dims_of,
        nulls_of=() if "nulls" in able else wanted.nulls_of,
        extremes_of=() if "extremes" in able else wanted.extremes_of,
        duplicates_of=None if "duplicates" in able else wanted.duplicates_of,
        values_of=None if "values" in able else wanted.values_of,
        absent_of=() if "absent" in able else wanted.absent_of,
    )


class _Scan:
    """Answers ``wanted`` from the rows. ``columns`` are the columns to read, by name; a question about a
    column that is not among them has no answer."""

    def __init__(self, plan: CollectionPlan, wanted: MeasureRequest) -> None:
        self._plan = plan
        self._wanted = wanted
        self.columns = dict(_columns(plan, wanted))
        self._rows = 0
        self._dims: dict[str, Counter[int]] = {}
        self._nulls: Counter[str] = Counter()
        self._values: Counter[str | None] = Counter()
        self._ends: dict[str, list[int]] = {}
        self._absent: Counter[tuple[str, ...]] = Counter()
        self._keys: list[pa.Table] = []

    def run(self, source: Source, ctx: ReadContext) -> bool:
        """Read the rows. False if there are more than ``MAX_ROWS``."""
        columns = tuple(ReadColumn(name, spec) for name, spec in self.columns.items())
        for part in source.slices(self._plan.ref, 1, ctx):
            read_plan = ReadPlan(columns, limit=MAX_ROWS + 1 - self._rows)
            reader = SliceReader(
                source, self._plan.ref, part, read_plan, retry=RetryPolicy(), log=ctx.log, start_over=_give_up
            )
            with closing(reader.batches(None, ctx)) as batches:
                for batch in batches:
                    ctx.stop.check()
                    self._rows += batch.rows_read
                    if self._rows > MAX_ROWS:
                        return False
                    self._add(batch.rows, part.partition)
        return True

    def _add(self, rows: pa.RecordBatch, partition: str | None) -> None:
        wanted = self._wanted
        for name in self._known(wanted.dims_of):
            lengths = pc.value_counts(pc.list_value_length(rows.column(name).drop_null())).to_pylist()
            dims = self._dims.setdefault(name, Counter())
            dims.update({length["values"]: length["counts"] for length in lengths})
        for name in self._known(wanted.nulls_of):
            self._nulls[name] += rows.column(name).null_count
        for name in self._known(wanted.extremes_of):
            # The column may also be the part of a key, which is read as text.
            ends = pc.min_max(rows.column(name).cast(pa.int64())).as_py().values()
            self._ends.setdefault(name, []).extend(end for end in ends if end is not None)
        for group in self._known_groups():
            is_null = [rows.column(name).is_null() for name in group]
            self._absent[group] += pc.sum(reduce(pc.or_, is_null)).as_py() or 0
        if wanted.values_of in self.columns:
            for item in pc.value_counts(rows.column(wanted.values_of)).to_pylist():
                self._values[item["values"]] += item["counts"]
        if wanted.duplicates_of and self._knows(wanted.duplicates_of):
            for name in wanted.duplicates_of.present:
                rows = rows.filter(rows.column(name).is_valid())
            columns = [rows.column(column.path) for column in wanted.duplicates_of.columns]
            if wanted.duplicates_of.by_partition:
                columns.append(pa.repeat(pa.scalar(partition, pa.string()), rows.num_rows))
            self._keys.append(pa.table({str(number): column for number, column in enumerate(columns)}))

    def completed(self, found: Measures) -> Measures:
        """Return ``found`` with the answers from the rows."""
        wanted = self._wanted
        nulls = {name: self._nulls[name] for name in self._known(wanted.nulls_of)}
        ends = {name: self._ends.get(name) for name in self._known(wanted.extremes_of)}
        extremes = {name: (min(end), max(end)) if end else None for name, end in ends.items()}
        return replace(
            found,
            dims={**found.dims, **self._dims},
            nulls={**found.nulls, **nulls},
            extremes={**found.extremes, **extremes},
            duplicates=self._duplicates() if wanted.duplicates_of else found.duplicates,
            values=dict(self._values) if wanted.values_of in self.columns else found.values,
            absent={**found.absent, **{group: self._absent[group] for group in self._known_groups()}},
            rows=self._rows if wanted.absent_of else found.rows,
        )

    def _duplicates(self) -> int | None:
        wanted = self._wanted.duplicates_of
        if wanted is None or not self._knows(wanted):
            return None
        if not self._keys:
            return 0
        keys = pa.concat_tables(self._keys)
        return int(keys.num_rows - keys.group_by(keys.column_names).aggregate([]).num_rows)

    def _known(self, names: Iterable[str]) -> Iterator[str]:
        return (name for name in names if name in self.columns)

    def _known_groups(self) -> Iterator[tuple[str, ...]]:
        return (group for group in self._wanted.absent_of if set(group) <= self.columns.keys())

    def _knows(self, keys: KeyRows) -> bool:
        return all(name in self.columns for name in keys.present)


def _columns(plan: CollectionPlan, wanted: MeasureRequest) -> Iterator[tuple[str, TypeSpec]]:
    """Yield the columns to read, each in a type in which it can be read. The last one of a name counts."""
    keys = wanted.duplicates_of
    absent = (name for group in wanted.absent_of for name in group)
    names = (*wanted.nulls_of, *wanted.extremes_of, *absent, *(keys.present if keys else ()))
    specs = {field.source: field.spec() for field in plan.fields or () if field.type and not field.dynamic}
    for name in names:
        spec = specs.get(name, PART if name in plan.key_columns else None)
        if spec is not None:
            yield name, spec
    # A vector of unknown dimension arrives as a list.
    for name in wanted.dims_of:
        if name in specs:
            yield name, replace(specs[name], dim=None)
    yield from ((column.path, column.spec) for column in (keys.columns if keys else ()))
    if wanted.values_of is not None:
        yield wanted.values_of, VALUE


def _give_up(error: FerryError) -> None:
    """The rows that were read cannot be taken back: leave the question open."""
    raise CursorLost(error.message) from error
