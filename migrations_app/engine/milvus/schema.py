"""Schema messages: converts schemas to and from Milvus's messages (``schema.proto`` of milvus-proto).

The request that creates a collection is byte for byte the same as pymilvus's for the same schema. The only
exception is the default of a small integer, which pymilvus 3.0.2 puts where the server does not look for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pymilvus.grpc_gen.common_pb2 import ConsistencyLevel, KeyValuePair
from pymilvus.grpc_gen.milvus_pb2 import CreateCollectionRequest, DescribeCollectionResponse
from pymilvus.grpc_gen.schema_pb2 import (
    CollectionSchema,
    DataType,
    FieldSchema,
    FunctionSchema,
    FunctionType,
    ValueField,
)

from migrations_app.engine.errors import TargetError
from migrations_app.engine.milvus import analyzers
from migrations_app.engine.model.target_schema import META, Function, TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec

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
# The member of schema.proto's ValueField that holds a default of each type.
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


def pairs(values: Mapping[str, object]) -> list[KeyValuePair]:
    """Return options in the form that Milvus expects: pairs of a name and a text."""
    return [KeyValuePair(key=key, value=str(value)) for key, value in values.items()]


def unpaired(values: Iterable[KeyValuePair]) -> dict[str, str]:
    return {pair.key: pair.value for pair in values}


def create_request(schema: TargetSchema, database: str = "") -> CreateCollectionRequest:
    """Return the request that creates the collection. For a partition key, the server chooses the number of
    partitions."""
    return CreateCollectionRequest(
        db_name=database,
        collection_name=schema.name,
        schema=to_message(schema).SerializeToString(),
        shards_num=schema.shards,
        consistency_level=ConsistencyLevel.Bounded,
    )


def to_message(schema: TargetSchema) -> CollectionSchema:
    """Return ``schema`` as Milvus's message. The server itself adds ``$meta``."""
    return CollectionSchema(
        name=schema.name,
        description=schema.description,
        autoID=schema.key.auto_id,
        enable_dynamic_field=schema.dynamic,
        fields=[_field_message(field, field.name in schema.outputs) for field in schema.fields],
        functions=[_function_message(function) for function in schema.functions],
    )


def _field_message(field: TargetField, is_output: bool = False) -> FieldSchema:
    spec = field.spec
    params = {name: getattr(spec, name) for name in PARAMS if getattr(spec, name) is not None}
    if field.match:
        params["enable_match"] = "true"
    message = FieldSchema(
        name=field.name,
        description=field.description,
        data_type=NUMBERS[spec.type],
        is_primary_key=field.is_key,
        autoID=field.auto_id,
        nullable=field.nullable,
        is_partition_key=field.is_partition_key,
        is_function_output=is_output,
        type_params=pairs(params | analyzers.params_of(field.analyzer)),
    )
    if spec.element_type is not None:
        message.element_type = NUMBERS[spec.element_type]
    if field.default is not None:
        message.default_value.CopyFrom(ValueField(**{DEFAULT_SLOTS[spec.type]: field.default}))
    return message


def _function_message(function: Function) -> FunctionSchema:
    return FunctionSchema(
        name=function.name,
        description=function.description,
        type=FunctionType.Value(function.type),
        input_field_names=function.inputs,
        output_field_names=function.outputs,
    )


def from_message(answer: DescribeCollectionResponse) -> TargetSchema:
    """Return the schema in a server's description. Raises ``TargetError`` if Vectorferry does not know a
    type."""
    schema = answer.schema
    return TargetSchema(
        name=schema.name or answer.collection_name,
        fields=tuple(
            field_of(f, schema.autoID) for f in schema.fields if not f.is_dynamic and f.name != META
        ),
        description=schema.description,
        dynamic=schema.enable_dynamic_field,
        shards=answer.shards_num or 1,
        functions=tuple(_function(function) for function in schema.functions),
    )


def field_of(message: FieldSchema, auto_id: bool = False) -> TargetField:
    """Return a field from a server's description. ``auto_id`` is the value of the collection."""
    slot = message.default_value.WhichOneof("data") if message.HasField("default_value") else None
    params = unpaired(message.type_params)
    return TargetField(
        name=message.name,
        spec=_spec(message, params),
        is_key=message.is_primary_key,
        # The server reports Auto ID on the field, on the collection, or on both.
        auto_id=message.is_primary_key and (message.autoID or auto_id),
        nullable=message.nullable,
        default=getattr(message.default_value, slot) if slot else None,
        is_partition_key=message.is_partition_key,
        description=message.description,
        analyzer=analyzers.from_params(params),
        match=params.get("enable_match") == "true",
    )


def _spec(message: FieldSchema, params: Mapping[str, str]) -> TypeSpec:
    if message.data_type not in TYPES:
        raise TargetError(
            f"The field “{message.name}” has a type that this version of Vectorferry does not know: "
            f"{DataType.Name(message.data_type)}.",
            "Choose another collection, or migrate into a new one.",
        )
    dim, max_length, max_capacity = (int(params[name]) if name in params else None for name in PARAMS)
    kind = TYPES[message.data_type]
    element = TYPES[message.element_type] if kind is MilvusType.ARRAY else None
    return TypeSpec(kind, dim, max_length, element, max_capacity)


def _function(message: FunctionSchema) -> Function:
    return Function(
        name=message.name,
        inputs=tuple(message.input_field_names),
        outputs=tuple(message.output_field_names),
        type=FunctionType.Name(message.type),
        description=message.description,
    )


def as_stored(field: TargetField) -> TargetField:
    """Return ``field`` as Milvus stores it: a default of a FLOAT is rounded."""
    return field_of(_field_message(field))
