"""From a completed collection of a plan to its mapping."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from migrations_app.engine.batch import ReadColumn, ReadPlan
from migrations_app.engine.literals import literal
from migrations_app.engine.mapping.columns import Column, DynamicColumn, FixedColumn
from migrations_app.engine.mapping.compiled import Mapping
from migrations_app.engine.plan import CollectionPlan, FieldPlan
from migrations_app.engine.schema import Function, MilvusType, TargetField, TargetSchema, TypeSpec


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
    made = [
        TargetField(wanted.output, TypeSpec(MilvusType.SPARSE_FLOAT_VECTOR))
        for wanted in collection.full_text
    ]
    return TargetSchema(
        name=collection.target,
        fields=(*fixed, *made),
        description=collection.description,
        dynamic=collection.dynamic_field,
        shards=collection.shards,
        functions=tuple(Function(m.output, (m.field,), (m.output,)) for m in collection.full_text),
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
    read = ReadColumn(field.source, target.spec)
    cuts = field.too_long == "truncate"
    return FixedColumn(read, target, _fill(field, target), skips_null, cuts)


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
        analyzer=next((m.analyzer for m in collection.full_text if m.field == field.target), ""),
    )


def _fill(field: FieldPlan, target: TargetField) -> Any:
    """What stands for NULL. Milvus puts the default there itself; here it is the same on every version."""
    return target.default if field.fill_null is None else _literal(field.fill_null, target.spec)


def _literal(value: Any, spec: TypeSpec) -> Any:
    return None if value is None else literal(value, spec)
