"""A collection's schema, between our words and Milvus's messages (``schema.proto`` of milvus-proto)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pymilvus.grpc_gen.common_pb2 import KeyValuePair
from pymilvus.grpc_gen.milvus_pb2 import DescribeCollectionResponse
from pymilvus.grpc_gen.schema_pb2 import CollectionSchema, DataType, FieldSchema, ValueField

from migrations_app.engine.errors import TargetError
from migrations_app.engine.schema import META, MilvusType, TargetField, TargetSchema, TypeSpec

NUMBERS: dict[MilvusType, int] = {
    MilvusType.BOOL: DataType.Bool,
    MilvusType.INT8: DataType.Int8,
    MilvusType.INT16: DataType.Int16,
    MilvusType.INT32: DataType.Int32,
    MilvusType.INT64: DataType.Int64,
    MilvusType.FLOAT: DataType.Float,
    MilvusType.DOUBLE: DataType.Double,
    MilvusType.VARCHAR: DataType.VarChar,
    MilvusType.JSON: DataType.JSON,
    MilvusType.ARRAY: DataType.Array,
    MilvusType.FLOAT_VECTOR: DataType.FloatVector,
    MilvusType.FLOAT16_VECTOR: DataType.Float16Vector,
    MilvusType.BFLOAT16_VECTOR: DataType.BFloat16Vector,
    MilvusType.INT8_VECTOR: DataType.Int8Vector,
    MilvusType.BINARY_VECTOR: DataType.BinaryVector,
    MilvusType.SPARSE_FLOAT_VECTOR: DataType.SparseFloatVector,
}
TYPES = {number: kind for kind, number in NUMBERS.items()}
PARAMS = ("dim", "max_length", "max_capacity")
# Where schema.proto's ValueField keeps a default of each type.
DEFAULT_SLOTS: dict[MilvusType, str] = {
    MilvusType.BOOL: "bool_data",
    MilvusType.INT8: "int_data",
    MilvusType.INT16: "int_data",
    MilvusType.INT32: "int_data",
    MilvusType.INT64: "long_data",
    MilvusType.FLOAT: "float_data",
    MilvusType.DOUBLE: "double_data",
    MilvusType.VARCHAR: "string_data",
}


def pairs(values: dict[str, Any]) -> list[KeyValuePair]:
    """Milvus's way to send options: texts by name."""
    return [KeyValuePair(key=key, value=str(value)) for key, value in values.items()]


def unpaired(values: Iterable[KeyValuePair]) -> dict[str, str]:
    return {pair.key: pair.value for pair in values}


def to_message(schema: TargetSchema) -> CollectionSchema:
    """``schema`` as Milvus takes it. The server adds ``$meta`` itself."""
    return CollectionSchema(
        name=schema.name,
        description=schema.description,
        autoID=schema.key.auto_id,
        enable_dynamic_field=schema.dynamic,
        fields=[_field_message(field) for field in schema.fields],
    )


def _field_message(field: TargetField) -> FieldSchema:
    spec = field.spec
    params = {name: getattr(spec, name) for name in PARAMS if getattr(spec, name) is not None}
    message = FieldSchema(
        name=field.name,
        description=field.description,
        data_type=NUMBERS[spec.type],
        is_primary_key=field.is_key,
        autoID=field.auto_id,
        nullable=field.nullable,
        is_partition_key=field.is_partition_key,
        type_params=pairs(params),
    )
    if spec.element_type is not None:
        message.element_type = NUMBERS[spec.element_type]
    if field.default is not None:
        message.default_value.CopyFrom(ValueField(**{DEFAULT_SLOTS[spec.type]: field.default}))
    return message


def from_message(answer: DescribeCollectionResponse) -> TargetSchema:
    """What the server says a collection is. Raises ``TargetError`` for a type this program does not know."""
    schema = answer.schema
    return TargetSchema(
        name=schema.name or answer.collection_name,
        fields=tuple(_field(f, schema.autoID) for f in schema.fields if not f.is_dynamic and f.name != META),
        description=schema.description,
        dynamic=schema.enable_dynamic_field,
        shards=answer.shards_num or 1,
    )


def _field(message: FieldSchema, auto_id: bool) -> TargetField:
    slot = message.default_value.WhichOneof("data") if message.HasField("default_value") else None
    return TargetField(
        name=message.name,
        spec=_spec(message),
        is_key=message.is_primary_key,
        # The server keeps Auto ID on the field, on the collection, or on both.
        auto_id=message.is_primary_key and (message.autoID or auto_id),
        nullable=message.nullable,
        default=getattr(message.default_value, slot) if slot else None,
        is_partition_key=message.is_partition_key,
        description=message.description,
    )


def _spec(message: FieldSchema) -> TypeSpec:
    if message.data_type not in TYPES:
        raise TargetError(
            f"The field “{message.name}” has a type this version does not know: "
            f"{DataType.Name(message.data_type)}.",
            "Leave that collection alone, or migrate into a new one.",
        )
    params = unpaired(message.type_params)
    dim, max_length, max_capacity = (int(params[name]) if name in params else None for name in PARAMS)
    kind = TYPES[message.data_type]
    element = TYPES[message.element_type] if kind is MilvusType.ARRAY else None
    return TypeSpec(kind, dim, max_length, element, max_capacity)


def differences(found: TargetSchema, wanted: TargetSchema) -> tuple[str, ...]:
    """Names of the fields in which ``found`` is not what creating ``wanted`` leaves behind ("$meta" too).

    Milvus Lite keeps no descriptions, no shards and no ``max_length`` of an ARRAY: these do not count.
    """
    there, here = _shapes(found), _shapes(wanted)
    names = {name for name in there | here if there.get(name) != here.get(name)}
    return tuple(sorted(names | ({META} if found.dynamic != wanted.dynamic else set())))


def _shapes(schema: TargetSchema) -> dict[str, TargetField]:
    return {field.name: _shape(field) for field in schema.fields}


def _shape(field: TargetField) -> TargetField:
    """A field by what counts, and as a message keeps it: a FLOAT default is rounded there."""
    kept = replace(_field(_field_message(field), auto_id=False), description="")
    if kept.spec.type is MilvusType.ARRAY:
        return replace(kept, spec=replace(kept.spec, max_length=None))
    return kept
