"""Messages of gRPC: from the engine's records to them, and from them to Qdrant's JSON.

What is large (points, records) is translated here; for the rest the translations of qdrant-client are used.
"""

from typing import Any
from uuid import UUID

import qdrant_edge as edge
from qdrant_client import models
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc
from qdrant_client.grpc import collections_pb2, json_with_int_pb2, points_pb2, qdrant_common_pb2

from migrations_app.demo.qdrant.engine import points
from migrations_app.demo.qdrant.engine.collection import Found
from migrations_app.demo.qdrant.refusals import bad_format
from migrations_app.demo.qdrant.releases import Release

Json = Any
Message = Any
HIGHEST_INTEGER = 2**63 - 1


# Asked


def filter_json(message: Message, release: Release) -> Json:
    """Since 1.13 the service drops a condition of a kind that it does not know, so that all points match;
    before, it refused the request (``grpc_condition_into_condition`` of its sources)."""
    unknown = {None}
    if not release.has_slices:
        unknown.add("slice")
    if not release.has_vector_filter:
        unknown.add("has_vector")
    return _dumped(GrpcToRest.convert_filter(_without(message, unknown, release)))


def _without(message: Message, unknown: set[str | None], release: Release) -> Message:
    kept = qdrant_common_pb2.Filter()
    kept.CopyFrom(message)
    for clause in ("must", "should", "must_not"):
        given = getattr(kept, clause)
        conditions = [each for each in given if each.WhichOneof("condition_one_of") not in unknown]
        if len(conditions) < len(given) and not release.drops_unknown_conditions:
            raise bad_format("Malformed Condition type")
        kept.ClearField(clause)
        getattr(kept, clause).extend(conditions)
        for each in getattr(kept, clause):
            if each.WhichOneof("condition_one_of") == "filter":
                each.filter.CopyFrom(_without(each.filter, unknown, release))
    return kept


def id_of(message: Message) -> points.Id:
    which = message.WhichOneof("point_id_options")
    if which is None:
        raise bad_format("Malformed PointId type")
    if which == "num":
        return message.num
    try:
        return UUID(message.uuid)
    except ValueError as fault:
        raise bad_format(f"Unable to parse UUID: {message.uuid}") from fault


def point_of(message: Message) -> edge.Point:
    payload = {key: value_of(each) for key, each in message.payload.items()}
    return edge.Point(id_of(message.id), vectors_of(message.vectors), payload)


def vectors_of(message: Message) -> dict[str, Any]:
    which = message.WhichOneof("vectors_options")
    if which is None:
        return {}
    if which == "vector":
        return {"": vector_of(message.vector)}
    return {name: vector_of(each) for name, each in message.vectors.vectors.items()}


def vector_of(message: Message) -> Any:
    which = message.WhichOneof("vector")
    if which == "dense":
        return list(message.dense.data)
    if which == "sparse":
        return points.to_sparse(list(message.sparse.indices), list(message.sparse.values))
    if which == "multi_dense":
        return [list(each.data) for each in message.multi_dense.vectors]
    if which is not None:
        raise bad_format("Inference is not available: this server has no inference service")
    data = list(message.data)
    if message.HasField("indices"):
        return points.to_sparse(list(message.indices.data), data)
    if message.vectors_count:
        size = len(data) // message.vectors_count
        return [data[start : start + size] for start in range(0, len(data), size)]
    return data


def value_of(message: Message) -> Json:
    which = message.WhichOneof("kind")
    if which == "struct_value":
        return {key: value_of(each) for key, each in message.struct_value.fields.items()}
    if which == "list_value":
        return [value_of(each) for each in message.list_value.values]
    return None if which in (None, "null_value") else getattr(message, which)


def payload_selector_json(message: Message) -> Json:
    return _dumped(GrpcToRest.convert_with_payload_selector(message))


def vector_selector_json(message: Message) -> Json:
    return (
        message.enable if message.WhichOneof("selector_options") == "enable" else list(message.include.names)
    )


def shard_keys_json(message: Message) -> Json:
    return [shard_key_json(each) for each in message.shard_keys]


def shard_key_json(message: Message) -> Json:
    return getattr(message, message.WhichOneof("key"))


def create_json(message: Message) -> Json:
    convert = GrpcToRest
    asked: dict[str, Any] = {
        "vectors": _part(message, "vectors_config", convert.convert_vectors_config),
        "sparse_vectors": _part(message, "sparse_vectors_config", convert.convert_sparse_vector_config),
        "hnsw_config": _part(message, "hnsw_config", convert.convert_hnsw_config_diff),
        "wal_config": _part(message, "wal_config", convert.convert_wal_config_diff),
        "optimizers_config": _part(message, "optimizers_config", convert.convert_optimizers_config_diff),
        "quantization_config": _part(message, "quantization_config", convert.convert_quantization_config),
        "strict_mode_config": _part(message, "strict_mode_config", convert.convert_strict_mode_config),
        "metadata": {key: value_of(each) for key, each in message.metadata.items()},
    }
    for name in ("shard_number", "on_disk_payload", "replication_factor", "write_consistency_factor"):
        if message.HasField(name):
            asked[name] = getattr(message, name)
    if (
        message.HasField("sharding_method")
        and message.sharding_method == collections_pb2.ShardingMethod.Custom
    ):
        asked["sharding_method"] = "custom"
    return asked


def change_json(message: Message) -> Json:
    return {
        "strict_mode_config": _part(message, "strict_mode_config", GrpcToRest.convert_strict_mode_config),
        "metadata": {key: value_of(each) for key, each in message.metadata.items()},
    }


def index_json(message: Message) -> Json:
    if message.HasField("field_index_params"):
        return _dumped(GrpcToRest.convert_payload_schema_params(message.field_index_params))
    name = points_pb2.FieldType.Name(message.field_type)
    return name.removeprefix("FieldType").lower()


def selector_json(message: Message, release: Release) -> Json:
    """Points by id or by filter, as the operations take them."""
    if message.WhichOneof("points_selector_one_of") == "filter":
        return {"filter": filter_json(message.filter, release)}
    return {"points": [points.id_json(id_of(each)) for each in message.points.ids]}


def query_json(message: Message) -> Json:
    if message.WhichOneof("variant") == "nearest" and message.nearest.WhichOneof("variant") == "dense":
        return list(message.nearest.dense.data)
    return _dumped(GrpcToRest.convert_query(message))


def order_by_json(message: Message) -> Json:
    return _dumped(GrpcToRest.convert_order_by(message))


# Answered


def id_message(point_id: points.Id) -> Message:
    if isinstance(point_id, UUID):
        return qdrant_common_pb2.PointId(uuid=str(point_id))
    return qdrant_common_pb2.PointId(num=point_id)


def record_message(found: Found, release: Release, *, has_vectors: bool) -> Message:
    message = points_pb2.RetrievedPoint(id=id_message(found.record.id))
    _fill(message, found, release, has_vectors=has_vectors)
    return message


def scored_message(found: Found, release: Release, *, has_vectors: bool) -> Message:
    record = found.record
    message = points_pb2.ScoredPoint(id=id_message(record.id), score=record.score, version=record.version)
    _fill(message, found, release, has_vectors=has_vectors)
    return message


def _fill(message: Message, found: Found, release: Release, *, has_vectors: bool) -> None:
    record = found.record
    for key, value in (record.payload or {}).items():
        fill_value(message.payload[key], value)
    if has_vectors:
        vector = record.vector
        if isinstance(vector, dict):
            message.vectors.vectors.SetInParent()
            for name, each in vector.items():
                fill_vector(message.vectors.vectors.vectors[name], each, release)
        else:
            fill_vector(message.vectors.vector, vector, release)
    if record.order_value is not None:
        kind = "int" if isinstance(record.order_value, int) else "float"
        setattr(message.order_value, kind, record.order_value)
    if found.shard_key is not None:
        message.shard_key.CopyFrom(shard_key_message(found.shard_key))


def fill_vector(message: Message, vector: Any, release: Release) -> None:
    is_sparse = isinstance(vector, edge.SparseVector)
    is_multi = not is_sparse and bool(vector) and isinstance(vector[0], list)
    if release.has_typed_vectors:
        if is_sparse:
            message.sparse.SetInParent()
            message.sparse.indices.extend(vector.indices)
            message.sparse.values.extend(vector.values)
        elif is_multi:
            for each in vector:
                message.multi_dense.vectors.add().data.extend(each)
        else:
            message.dense.data.extend(vector)
    elif is_sparse:
        message.indices.SetInParent()
        message.indices.data.extend(vector.indices)
        message.data.extend(vector.values)
    elif is_multi:
        message.vectors_count = len(vector)
        for each in vector:
            message.data.extend(each)
    else:
        message.data.extend(vector)


def fill_value(message: Message, value: Json) -> None:
    """Integers beyond 64 bits with a sign become floats, as in the service."""
    if value is None:
        message.null_value = json_with_int_pb2.NULL_VALUE
    elif isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, int):
        if value <= HIGHEST_INTEGER:
            message.integer_value = value
        else:
            message.double_value = float(value)
    elif isinstance(value, float):
        message.double_value = value
    elif isinstance(value, str):
        message.string_value = value
    elif isinstance(value, dict):
        message.struct_value.SetInParent()
        for key, each in value.items():
            fill_value(message.struct_value.fields[key], each)
    else:
        message.list_value.SetInParent()
        for each in value:
            fill_value(message.list_value.values.add(), each)


def shard_key_message(key: str | int) -> Message:
    return collections_pb2.ShardKey(**({"number": key} if isinstance(key, int) else {"keyword": key}))


def info_message(info: Json) -> Message:
    return RestToGrpc.convert_collection_info(models.CollectionInfo.model_validate(info))


def cluster_message(cluster: Json) -> Message:
    return RestToGrpc.convert_collection_cluster_info(models.CollectionClusterInfo.model_validate(cluster))


def _part(message: Message, name: str, convert: Any) -> Json:
    return _dumped(convert(getattr(message, name))) if message.HasField(name) else None


def _dumped(converted: Any) -> Json:
    if isinstance(converted, dict):
        return {key: _dumped(each) for key, each in converted.items()}
    dump = getattr(converted, "model_dump", None)
    return converted if dump is None else dump(mode="json", by_alias=True, exclude_none=True)
