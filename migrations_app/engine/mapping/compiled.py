"""A collection's mapping, ready to be applied to batch after batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.batch import Batch, ReadColumn, ReadPlan, Rejected
from migrations_app.engine.literals import literal
from migrations_app.engine.mapping.checks import CHECKS, rows_where
from migrations_app.engine.mapping.duplicates import last_of_each
from migrations_app.engine.mapping.findings import Finding, Rows, rejected_rows
from migrations_app.engine.mapping.fitting import fitted
from migrations_app.engine.mapping.meta import MetaColumn, meta_column
from migrations_app.engine.plan import CollectionPlan, FieldPlan
from migrations_app.engine.schema import (
    MilvusType,
    TargetField,
    TargetSchema,
    TypeSpec,
    arrow_type,
)

_NO_ROWS: Rows = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Mapped:
    """What became of a batch: rows read = rows + rejected + skipped + collapsed.

    ``rows`` are in the target's ``arrow_schema()``, in the order of the source; ``locators`` name them.
    """

    rows: pa.RecordBatch
    locators: pa.Array
    rejected: tuple[Rejected, ...] = ()
    skipped: int = 0
    collapsed: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """How one source column becomes a field, or (``target`` is None) the key ``key`` of ``$meta``.

    ``position`` is its place in a batch. ``fill`` replaces NULL. ``skips_null``: a row where it is NULL
    is left out and only counted.
    """

    source: str
    position: int
    spec: TypeSpec
    target: TargetField | None = None
    key: str = ""
    fill: Any = None
    skips_null: bool = False

    @property
    def takes_null(self) -> bool:
        return self.target is None or self.target.nullable

    def take(self, rows: pa.RecordBatch) -> tuple[pa.Array, tuple[Finding, ...], Rows]:
        """The column in its target type, what is wrong with it, and the rows to skip."""
        given = rows.column(self.position)
        values, found = fitted(given, arrow_type(self.spec), self.source)
        if given.null_count and self.skips_null:
            return values, (*found, *self._checked(values)), rows_where(given.is_null())
        if given.null_count and self.fill is not None:
            fill = pa.scalar(self.fill, values.type)
            values = pc.if_else(given.is_null(), fill, values)
        elif given.null_count and not self.takes_null:
            found = (*found, self._null(rows_where(given.is_null())))
        return values, (*found, *self._checked(values)), _NO_ROWS

    def _checked(self, values: pa.Array) -> tuple[Finding, ...]:
        if self.target is None or self.spec.type not in CHECKS:
            return ()
        return tuple(CHECKS[self.spec.type](values, self.spec, self.source))

    def _null(self, rows: Rows) -> Finding:
        target = self.target
        assert target is not None
        if target.is_key:
            return Finding(rows, "null_key", lambda row: f"The key “{self.source}” is NULL.")
        if target.spec.type.is_vector:
            return Finding(rows, "null_vector", lambda row: f"The vector “{self.source}” is NULL.")
        return Finding(rows, "null", lambda row: f"“{self.source}” is NULL; the field takes no NULL.")


@dataclass(frozen=True, slots=True)
class Mapping:
    """``read_plan`` is what to ask of the source, ``target`` the collection that the rows fit.

    ``upsert``: the key is kept, so a row may be sent twice without harm.
    """

    target: TargetSchema
    read_plan: ReadPlan
    columns: tuple[Column, ...]
    upsert: bool

    def apply(self, batch: Batch) -> Mapped:
        """Map one batch, whose columns are those of ``read_plan``, in its order."""
        rows, findings, skipped = self._taken(batch.rows)
        rejected = rejected_rows(batch, findings, skipped)
        mapped = Mapped(rows, batch.locators, tuple(rejected.values()), len(skipped))
        if rejected or len(skipped):
            is_kept = np.ones(rows.num_rows, np.bool_)
            is_kept[[*rejected, *skipped]] = False
            kept = pa.array(np.flatnonzero(is_kept))
            mapped = replace(mapped, rows=rows.take(kept), locators=mapped.locators.take(kept))
        mapped = self._without_equal_keys(mapped) if self.upsert else mapped
        return replace(mapped, rows=_typed(mapped.rows, self.target.arrow_schema()))

    def _taken(self, rows: pa.RecordBatch) -> tuple[pa.RecordBatch, list[Finding], Rows]:
        """All rows in the target's columns, the bad ones included; the findings; the rows to skip."""
        fields: list[pa.Array] = []
        meta: list[MetaColumn] = []
        findings: list[Finding] = []
        skipped: Rows = _NO_ROWS
        for column in self.columns:
            values, found, skip = column.take(rows)
            findings += (replace(finding, field=column.source) for finding in found)
            skipped = np.union1d(skipped, skip) if skip.size else skipped
            if column.target is None:
                meta.append(MetaColumn(column.key, values, column.spec.type is MilvusType.JSON))
            else:
                fields.append(values)
        if self.target.dynamic:
            values, found = meta_column(meta, rows.num_rows)
            fields.append(values)
            findings += found
        names = self.target.arrow_schema().names
        return pa.RecordBatch.from_arrays(fields, names=names), findings, skipped

    def _without_equal_keys(self, mapped: Mapped) -> Mapped:
        last = last_of_each(mapped.rows.column(self.target.key.name))
        if last is None:
            return mapped
        return replace(
            mapped,
            rows=mapped.rows.take(pa.array(last)),
            locators=mapped.locators.take(pa.array(last)),
            collapsed=mapped.rows.num_rows - len(last),
        )


def _typed(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The same columns under the target's schema, which says which of them hold no NULL."""
    return pa.RecordBatch.from_arrays(rows.columns, schema=schema)


def compile_mapping(collection: CollectionPlan) -> Mapping:
    """The mapping of a collection that ``proposal.complete`` filled in and preflight found without fault."""
    fields = collection.fields or []
    columns = tuple(_column(collection, field, position) for position, field in enumerate(fields))
    read_plan = ReadPlan(
        columns=tuple(ReadColumn(column.source, column.spec) for column in columns),
        key=collection.key_columns,
    )
    return Mapping(target_schema(collection, columns), read_plan, columns, upsert=not collection.is_auto_id)


def target_schema(collection: CollectionPlan, columns: Sequence[Column]) -> TargetSchema:
    """The collection to make; an Auto ID key stands first."""
    assert collection.target is not None
    fixed = tuple(column.target for column in columns if column.target is not None)
    if collection.is_auto_id:
        assert collection.key_name is not None
        key = TargetField(collection.key_name, TypeSpec(MilvusType.INT64), is_key=True, auto_id=True)
        fixed = (key, *fixed)
    return TargetSchema(
        name=collection.target,
        fields=fixed,
        description=collection.description,
        dynamic=collection.dynamic_field,
        shards=collection.shards,
    )


def _column(collection: CollectionPlan, field: FieldPlan, position: int) -> Column:
    assert field.source is not None
    spec = field.spec()
    if field.dynamic:
        fill = _literal(field.fill_null, spec)
        return Column(field.source, position, spec, key=field.as_ or field.source, fill=fill)
    assert field.target is not None
    default = _literal(field.default, spec)
    target = TargetField(
        name=field.target,
        spec=spec,
        is_key=field.source in collection.key_columns,
        nullable=bool(field.nullable),
        default=default,
        is_partition_key=field.target == collection.partition_key,
        description=field.description,
    )
    # Milvus puts the default where a row brings NULL; doing it here is the same on every version.
    fill = default if field.fill_null is None else _literal(field.fill_null, spec)
    skips_null = spec.type.is_vector and not target.nullable and collection.skip_null_vectors
    return Column(field.source, position, spec, target, fill=fill, skips_null=skips_null)


def _literal(value: Any, spec: TypeSpec) -> Any:
    return None if value is None else literal(value, spec)
