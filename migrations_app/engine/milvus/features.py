"""Which Milvus has what: types and index types by name, options by the names of ``Capabilities``.

A table of facts. Where a row says ``milvus.io`` or ``docs.zilliz.com``, that documentation is its source;
what it says of Milvus 2.3.5 and Milvus Lite 3.2.2 was seen there (tests/integration/test_milvus_features.py).
"""

from __future__ import annotations

from migrations_app.engine.milvus.index_params import PARAMS
from migrations_app.engine.milvus.server import Server, Version

Features = frozenset[str]

# What every Milvus has had since 2.3, of what this table knows.
EVER = frozenset(
    {
        *("BOOL", "INT8", "INT16", "INT32", "INT64", "FLOAT", "DOUBLE", "VARCHAR", "JSON"),
        *("FLOAT_VECTOR", "BINARY_VECTOR"),
        # milvus.io/docs/v2.3.x/index.md
        *("AUTOINDEX", "FLAT", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "HNSW", "SCANN", "DISKANN"),
        *("GPU_IVF_FLAT", "GPU_IVF_PQ", "BIN_FLAT", "BIN_IVF_FLAT"),
        # milvus.io/docs/v2.3.x/metric.md
        *("COSINE", "L2", "IP", "HAMMING", "JACCARD"),
    }
)
SINCE: tuple[tuple[Version, Features], ...] = (
    # Release notes of 2.3.2: "Array datatype now supported".
    ((2, 3, 2), frozenset({"ARRAY"})),
    # Release notes of 2.4.0-rc.1: sparse vectors, multi-vector search, CAGRA; float16 could be stored before,
    # not indexed. GPU_BRUTE_FORCE: milvus.io/docs/v2.4.x/gpu_index.md.
    (
        (2, 4),
        frozenset(
            {
                *("SPARSE_FLOAT_VECTOR", "FLOAT16_VECTOR", "BFLOAT16_VECTOR", "several_vectors"),
                *("SPARSE_INVERTED_INDEX", "SPARSE_WAND", "GPU_CAGRA", "GPU_BRUTE_FORCE", "json_lists"),
            }
        ),
    ),
    # milvus.io/docs/v2.5.x: nullable-and-default.md (scalar fields, no partition key), full-text-search.md,
    # hnsw-sq.md, hnsw-pq.md, hnsw-prq.md. gpu_cosine: pkg/util/indexparamcheck/constraints.go of 2.4 takes L2
    # and IP alone (RaftMetrics); 2.5.0 asks its knowhere, whose GPU indexes name COSINE.
    (
        (2, 5),
        frozenset(
            {
                *("nullable", "default_values", "full_text", "BM25"),
                *("HNSW_SQ", "HNSW_PQ", "HNSW_PRQ", "index_defaults", "gpu_cosine"),
            }
        ),
    ),
    # milvus.io: api-reference/pymilvus/v2.6.x, DataType; docs/v2.6.x/ivf-rabitq.md, minhash-lsh.md.
    ((2, 6), frozenset({"INT8_VECTOR", "IVF_RABITQ", "MINHASH_LSH", "MHJACCARD"})),
    # Release notes of 2.6.3: "Nullable fields can now be used as input for BM25 functions."
    ((2, 6, 3), frozenset({"full_text_null"})),
    # docs.zilliz.com/docs/release-notes-2606: "requires the latest Milvus 2.6.x".
    ((2, 6, 18), frozenset({"null_vectors"})),
)
BROUGHT_BY: dict[str, str] = {
    feature: f"Milvus {'.'.join(map(str, version))}" for version, features in SINCE for feature in features
}

# It takes an index of any name and says that it is finished; what it can build its index/factory.py says.
LITE: Features = EVER - {
    *("BINARY_VECTOR", "HAMMING", "JACCARD", "IVF_PQ", "SCANN", "DISKANN"),
    *("GPU_IVF_FLAT", "GPU_IVF_PQ", "BIN_FLAT", "BIN_IVF_FLAT"),
} | {
    *("ARRAY", "SPARSE_FLOAT_VECTOR", "several_vectors", "json_lists", "nullable", "default_values"),
    *("full_text", "full_text_null", "BM25", "SPARSE_INVERTED_INDEX", "HNSW_SQ", "index_defaults"),
}
# Lite stores keys of these names in the dynamic field and gives them to nobody.
LITE_HIDDEN_KEYS = frozenset({"_seq", "_partition"})
LITE_RESERVED = frozenset({"_seq", "_partition", "interval", "iso", "INTERVAL", "ISO"})

INDEX_TYPES: Features = frozenset(PARAMS)
# docs.zilliz.com/docs/indexes: on vectors it "currently supports only AUTOINDEX, MINHASH_LSH"; sparse
# ones and those of BM25 are indexed by AUTOINDEX as well.
ZILLIZ_LACKS = INDEX_TYPES - {"AUTOINDEX", "MINHASH_LSH"}


def features_of(server: Server) -> Features:
    """Everything in this table that ``server`` has."""
    if server.flavour == "lite":
        return LITE
    found = EVER.union(*(new for since, new in SINCE if server.has(since)))
    return found - ZILLIZ_LACKS if server.flavour == "zilliz" else found
