"""Metrics: the metrics and index types that Milvus has for each vector type."""

from __future__ import annotations

from itertools import chain

from migrations_app.engine.model.types import MilvusType

_DENSE = ("COSINE", "L2", "IP")

METRICS_OF_TYPE: dict[MilvusType, tuple[str, ...]] = {
    MilvusType.FLOAT_VECTOR: _DENSE,
    MilvusType.FLOAT16_VECTOR: _DENSE,
    MilvusType.BFLOAT16_VECTOR: _DENSE,
    MilvusType.INT8_VECTOR: _DENSE,
    MilvusType.BINARY_VECTOR: ("HAMMING", "JACCARD", "MHJACCARD"),
    MilvusType.SPARSE_FLOAT_VECTOR: ("IP",),
}

# milvus.io/docs/v2.6.x/minhash-lsh.md: MHJACCARD works only with MINHASH_LSH and BIN_FLAT, and MINHASH_LSH
# works with no other metric.
METRICS_OF_INDEX: dict[str, tuple[str, ...]] = {
    "MINHASH_LSH": ("MHJACCARD",),
    "BIN_IVF_FLAT": ("HAMMING", "JACCARD"),
}

# For the sparse vectors that full-text search creates.
FULL_TEXT_METRICS = ("BM25",)
METRICS = frozenset({*FULL_TEXT_METRICS, *chain.from_iterable(METRICS_OF_TYPE.values())})

# The index types for dense vectors, as Milvus documents them up to 2.6 (milvus.io/docs, "Index Explained").
_DENSE_INDEXES = (
    *("AUTOINDEX", "FLAT", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "IVF_RABITQ", "HNSW", "HNSW_SQ", "HNSW_PQ"),
    *("HNSW_PRQ", "SCANN", "DISKANN", "GPU_CAGRA", "GPU_IVF_FLAT", "GPU_IVF_PQ", "GPU_BRUTE_FORCE"),
)

# The index types for int8 in include/knowhere/index/index_table.h of knowhere 2.6.0, which Milvus 2.6.0 uses.
_INT8_INDEXES = (
    *("AUTOINDEX", "HNSW", "HNSW_SQ", "HNSW_PQ", "HNSW_PRQ", "GPU_IVF_FLAT", "GPU_IVF_PQ", "GPU_CAGRA"),
)

INDEX_TYPES: dict[MilvusType, tuple[str, ...]] = {
    **dict.fromkeys(METRICS_OF_TYPE, _DENSE_INDEXES),
    MilvusType.INT8_VECTOR: _INT8_INDEXES,
    MilvusType.BINARY_VECTOR: ("AUTOINDEX", "BIN_FLAT", "BIN_IVF_FLAT", "MINHASH_LSH"),
    MilvusType.SPARSE_FLOAT_VECTOR: ("AUTOINDEX", "SPARSE_INVERTED_INDEX", "SPARSE_WAND"),
}

FULL_TEXT_INDEX = "SPARSE_INVERTED_INDEX"
