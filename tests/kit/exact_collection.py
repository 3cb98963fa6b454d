"""Exact collections: collections of the memory source that have a schema to copy, like those of a Milvus."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa

from migrations_app.engine.model.source_schema import SourceField, SourceKey, TypeChoice
from migrations_app.engine.model.target_schema import META, Function, TargetField, TargetSchema
from migrations_app.engine.model.types import KEY_TYPES, MilvusType, TypeSpec, arrow_type
from tests.kit.memory_source import MemoryCollection

TEXT = TypeSpec(MilvusType.VARCHAR, max_length=200)
# A schema with every option that can be copied.
EXACT = TargetSchema(
    "articles",
    (
        TargetField("id", TypeSpec(MilvusType.INT64), is_key=True, description="the number"),
        TargetField("v", TypeSpec(MilvusType.FLOAT_VECTOR, dim=4), params={"mmap.enabled": "true"}),
        TargetField("title", TEXT, analyzer="english", match=True, description="as printed"),
        TargetField("text", TEXT),
        TargetField("kind", TEXT, is_partition_key=True),
        TargetField("stock", TypeSpec(MilvusType.INT32), nullable=True, default=7),
        TargetField("price", TypeSpec(MilvusType.DOUBLE), nullable=True, is_clustering_key=True),
        TargetField("tags", TypeSpec(MilvusType.ARRAY, None, 20, MilvusType.VARCHAR, 9), nullable=True),
        TargetField("words", TypeSpec(MilvusType.SPARSE_FLOAT_VECTOR)),
    ),
    description="All articles",
    dynamic=False,
    shards=2,
    functions=(Function("by_words", ("title",), ("words",), description="BM25", params={"bm25_k1": "1.5"}),),
    consistency="Session",
    partitions=17,
    properties={"collection.ttl.seconds": "86400", "mmap.enabled": "true"},
)
_VALUES: dict[MilvusType, Any] = {
    MilvusType.BOOL: lambda row, spec: row % 2 == 0,
    MilvusType.FLOAT: lambda row, spec: row / 2,
    MilvusType.DOUBLE: lambda row, spec: row / 2,
    MilvusType.VARCHAR: lambda row, spec: f"text {row}",
    MilvusType.JSON: lambda row, spec: f'{{"row": {row}}}',
    MilvusType.ARRAY: lambda row, spec: [_value(row, TypeSpec(spec.element_type))],
    MilvusType.FLOAT_VECTOR: lambda row, spec: [float(row + n) for n in range(spec.dim)],
}


def exact_collection(schema: TargetSchema, rows: int) -> MemoryCollection:
    """Return a collection with this schema. Every fourth value of a nullable field is NULL; the dynamic field
    has one key."""
    stored = [field for field in schema.fields if field.name not in schema.outputs]
    columns = {
        field.name: pa.array(
            [None if field.nullable and row % 4 == 3 else _value(row, field.spec) for row in range(rows)],
            arrow_type(field.spec),
        )
        for field in stored
    }
    fields = tuple(
        SourceField(
            field.name,
            str(field.spec),
            (TypeChoice(field.spec),),
            nullable=field.nullable,
            can_be_key=field.spec.type in KEY_TYPES,
            metric="IP" if field.spec.type.is_vector else None,
            description=field.description,
            can_open=field.spec.type is MilvusType.JSON,
        )
        for field in stored
    )
    if schema.dynamic:
        columns[META] = pa.array([f'{{"extra": {row}}}' for row in range(rows)])
        choices = (TypeChoice(TypeSpec(MilvusType.JSON)),)
        fields += (SourceField(META, "dynamic field", choices, can_open=True, is_rest=True),)
    key = SourceKey((schema.key.name,))
    return MemoryCollection(pa.record_batch(columns), fields, key, exact=schema)


def with_auto_id(schema: TargetSchema) -> TargetSchema:
    """Return the schema with a key that the server generates."""
    fields = (replace(field, auto_id=field.is_key) for field in schema.fields)
    return replace(schema, fields=tuple(fields))


def _value(row: int, spec: TypeSpec) -> Any:
    return _VALUES.get(spec.type, lambda row, spec: row)(row, spec)
