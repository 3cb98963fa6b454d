"""Settings of a collection: from Qdrant's JSON to the engine's, with the service's own defaults."""

from typing import Any

import qdrant_edge as edge

from migrations_app.demo.qdrant.refusals import bad_format, bad_input, invalid

Json = Any

HIGHEST_DIMENSION = 65_536
HNSW = {
    "m": 16,
    "ef_construct": 100,
    "full_scan_threshold": 10_000,
    "max_indexing_threads": 0,
    "on_disk": False,
}
OPTIMIZERS = {
    "deleted_threshold": 0.2,
    "vacuum_min_vector_number": 1000,
    "default_segment_number": 0,
    "max_segment_size": None,
    "memmap_threshold": None,
    "indexing_threshold": 10_000,
    "flush_interval_sec": 5,
    "max_optimization_threads": None,
}
WAL = {"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 1}

DATATYPES = {
    "float32": edge.VectorStorageDatatype.Float32,
    "float16": edge.VectorStorageDatatype.Float16,
    "uint8": edge.VectorStorageDatatype.Uint8,
    "turbo4": edge.VectorStorageDatatype.Turbo4,
    "turbo8": edge.VectorStorageDatatype.Turbo8,
    "turbo16": edge.VectorStorageDatatype.Turbo16,
}
DISTANCES = {name: getattr(edge.Distance, name) for name in ("Cosine", "Euclid", "Dot", "Manhattan")}
INDEX_PARAMS = {
    "keyword": (edge.PayloadSchemaType.Keyword, edge.KeywordIndexParams),
    "integer": (edge.PayloadSchemaType.Integer, edge.IntegerIndexParams),
    "float": (edge.PayloadSchemaType.Float, edge.FloatIndexParams),
    "geo": (edge.PayloadSchemaType.Geo, edge.GeoIndexParams),
    "text": (edge.PayloadSchemaType.Text, edge.TextIndexParams),
    "bool": (edge.PayloadSchemaType.Bool, edge.BoolIndexParams),
    "datetime": (edge.PayloadSchemaType.Datetime, edge.DatetimeIndexParams),
    "uuid": (edge.PayloadSchemaType.Uuid, edge.UuidIndexParams),
}
TOKENIZERS = {
    "word": edge.TokenizerType.Word,
    "whitespace": edge.TokenizerType.Whitespace,
    "prefix": edge.TokenizerType.Prefix,
    "multilingual": edge.TokenizerType.Multilingual,
}
PASSED_TO_INDEX = {"is_tenant", "lookup", "range", "is_principal", "on_disk", "enable_hnsw", "lowercase",
                   "min_token_len", "max_token_len", "phrase_matching"}  # fmt: skip


def new_config(asked: Json) -> Json:
    """Return what the information on a collection says below ``config``."""
    vectors, sparse = asked.get("vectors"), asked.get("sparse_vectors")
    is_custom = asked.get("sharding_method") == "custom"
    params = {
        "vectors": {} if vectors is None else _without_nothing(vectors),
        "shard_number": asked.get("shard_number") or 1,
        **({"sharding_method": "custom"} if is_custom else {}),
        "replication_factor": asked.get("replication_factor") or 1,
        "write_consistency_factor": asked.get("write_consistency_factor") or 1,
        "on_disk_payload": asked.get("on_disk_payload") is not False,
        **({"sparse_vectors": _without_nothing(sparse)} if sparse else {}),
    }
    return {
        "params": params,
        "hnsw_config": HNSW | _without_nothing(asked.get("hnsw_config")),
        "optimizer_config": OPTIMIZERS | _without_nothing(asked.get("optimizers_config")),
        "wal_config": WAL | _without_nothing(asked.get("wal_config")),
        "quantization_config": asked.get("quantization_config"),
        "strict_mode_config": {"enabled": False} | _without_nothing(asked.get("strict_mode_config")),
        **({"metadata": asked["metadata"]} if asked.get("metadata") else {}),
    }


def engine_config(config: Json) -> edge.EdgeConfig:
    """Return the engine's settings. Raises the refusal of the service if it does not take them.

    A quantization is only in the information: what is read are the original vectors.
    """
    params = config["params"]
    vectors = params["vectors"]
    dense = {"": vectors} if "size" in vectors else vectors
    return edge.EdgeConfig(
        vectors={name: _dense(name, each) for name, each in dense.items()},
        sparse_vectors={name: _sparse(each) for name, each in params.get("sparse_vectors", {}).items()},
        max_search_threads=1,
    )


def engine_index(schema: Json) -> Any:
    """Return the engine's settings of a payload index. ``schema`` is a type or an object with ``type``."""
    name = schema if isinstance(schema, str) else schema.get("type")
    if name not in INDEX_PARAMS:
        raise bad_format("data did not match any variant of untagged enum PayloadFieldSchema")
    simple, params = INDEX_PARAMS[name]
    if isinstance(schema, str):
        return simple
    options = {key: value for key, value in schema.items() if key in PASSED_TO_INDEX and value is not None}
    if schema.get("tokenizer"):
        options["tokenizer"] = TOKENIZERS[schema["tokenizer"]]
    return params(**options)


def _dense(name: str, json: Json) -> edge.EdgeVectorParams:
    try:
        size, distance = json["size"], DISTANCES[json["distance"]]
        datatype = DATATYPES[json.get("datatype") or "float32"]
    except KeyError as fault:
        raise bad_format(f"missing field or unknown variant {fault} in the vector {name!r}") from fault
    if not 1 <= size <= HIGHEST_DIMENSION:
        raise invalid("vectors.size", f"value {size} invalid, must be from 1 to {HIGHEST_DIMENSION}")
    many = json.get("multivector_config")
    return edge.EdgeVectorParams(
        size,
        distance,
        datatype=datatype,
        multivector_config=None
        if many is None
        else edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim),
    )


def _sparse(json: Json) -> edge.EdgeSparseVectorParams:
    index = (json or {}).get("index") or {}
    modifier = (json or {}).get("modifier")
    if modifier not in (None, "none", "idf"):
        raise bad_input(f"unknown modifier {modifier}")
    return edge.EdgeSparseVectorParams(
        modifier=edge.Modifier.Idf if modifier == "idf" else None,
        datatype=DATATYPES[index["datatype"]] if index.get("datatype") else None,
    )


def _without_nothing(json: Json) -> Json:
    if isinstance(json, dict):
        return {key: _without_nothing(value) for key, value in json.items() if value is not None}
    return {} if json is None else json
