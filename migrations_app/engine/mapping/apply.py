"""Mapping of a collection, and the mapped batches that it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from migrations_app.engine.errors import SourceChanged
from migrations_app.engine.mapping.checks.findings import NO_ROWS, Finding, Rows, rejected_rows, with_field
from migrations_app.engine.mapping.checks.server_checks import ServerChecks
from migrations_app.engine.mapping.columns import MappedColumn
from migrations_app.engine.mapping.dedup import last_of_each
from migrations_app.engine.mapping.dynamic_field import (
    DynamicColumnValues,
    DynamicObjects,
    dynamic_field_column,
)
from migrations_app.engine.mapping.partition import Partitioning
from migrations_app.engine.model.batch import Batch, ReadPlan, Rejected, Slice
from migrations_app.engine.model.partition_names import partition_label
from migrations_app.engine.model.target_schema import META, TargetSchema


@dataclass(frozen=True, slots=True)
class MappedBatch:
    """A batch after the mapping: rows read = rows + rejected + skipped + collapsed.

    ``rows`` have the target's ``arrow_schema()`` and are in the order of the source. ``locators`` identify
    them. ``partitions`` has the partition of each row (``dictionary<int32, string>``) if the plan divides the
    rows into partitions. ``cut`` counts the values in ``rows`` that were truncated, ``mismatched``
    those that went into the dynamic field because they do not fit the type of their field.
    """

    rows: pa.RecordBatch
    locators: pa.Array
    rejected: tuple[Rejected, ...] = ()
    skipped: int = 0
    collapsed: int = 0
    cut: int = 0
    mismatched: int = 0
    partitions: pa.Array | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with some rows. A row may have several findings, and several columns may skip it.

    ``skipped_by``: how many rows each column skips. ``mismatched``: by field, the rows with a value that goes
    into the dynamic field because it does not fit.
    """

    findings: tuple[Finding, ...]
    skipped: Rows
    skipped_by: dict[str, int]
    mismatched: dict[str, Rows]


@dataclass(slots=True)
class _BatchResult:
    """The results of all columns for all rows of a batch, including rows that will be rejected."""

    fields: dict[str, pa.Array] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    skipped: Rows = field(default_factory=lambda: NO_ROWS)
    skipped_by: dict[str, int] = field(default_factory=dict)  # by the column that lacks a value
    cut: list[Rows] = field(default_factory=list)
    mismatched: dict[str, Rows] = field(default_factory=dict)
    partitions: pa.Array | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """The mapping of one collection: turns its rows into rows of the target.

    ``read_plan`` lists what to read from the source; ``target`` is the collection that the rows go into.
    ``upsert``: the target's key comes from the source, so a row may be sent twice without harm. ``server``
    has the checks for values that only this server refuses. Rows go into the partitions of ``partitioning``,
    which depend on their values, or into those of ``source_partitions``, which depend on their slice.
    """

    target: TargetSchema
    read_plan: ReadPlan
    columns: tuple[MappedColumn, ...]
    upsert: bool
    server: ServerChecks = field(default_factory=ServerChecks)
    partitioning: Partitioning | None = None
    source_partitions: dict[str, str] = field(default_factory=dict)

    def partition_of(self, part: Slice) -> str:
        """Return the target partition for the rows of a slice; empty: the default one, or that of their
        values.

        Raises ``SourceChanged`` if the plan has no name for the source partition of the slice.
        """
        if not self.source_partitions or part.partition is None:
            return ""
        if part.partition not in self.source_partitions:
            raise SourceChanged(
                f"The source has {partition_label(part.partition)}, which has no name in the plan.",
                "If “partitions” of the plan lists the names, add it there. Otherwise start the migration "
                "again: the partitions of the source are then read again.",
            )
        return self.source_partitions[part.partition]

    def apply(self, batch: Batch) -> MappedBatch:
        """Map one batch. Its columns are those of ``read_plan``, in the same order."""
        result = self._map_columns(batch.rows)
        rows, locators, partitions = self._record_batch(result), batch.locators, result.partitions
        rejected = rejected_rows(batch, result.findings, result.skipped)
        good = _remaining_rows(rows.num_rows, [*rejected, *result.skipped])
        sent = self._rows_to_send(rows, partitions, good)
        if sent is not None:
            rows, locators, partitions = (_select(part, sent) for part in (rows, locators, partitions))
        left_out = len(rejected) + len(result.skipped)
        return MappedBatch(
            rows=_with_schema(rows, self.target.arrow_schema()),
            locators=locators,
            rejected=tuple(rejected.values()),
            skipped=len(result.skipped),
            collapsed=batch.rows.num_rows - left_out - rows.num_rows,
            cut=_values_in(result.cut, sent),
            mismatched=_values_in([*result.mismatched.values()], sent),
            partitions=partitions,
        )

    def findings(self, rows: pa.RecordBatch) -> Findings:
        """Return what is wrong with the rows, without making the batch."""
        result = self._map_columns(rows)
        return Findings(tuple(result.findings), result.skipped, result.skipped_by, result.mismatched)

    def _map_columns(self, rows: pa.RecordBatch) -> _BatchResult:
        source_columns = dict(zip(self.read_plan.columns, rows.columns, strict=True))
        fields = {field.name: field for field in self.target.fields}
        result = _BatchResult()
        meta: list[DynamicColumnValues | DynamicObjects] = []
        for column in self.columns:
            mapped = column.map_rows(source_columns, rows.num_rows)
            result.fields |= mapped.fields
            result.findings += with_field(mapped.findings, column.name)
            for name, values in mapped.fields.items():
                label = mapped.paths.get(name, column.name)
                findings = tuple(self.server.findings(values, fields[name], label))
                result.findings += with_field(findings, label)
            meta += mapped.meta
            if mapped.skipped.size:
                result.skipped = np.union1d(result.skipped, mapped.skipped)
                result.skipped_by[column.name] = mapped.skipped.size
            if mapped.cut.size:
                result.cut.append(mapped.cut)
            result.mismatched |= mapped.mismatched
        if self.target.dynamic:
            names = fields.keys() | self.server.hidden_keys
            result.fields[META], dynamic_findings = dynamic_field_column(meta, rows.num_rows, names)
            result.findings += dynamic_findings
        if self.partitioning is not None:
            values = source_columns[self.partitioning.read]
            result.partitions, partition_findings = self.partitioning.partitions_of(values)
            result.findings += partition_findings
        return result

    def _record_batch(self, result: _BatchResult) -> pa.RecordBatch:
        names = self.target.arrow_schema().names
        return pa.RecordBatch.from_arrays([result.fields[name] for name in names], names=names)

    def _rows_to_send(
        self, rows: pa.RecordBatch, partitions: pa.Array | None, good: Rows | None
    ) -> Rows | None:
        """Return the ``good`` rows, except those whose key occurs again later. None means all rows."""
        if not self.upsert:
            return good
        if self.partitioning is not None and not self.partitioning.is_in_key:
            partitions = None
        keys = rows.column(self.target.key.name)
        last = last_of_each(_select(keys, good), _select(partitions, good))
        return good if last is None else last if good is None else good[last]


def _remaining_rows(rows: int, left_out: list[int]) -> Rows | None:
    """Return the row numbers below ``rows`` that are not in ``left_out``. None means all rows."""
    if not left_out:
        return None
    remains = np.ones(rows, np.bool_)
    remains[left_out] = False
    return np.flatnonzero(remains)


def _values_in(found: list[Rows], sent: Rows | None) -> int:
    """Return how many of the values in ``found``, given by their rows, are in the rows ``sent``. None means
    all rows."""
    return sum(len(rows) if sent is None else int(np.isin(rows, sent).sum()) for rows in found)


def _select(values: Any, rows: Rows | None) -> Any:
    """Return ``values`` of these rows only. ``values`` of None, or ``rows`` of None (all), change nothing."""
    return values if values is None or rows is None else values.take(pa.array(rows))


def _with_schema(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the same columns with the target's schema, which defines the fields that hold no NULL."""
    return pa.RecordBatch.from_arrays(rows.columns, schema=schema)
