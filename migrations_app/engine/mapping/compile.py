"""Compiler: turns a completed collection of a plan into its mapping."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from migrations_app.engine.mapping.apply import Mapping
from migrations_app.engine.mapping.columns import AddedColumn, DynamicKeyColumn, FixedColumn, MappedColumn
from migrations_app.engine.mapping.joined_key import JoinedKey
from migrations_app.engine.mapping.json_column import FixedKey, MovedKey, OpenedColumn
from migrations_app.engine.mapping.partition import Partitioning
from migrations_app.engine.mapping.sampled_column import SampledColumn
from migrations_app.engine.milvus.schema import from_text
from migrations_app.engine.model.batch import ReadColumn, ReadPlan
from migrations_app.engine.model.key_paths import OpenedPath, opened_path
from migrations_app.engine.model.literals import literal
from migrations_app.engine.model.plan import CollectionPlan, FieldPlan, FullTextPlan
from migrations_app.engine.model.target_schema import Function, TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec


def compile_mapping(collection: CollectionPlan, *, key_per_partition: bool = True) -> Mapping:
    """Return the mapping of a collection that ``defaults.complete`` has completed and preflight has accepted.

    ``key_per_partition`` comes from the target's ``Capabilities``.
    """
    columns = tuple(_columns(collection))
    reads = dict.fromkeys(read for column in columns for read in column.reads)
    partitioning = _partitioning(collection, key_per_partition)
    if partitioning is not None:
        reads.setdefault(partitioning.read)
    read_plan = ReadPlan(columns=tuple(reads), key=collection.key_columns)
    return Mapping(
        target_schema(collection),
        read_plan,
        columns,
        not collection.is_auto_id,
        partitioning=partitioning,
        source_partitions=collection.source_partitions,
    )


def _partitioning(collection: CollectionPlan, is_in_key: bool) -> Partitioning | None:
    by = collection.partition_by
    return None if by is None else Partitioning(by, collection.partitions or {}, is_in_key)


def target_schema(collection: CollectionPlan) -> TargetSchema:
    """Return the collection to create. A key that is not a field of the source comes first."""
    assert collection.target is not None
    if collection.exact is not None:
        return _exact_copy(collection, from_text(collection.exact))
    fixed = [_target_field(collection, field) for field in collection.fields or () if not field.dynamic]
    if collection.makes_key:
        fixed.insert(0, _generated_key(collection))
    return TargetSchema(
        name=collection.target,
        fields=(*fixed, *_outputs(collection.full_text)),
        description=collection.description,
        dynamic=collection.dynamic_field,
        shards=collection.shards,
        functions=_functions(collection.full_text),
    )


def _exact_copy(collection: CollectionPlan, exact: TargetSchema) -> TargetSchema:
    """Return ``exact`` with what a copy may change: name, description, and additional full-text search."""
    assert collection.target is not None
    added = [full_text for full_text in collection.full_text if full_text.output not in exact.outputs]
    analyzers = {full_text.field: full_text.analyzer for full_text in added}
    planned = {field.target: field.spec() for field in collection.fields or () if not field.dynamic}
    fields = (
        replace(
            field,
            # Milvus Lite does not return the maximum length of the texts in an array.
            spec=planned.get(field.name, field.spec),
            analyzer=field.analyzer or analyzers.get(field.name, ""),
        )
        for field in exact.fields
    )
    return replace(
        exact,
        name=collection.target,
        description=collection.description,
        shards=collection.shards,
        fields=(*fields, *_outputs(added)),
        functions=(*exact.functions, *_functions(added)),
    )


def _outputs(full_text: Iterable[FullTextPlan]) -> tuple[TargetField, ...]:
    return tuple(TargetField(m.output, TypeSpec(MilvusType.SPARSE_FLOAT_VECTOR)) for m in full_text)


def _functions(full_text: Iterable[FullTextPlan]) -> tuple[Function, ...]:
    return tuple(Function(m.output, (m.field,), (m.output,)) for m in full_text)


def _generated_key(collection: CollectionPlan) -> TargetField:
    assert collection.key_name is not None
    if collection.is_auto_id:
        return TargetField(collection.key_name, TypeSpec(MilvusType.INT64), is_key=True, auto_id=True)
    spec = TypeSpec(MilvusType.VARCHAR, max_length=collection.key_max_length)
    return TargetField(collection.key_name, spec, is_key=True)


def _columns(collection: CollectionPlan) -> Iterator[MappedColumn]:
    """Yield the columns of the mapping: a joined key, the fields in their order, then the opened columns."""
    if collection.is_joined:
        yield JoinedKey(collection.key_columns, _generated_key(collection))
    keys: list[tuple[OpenedPath, FieldPlan]] = []
    for field in collection.fields or ():
        path = None if field.column else opened_path(field.source, collection.open)
        if path is not None:
            keys.append((path, field))
        elif field.added:
            target = _target_field(collection, field)
            yield AddedColumn(target, _fill(field, target))
        else:
            yield _dynamic(field) if field.dynamic else _column(collection, field)
    for name in dict.fromkeys(collection.open):
        yield _opened(collection, name, [(path, field) for path, field in keys if path.column == name])


def _opened(
    collection: CollectionPlan, name: str, keys: Sequence[tuple[OpenedPath, FieldPlan]]
) -> OpenedColumn:
    return OpenedColumn(
        ReadColumn(name, TypeSpec(MilvusType.JSON)),
        fixed=tuple(fixed_key(collection, path, field) for path, field in keys if not field.dynamic),
        moved=tuple(
            MovedKey(field.source or "", path.parts, field.as_ or path.parts[-1])
            for path, field in keys
            if field.dynamic
        ),
        keeps_rest=collection.rest == "dynamic",
    )


def fixed_key(collection: CollectionPlan, path: OpenedPath, field: FieldPlan) -> FixedKey:
    """Return the mapping of a document key that becomes a field."""
    target = _target_field(collection, field)
    return FixedKey(
        path=field.source or "",
        parts=path.parts,
        target=target,
        fill=_fill(field, target),
        truncates=field.too_long == "truncate",
        keeps_mismatches=field.misfit == "dynamic",
        mismatch_key=field.as_ or "",
    )


def _dynamic(field: FieldPlan) -> DynamicKeyColumn:
    assert field.source is not None
    # Without a type, the values are of any type.
    spec = field.spec() if field.type else TypeSpec(MilvusType.JSON)
    read = ReadColumn(field.source, spec, field.encoding or "")
    return DynamicKeyColumn(read, field.as_ or field.source, _literal(field.fill_null, spec))


def _column(collection: CollectionPlan, field: FieldPlan) -> FixedColumn | SampledColumn:
    if field.misfit != "dynamic":
        return _fixed(collection, field)
    name = field.source or ""
    key = fixed_key(collection, OpenedPath(name, (name,)), field)
    return SampledColumn(ReadColumn(name, TypeSpec(MilvusType.JSON)), key)


def _fixed(collection: CollectionPlan, field: FieldPlan) -> FixedColumn:
    assert field.source is not None
    target = _target_field(collection, field)
    absent = collection.absent_rule(field) if target.spec.type.is_vector else None
    return FixedColumn(
        read=ReadColumn(field.source, target.spec, field.encoding or ""),
        target=target,
        fill=[] if absent == "empty" else _fill(field, target),
        skips_null=absent == "skip",
        rejects_null=absent == "reject",
        truncates=field.too_long == "truncate",
    )


def _target_field(collection: CollectionPlan, field: FieldPlan) -> TargetField:
    assert field.target is not None
    spec = field.spec()
    return TargetField(
        name=field.target,
        spec=spec,
        is_key=collection.is_kept_key(field.source),
        nullable=bool(field.nullable),
        default=_literal(field.default, spec),
        is_partition_key=field.target == collection.partition_key,
        description=field.description,
        analyzer=next((m.analyzer for m in collection.full_text if m.field == field.target), ""),
    )


def _fill(field: FieldPlan, target: TargetField) -> Any:
    """Return the value that replaces NULL. Milvus could insert a default itself, but replacing it here works
    the same way on every version."""
    return target.default if field.fill_null is None else _literal(field.fill_null, target.spec)


def _literal(value: Any, spec: TypeSpec) -> Any:
    return None if value is None else literal(value, spec)
