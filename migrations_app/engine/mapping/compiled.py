"""A collection's mapping, ready to be applied to batch after batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from migrations_app.engine.batch import Batch, ReadColumn, ReadPlan, Rejected
from migrations_app.engine.literals import literal
from migrations_app.engine.mapping.columns import NO_ROWS, Column, DynamicColumn, FixedColumn, named
from migrations_app.engine.mapping.duplicates import last_of_each
from migrations_app.engine.mapping.findings import Finding, Rows, rejected_rows
from migrations_app.engine.mapping.meta import MetaColumn, meta_column
from migrations_app.engine.plan import CollectionPlan, FieldPlan
from migrations_app.engine.schema import META, MilvusType, TargetField, TargetSchema, TypeSpec


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
            mapped = _only(mapped, np.flatnonzero(is_kept))
        mapped = self._without_equal_keys(mapped) if self.upsert else mapped
        return replace(mapped, rows=_typed(mapped.rows, self.target.arrow_schema()))

    def _taken(self, rows: pa.RecordBatch) -> tuple[pa.RecordBatch, list[Finding], Rows]:
        """All rows in the target's columns, the bad ones included; the findings; the rows to skip."""
        given = dict(zip(self.read_plan.columns, rows.columns, strict=True))
        fields: dict[str, pa.Array] = {}
        meta: list[MetaColumn] = []
        findings: list[Finding] = []
        skipped: Rows = NO_ROWS
        for column in self.columns:
            taken = column.take(given, rows.num_rows)
            fields |= taken.fields
            meta += taken.meta
            findings += named(taken.findings, column.name)
            skipped = np.union1d(skipped, taken.skipped) if taken.skipped.size else skipped
        if self.target.dynamic:
            fields[META], found = meta_column(meta, rows.num_rows)
            findings += found
        names = self.target.arrow_schema().names
        return pa.RecordBatch.from_arrays([fields[name] for name in names], names=names), findings, skipped

    def _without_equal_keys(self, mapped: Mapped) -> Mapped:
        last = last_of_each(mapped.rows.column(self.target.key.name))
        if last is None:
            return mapped
        return replace(_only(mapped, last), collapsed=mapped.rows.num_rows - len(last))


def _only(mapped: Mapped, rows: npt.NDArray[np.int64]) -> Mapped:
    kept = pa.array(rows)
    return replace(mapped, rows=mapped.rows.take(kept), locators=mapped.locators.take(kept))


def _typed(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The same columns under the target's schema, which says which of them hold no NULL."""
    return pa.RecordBatch.from_arrays(rows.columns, schema=schema)


def compile_mapping(collection: CollectionPlan) -> Mapping:
    """The mapping of a collection that ``proposal.complete`` filled in and preflight found without fault."""
    columns = tuple(_columns(collection))
    reads = dict.fromkeys(read for column in columns for read in column.reads)
    read_plan = ReadPlan(columns=tuple(reads), key=collection.key_columns)
    return Mapping(target_schema(collection), read_plan, columns, upsert=not collection.is_auto_id)


def target_schema(collection: CollectionPlan) -> TargetSchema:
    """The collection to make; an Auto ID key stands first."""
    assert collection.target is not None
    fixed = [_target_field(collection, field) for field in collection.fields or () if not field.dynamic]
    if collection.is_auto_id:
        assert collection.key_name is not None
        spec = TypeSpec(MilvusType.INT64)
        fixed.insert(0, TargetField(collection.key_name, spec, is_key=True, auto_id=True))
    return TargetSchema(
        name=collection.target,
        fields=tuple(fixed),
        description=collection.description,
        dynamic=collection.dynamic_field,
        shards=collection.shards,
    )


def _columns(collection: CollectionPlan) -> Iterator[Column]:
    """What makes the rows of a collection, in the order of its fields."""
    for field in collection.fields or ():
        yield _dynamic(field) if field.dynamic else _fixed(collection, field)


def _dynamic(field: FieldPlan) -> DynamicColumn:
    assert field.source is not None
    spec = field.spec()
    return DynamicColumn(
        ReadColumn(field.source, spec), field.as_ or field.source, _literal(field.fill_null, spec)
    )


def _fixed(collection: CollectionPlan, field: FieldPlan) -> FixedColumn:
    assert field.source is not None
    target = _target_field(collection, field)
    skips_null = target.spec.type.is_vector and not target.nullable and collection.skip_null_vectors
    return FixedColumn(ReadColumn(field.source, target.spec), target, _fill(field, target), skips_null)


def _target_field(collection: CollectionPlan, field: FieldPlan) -> TargetField:
    assert field.target is not None
    spec = field.spec()
    return TargetField(
        name=field.target,
        spec=spec,
        is_key=field.source in collection.key_columns,
        nullable=bool(field.nullable),
        default=_literal(field.default, spec),
        is_partition_key=field.target == collection.partition_key,
        description=field.description,
    )


def _fill(field: FieldPlan, target: TargetField) -> Any:
    """What stands for NULL. Milvus puts the default there itself; here it is the same on every version."""
    return target.default if field.fill_null is None else _literal(field.fill_null, target.spec)


def _literal(value: Any, spec: TypeSpec) -> Any:
    return None if value is None else literal(value, spec)
