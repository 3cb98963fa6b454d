"""Points: from Qdrant's JSON to those of the engine, and back."""

from typing import Any
from uuid import UUID

import numpy as np
import qdrant_edge as edge

from migrations_app.demo.qdrant.refusals import bad_format, bad_input, invalid

Json = Any
Id = int | UUID

HIGHEST_ID = 2**64 - 1


def to_id(json: Json) -> Id:
    """Return the engine's id: a number, or a UUID of any notation."""
    if isinstance(json, int) and not isinstance(json, bool) and 0 <= json <= HIGHEST_ID:
        return json
    if isinstance(json, str):
        try:
            return UUID(json)
        except ValueError:
            pass
    raise bad_format(
        f"value {json} is not a valid point ID, valid values are either an unsigned integer or a UUID"
    )


def order(point_id: Id) -> tuple[bool, int]:
    """The order of a scroll: numbers before UUIDs."""
    return (False, point_id) if isinstance(point_id, int) else (True, point_id.int)


def id_json(point_id: Id | None) -> Json:
    return str(point_id) if isinstance(point_id, UUID) else point_id


def to_point(json: Json) -> edge.Point:
    for field in ("id", "vector"):
        if field not in json:
            raise bad_format(f"missing field `{field}`")
    return edge.Point(to_id(json["id"]), to_vectors(json["vector"]), json.get("payload") or {})


def to_vectors(json: Json) -> dict[str, Any]:
    """Return vectors by name; the unnamed one has the name ""."""
    if isinstance(json, dict) and "indices" not in json:
        return {name: to_vector(each) for name, each in json.items() if each is not None}
    return {} if json is None else {"": to_vector(json)}


def to_vector(json: Json) -> Any:
    if not isinstance(json, dict):
        if isinstance(json, list):
            return json
        raise bad_format("data did not match any variant of untagged enum VectorStruct")
    if "indices" not in json or "values" not in json:
        raise bad_input("Inference is not available: this server has no inference service")
    return to_sparse(json["indices"], json["values"])


def to_sparse(indices: list[int], values: list[float]) -> edge.SparseVector:
    if len(indices) != len(values):
        raise invalid("values", "must be the same length as indices")
    if len(set(indices)) != len(indices):
        raise invalid("indices", "must be unique")
    try:
        return edge.SparseVector(list(indices), list(values))
    except (OverflowError, TypeError) as fault:
        raise bad_format("invalid value: sparse indices are unsigned 32-bit integers") from fault


def record_json(record: Any, shard_key: Json, *, with_payload: bool, with_vector: bool) -> Json:
    """Return a record. Vectors are arrays of float32, of which orjson writes the shortest digits, as the
    service does."""
    json = {"id": id_json(record.id)}
    if with_payload:
        json["payload"] = record.payload or {}
    if with_vector:
        vector = record.vector
        json["vector"] = (
            {name: vector_json(each) for name, each in vector.items()}
            if isinstance(vector, dict)
            else vector_json(vector)
        )
    if shard_key is not None:
        json["shard_key"] = shard_key
    if record.order_value is not None:
        json["order_value"] = record.order_value
    return json


def vector_json(vector: Any) -> Json:
    if isinstance(vector, edge.SparseVector):
        return {"indices": vector.indices, "values": np.array(vector.values, np.float32)}
    return np.array(vector, np.float32)
