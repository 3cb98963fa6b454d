"""Schema messages: converts schemas to and from Milvus's messages (``schema.proto`` of milvus-proto).

The request that creates a collection is byte for byte the same as pymilvus's for the same schema. The only
exception is the default of a small integer, which pymilvus 3.0.2 puts where the server does not look for it.

A described collection keeps its message, so that a copy of it also has what ``TargetSchema`` does not know.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

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

from migrations_app.engine.errors import ServerError
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
# The type parameters that have an attribute of their own in ``TargetField``.
KNOWN_PARAMS = frozenset({*PARAMS, "enable_match", "enable_analyzer", "analyzer_params"})
# Properties of a collection that belong to its cluster: they are not part of a copy.
CLUSTER_PROPERTIES = frozenset({"collection.replica.number", "collection.resource_groups"})
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
    """Return the options in ``pairs``."""
    return {pair.key: pair.value for pair in values}


def create_request(schema: TargetSchema, database: str = "") -> CreateCollectionRequest:
    """Return the request that creates the collection.

    If the schema has a message, its parts are sent unchanged, except for what differs in ``schema``.
    """
    request = CreateCollectionRequest.FromString(schema.message)
    request.db_name, request.collection_name = database, schema.name
    request.schema = _patched(CollectionSchema.FromString(request.schema), schema).SerializeToString()
    request.shards_num, request.num_partitions = schema.shards, schema.partitions
    request.consistency_level = _number(ConsistencyLevel, schema.consistency)
    copied = {name: value for name, value in schema.properties.items() if name not in CLUSTER_PROPERTIES}
    del request.properties[:]
    request.properties.extend(pairs(copied))
    return request


def _patched(message: CollectionSchema, schema: TargetSchema) -> CollectionSchema:
    """Return ``message`` with what differs in ``schema``."""
    fields = {field.name: field for field in message.fields}
    functions = {function.name: function for function in message.functions}
    patched = CollectionSchema()
    patched.CopyFrom(message)
    del patched.fields[:], patched.functions[:]
    known = to_message(schema)
    for name in ("name", "description", "autoID", "enable_dynamic_field"):
        setattr(patched, name, getattr(known, name))
    for field, wanted in zip(known.fields, schema.fields, strict=True):
        patched.fields.append(_patched_field(fields.get(field.name), field, wanted, message.autoID))
    for function in known.functions:
        patched.functions.append(functions.get(function.name, function))
    return patched


def _patched_field(
    old: FieldSchema | None, new: FieldSchema, wanted: TargetField, auto_id: bool
) -> FieldSchema:
    if old is None:
        return new
    if field_of(old, auto_id) == wanted:
        return old
    patched = FieldSchema()
    patched.CopyFrom(old)
    patched.ClearField("default_value")
    del patched.type_params[:]
    patched.MergeFrom(new)
    return patched


def to_text(schema: TargetSchema) -> str:
    """Return the request that creates the collection as text (base64), for a plan."""
    return base64.b64encode(create_request(schema).SerializeToString()).decode()


def from_text(text: str) -> TargetSchema:
    """Return the schema that ``to_text`` wrote."""
    return _from_request(CreateCollectionRequest.FromString(base64.b64decode(text)))


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
    params |= analyzers.params_of(field.analyzer)
    message = FieldSchema(
        name=field.name,
        description=field.description,
        data_type=NUMBERS[spec.type],
        is_primary_key=field.is_key,
        autoID=field.auto_id,
        nullable=field.nullable,
        is_partition_key=field.is_partition_key,
        is_clustering_key=field.is_clustering_key,
        is_function_output=is_output,
        type_params=pairs({**params, **field.params}),
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
        type=_number(FunctionType, function.type),
        input_field_names=function.inputs,
        output_field_names=function.outputs,
        params=pairs(function.params),
    )


def from_message(answer: DescribeCollectionResponse) -> TargetSchema:
    """Return the schema in a server's description. Raises ``ServerError`` if it contains something that
    Vectorferry cannot move."""
    return _from_request(_copying_request(answer))


def _copying_request(answer: DescribeCollectionResponse) -> CreateCollectionRequest:
    """Return the request that creates the same collection: the description without the server's own ids."""
    schema = CollectionSchema()
    schema.CopyFrom(answer.schema)
    schema.name = schema.name or answer.collection_name
    own = [field for field in schema.fields if not field.is_dynamic and field.name != META]
    schema.ClearField("fields")
    schema.fields.extend(own)
    for name in ("dbName", "version", "file_resource_ids"):
        schema.ClearField(name)
    for field in schema.fields:
        field.ClearField("fieldID")
        field.ClearField("state")
    for function in schema.functions:
        for name in ("id", "input_field_ids", "output_field_ids"):
            function.ClearField(name)
    # Without a partition key, this is the number of partitions that users created.
    has_partition_key = any(field.is_partition_key for field in schema.fields)
    return CreateCollectionRequest(
        collection_name=schema.name,
        schema=schema.SerializeToString(),
        shards_num=answer.shards_num or 1,
        consistency_level=answer.consistency_level,
        properties=answer.properties,
        num_partitions=answer.num_partitions if has_partition_key else 0,
    )


def _from_request(request: CreateCollectionRequest) -> TargetSchema:
    schema = CollectionSchema.FromString(request.schema)
    for problem in _not_supported(schema):
        hint = "Choose another collection. Vectorferry never leaves a part of a collection out silently."
        raise ServerError(f"“{request.collection_name}” {problem}.", hint)
    return TargetSchema(
        name=request.collection_name,
        fields=tuple(field_of(field, schema.autoID) for field in schema.fields),
        description=schema.description,
        dynamic=schema.enable_dynamic_field,
        shards=request.shards_num,
        functions=tuple(_function(function) for function in schema.functions),
        consistency=_name(ConsistencyLevel, request.consistency_level),
        partitions=request.num_partitions,
        properties=unpaired(request.properties),
        message=request.SerializeToString(),
    )


def _not_supported(schema: CollectionSchema) -> Iterator[str]:
    """Yield what this version of Vectorferry cannot move, as the end of a sentence about the collection."""
    for field in schema.fields:
        if field.data_type not in TYPES:
            yield _unknown_type(field.name, _name(DataType, field.data_type))
        elif field.data_type == DataType.Array and field.element_type not in TYPES:
            yield _unknown_type(field.name, f"array of {_name(DataType, field.element_type)}")
    for struct in schema.struct_array_fields:
        yield _unknown_type(struct.name, "array of structs")
    if schema.enable_namespace:
        yield "uses namespaces, which this version of Vectorferry does not support"
    if schema.external_source:
        yield "is an external collection, whose rows are not stored in Milvus"


def _unknown_type(name: str, kind: str) -> str:
    return f"has the field “{name}” with a type that this version of Vectorferry does not know: {kind}"


class _Enum(Protocol):
    """An enum of protobuf. A later server may send numbers without a name."""

    def Name(self, number: int) -> str: ...
    def Value(self, name: str) -> int: ...
    def values(self) -> Iterable[int]: ...


def _name(enum: _Enum, number: int) -> str:
    return enum.Name(number) if number in enum.values() else str(number)


def _number(enum: _Enum, name: str) -> int:
    return int(name) if name.isdecimal() else enum.Value(name)


def field_of(message: FieldSchema, auto_id: bool = False) -> TargetField:
    """Return a field from a server's description. ``auto_id`` is the value of the collection."""
    slot = message.default_value.WhichOneof("data") if message.HasField("default_value") else None
    params = unpaired(message.type_params)
    spec = _spec(message, params)
    return TargetField(
        name=message.name,
        spec=spec,
        is_key=message.is_primary_key,
        # The server reports Auto ID on the field, on the collection, or on both.
        auto_id=message.is_primary_key and (message.autoID or auto_id),
        nullable=message.nullable,
        # A later Milvus may have defaults of other types, such as JSON. Only the message contains them.
        default=getattr(message.default_value, slot) if slot and spec.type in DEFAULT_SLOTS else None,
        is_partition_key=message.is_partition_key,
        description=message.description,
        analyzer=analyzers.from_params(params),
        match=params.get("enable_match") == "true",
        is_clustering_key=message.is_clustering_key,
        params={name: value for name, value in params.items() if name not in KNOWN_PARAMS},
    )


def _spec(message: FieldSchema, params: Mapping[str, str]) -> TypeSpec:
    dim, max_length, max_capacity = (int(params[name]) if name in params else None for name in PARAMS)
    kind = TYPES[message.data_type]
    element = TYPES[message.element_type] if kind is MilvusType.ARRAY else None
    return TypeSpec(kind, dim, max_length, element, max_capacity)


def _function(message: FunctionSchema) -> Function:
    return Function(
        name=message.name,
        inputs=tuple(message.input_field_names),
        outputs=tuple(message.output_field_names),
        type=_name(FunctionType, message.type),
        description=message.description,
        params=unpaired(message.params),
    )


def as_stored(field: TargetField) -> TargetField:
    """Return ``field`` as Milvus stores it: a default of a FLOAT is rounded."""
    return field_of(_field_message(field))
