"""A collection's mapping, applied to batch after batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from migrations_app.engine.mapping.checks.findings import NO_ROWS, Finding, Rows, named, rejected_rows
from migrations_app.engine.mapping.checks.server_checks import ServerChecks
from migrations_app.engine.mapping.columns import MappedColumn
from migrations_app.engine.mapping.dedup import last_of_each
from migrations_app.engine.mapping.dynamic_field import (
    DynamicColumnValues,
    DynamicObjects,
    dynamic_field_column,
)
from migrations_app.engine.mapping.partition import Partitioning
from migrations_app.engine.model.batch import Batch, ReadPlan, Rejected
from migrations_app.engine.model.target_schema import META, TargetSchema


@dataclass(frozen=True, slots=True)
class MappedBatch:
    """What became of a batch: rows read = rows + rejected + skipped + collapsed.

    ``rows`` are in the target's ``arrow_schema()``, in the order of the source; ``locators`` name them,
    ``places`` are their partitions (``dictionary<int32, string>``), where the plan makes some. ``cut`` counts
    the values in them that were cut to fit.
    """

    rows: pa.RecordBatch
    locators: pa.Array
    rejected: tuple[Rejected, ...] = ()
    skipped: int = 0
    collapsed: int = 0
    cut: int = 0
    places: pa.Array | None = None


@dataclass(slots=True)
class _BatchResult:
    """What the columns made of all rows of a batch, the bad ones included."""

    fields: dict[str, pa.Array] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    skipped: Rows = field(default_factory=lambda: NO_ROWS)
    cut: list[Rows] = field(default_factory=list)
    places: pa.Array | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """``read_plan`` is what to ask of the source, ``target`` the collection that the rows fit.

    ``upsert``: the key is kept, so a row may be sent twice without harm. ``server``: what the very server
    refuses that is to take the rows.
    """

    target: TargetSchema
    read_plan: ReadPlan
    columns: tuple[MappedColumn, ...]
    upsert: bool
    server: ServerChecks = field(default_factory=ServerChecks)
    partitioning: Partitioning | None = None

    def apply(self, batch: Batch) -> MappedBatch:
        """Map one batch, whose columns are those of ``read_plan``, in its order."""
        made = self._made(batch.rows)
        rows, locators, places = self._batch(made), batch.locators, made.places
        rejected = rejected_rows(batch, made.findings, made.skipped)
        good = _others(rows.num_rows, [*rejected, *made.skipped])
        kept = self._last_of_each_key(rows, places, good)
        if kept is not None:
            rows, locators, places = (_taken(part, kept) for part in (rows, locators, places))
        left_out = len(rejected) + len(made.skipped)
        return MappedBatch(
            rows=_typed(rows, self.target.arrow_schema()),
            locators=locators,
            rejected=tuple(rejected.values()),
            skipped=len(made.skipped),
            collapsed=batch.rows.num_rows - left_out - rows.num_rows,
            cut=sum(len(cut) if kept is None else int(np.isin(cut, kept).sum()) for cut in made.cut),
            places=places,
        )

    def _made(self, rows: pa.RecordBatch) -> _BatchResult:
        given = dict(zip(self.read_plan.columns, rows.columns, strict=True))
        fields = {field.name: field for field in self.target.fields}
        made = _BatchResult()
        meta: list[DynamicColumnValues | DynamicObjects] = []
        for column in self.columns:
            taken = column.take(given, rows.num_rows)
            made.fields |= taken.fields
            made.findings += named(taken.findings, column.name)
            for name, values in taken.fields.items():
                shown = column.name if len(taken.fields) == 1 else name
                made.findings += named(tuple(self.server.findings(values, fields[name], shown)), shown)
            meta += taken.meta
            if taken.skipped.size:
                made.skipped = np.union1d(made.skipped, taken.skipped)
            if taken.cut.size:
                made.cut.append(taken.cut)
        if self.target.dynamic:
            names = fields.keys() | self.server.hidden_keys
            made.fields[META], found = dynamic_field_column(meta, rows.num_rows, names)
            made.findings += found
        if self.partitioning is not None:
            made.places, strange = self.partitioning.places(given[self.partitioning.read])
            made.findings += strange
        return made

    def _batch(self, made: _BatchResult) -> pa.RecordBatch:
        names = self.target.arrow_schema().names
        return pa.RecordBatch.from_arrays([made.fields[name] for name in names], names=names)

    def _last_of_each_key(
        self, rows: pa.RecordBatch, places: pa.Array | None, good: Rows | None
    ) -> Rows | None:
        """Of the ``good`` rows those to send; None for all there are."""
        if not self.upsert:
            return good
        if self.partitioning is not None and not self.partitioning.is_in_key:
            places = None
        keys = rows.column(self.target.key.name)
        last = last_of_each(_taken(keys, good), _taken(places, good))
        return good if last is None else last if good is None else good[last]


def _others(rows: int, gone: list[int]) -> Rows | None:
    """The numbers below ``rows`` that are not ``gone``; None for all of them."""
    if not gone:
        return None
    is_kept = np.ones(rows, np.bool_)
    is_kept[gone] = False
    return np.flatnonzero(is_kept)


def _taken(values: Any, rows: Rows | None) -> Any:
    """``values`` of these rows alone; of all rows, and where there are no values, as they are."""
    return values if values is None or rows is None else values.take(pa.array(rows))


def _typed(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The same columns under the target's schema, which says which of them hold no NULL."""
    return pa.RecordBatch.from_arrays(rows.columns, schema=schema)
