"""Features: a table of what each Milvus version supports.

Types and index types have their own names; options have the names of the fields of ``Capabilities``. Links to
``milvus.io`` or ``docs.zilliz.com`` are the sources. Facts about Milvus 2.3.5 and Milvus Lite 3.2.2 were
confirmed on these versions (tests/integration/milvus/test_features.py).
"""

from __future__ import annotations

from migrations_app.engine.milvus.index_params import PARAMS
from migrations_app.engine.milvus.server import Server, Version

Features = frozenset[str]

# Features of every Milvus since 2.3.
ALWAYS = frozenset(
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
    # Release notes of 2.4.0-rc.1: sparse vectors, multi-vector search, CAGRA. Before, float16 could be stored
    # but not indexed. GPU_BRUTE_FORCE: milvus.io/docs/v2.4.x/gpu_index.md.
    (
        (2, 4),
        frozenset(
            {
                *("SPARSE_FLOAT_VECTOR", "FLOAT16_VECTOR", "BFLOAT16_VECTOR", "several_vectors"),
                *("SPARSE_INVERTED_INDEX", "SPARSE_WAND", "GPU_CAGRA", "GPU_BRUTE_FORCE", "json_lists"),
            }
        ),
    ),
    # Release notes of 2.4.8: "Implemented clustering compaction".
    ((2, 4, 8), frozenset({"clustering_key"})),
    # milvus-io/milvus, pull request 34700; pymilvus, pull request 2673: "added in 2.4.12".
    ((2, 4, 12), frozenset({"empty_sparse"})),
    # milvus.io/docs/v2.5.x: nullable-and-default.md (scalar fields, no partition key), full-text-search.md,
    # keyword-match.md (text_match), hnsw-sq.md, hnsw-pq.md, hnsw-prq.md.
    # gpu_cosine: pkg/util/indexparamcheck/constraints.go of 2.4 accepts only L2 and IP (RaftMetrics); 2.5.0
    # asks knowhere, whose GPU indexes include COSINE.
    (
        (2, 5),
        frozenset(
            {
                *("nullable", "default_values", "full_text", "text_match", "BM25"),
                *("HNSW_SQ", "HNSW_PQ", "HNSW_PRQ", "index_defaults", "gpu_cosine"),
            }
        ),
    ),
    # milvus.io/docs/v2.5.x/alter-collection-field.md. Release notes of 2.5.2: "alter the maximum length of a
    # VARCHAR field", of 2.5.11: "modifying the maximum capacity of array fields after table creation".
    ((2, 5, 2), frozenset({"raise_max_length"})),
    ((2, 5, 11), frozenset({"raise_max_capacity"})),
    # milvus.io: api-reference/pymilvus/v2.6.x, DataType; docs/v2.6.x/ivf-rabitq.md, minhash-lsh.md.
    # TextEmbedding: milvus.io/docs/v2.6.x/embedding-function-overview.md.
    ((2, 6), frozenset({"INT8_VECTOR", "IVF_RABITQ", "MINHASH_LSH", "MHJACCARD", "TextEmbedding"})),
    # Release notes of 2.6.3: "Nullable fields can now be used as input for BM25 functions."
    ((2, 6, 3), frozenset({"full_text_null"})),
    # docs.zilliz.com/docs/release-notes-2606: "requires the latest Milvus 2.6.x".
    ((2, 6, 18), frozenset({"null_vectors"})),
    # milvus.io/docs/minhash-function.md: "Compatible with Milvus 3.0.x".
    ((3, 0), frozenset({"MinHash"})),
)
INTRODUCED_IN: dict[str, str] = {
    feature: f"Milvus {'.'.join(map(str, version))}" for version, features in SINCE for feature in features
}

# Milvus Lite accepts an index of any name and reports it as finished. The index types that it can really
# build are in its index/factory.py.
LITE: Features = ALWAYS - {
    *("BINARY_VECTOR", "HAMMING", "JACCARD", "IVF_PQ", "SCANN", "DISKANN"),
    *("GPU_IVF_FLAT", "GPU_IVF_PQ", "BIN_FLAT", "BIN_IVF_FLAT"),
} | {
    *("ARRAY", "SPARSE_FLOAT_VECTOR", "several_vectors", "json_lists", "nullable", "default_values"),
    *(
        "full_text",
        "full_text_null",
        "text_match",
        "BM25",
        "SPARSE_INVERTED_INDEX",
        "HNSW_SQ",
        "index_defaults",
    ),
}
# Lite stores keys with these names in the dynamic field, but never returns them.
LITE_HIDDEN_KEYS = frozenset({"_seq", "_partition"})
LITE_RESERVED = frozenset({"_seq", "_partition", "interval", "iso", "INTERVAL", "ISO"})

# The types of functions in a schema, with Milvus's names.
FUNCTIONS: Features = frozenset({"BM25", "TextEmbedding", "MinHash"})
INDEX_TYPES: Features = frozenset(PARAMS)
# docs.zilliz.com/docs/indexes: for vectors, Zilliz Cloud "currently supports only AUTOINDEX, MINHASH_LSH".
# Sparse vectors, including those of BM25, also use AUTOINDEX.
ZILLIZ_LACKS = INDEX_TYPES - {"AUTOINDEX", "MINHASH_LSH"}


def features_of(server: Server) -> Features:
    """Return all features of ``server``."""
    if server.flavour == "lite":
        return LITE
    features = ALWAYS.union(*(new for since, new in SINCE if server.has(since)))
    return features - ZILLIZ_LACKS if server.flavour == "zilliz" else features
