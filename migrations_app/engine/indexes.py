"""Which metrics and kinds of index suit a vector field, and the index that is proposed."""

from __future__ import annotations

from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.plan import CollectionPlan, FieldPlan, IndexPlan
from migrations_app.engine.schema import CollectionSchema, MilvusType, SourceField

_DENSE = ("COSINE", "L2", "IP")
METRICS: dict[MilvusType, tuple[str, ...]] = {
    MilvusType.FLOAT_VECTOR: _DENSE,
    MilvusType.FLOAT16_VECTOR: _DENSE,
    MilvusType.BFLOAT16_VECTOR: _DENSE,
    MilvusType.INT8_VECTOR: _DENSE,
    MilvusType.BINARY_VECTOR: ("HAMMING", "JACCARD", "MHJACCARD"),
    MilvusType.SPARSE_FLOAT_VECTOR: ("IP",),
}
# milvus.io/docs/v2.6.x/minhash-lsh.md: MHJACCARD goes with MINHASH_LSH and BIN_FLAT, and that with no other.
METRICS_OF_INDEX: dict[str, tuple[str, ...]] = {
    "MINHASH_LSH": ("MHJACCARD",),
    "BIN_IVF_FLAT": ("HAMMING", "JACCARD"),
}
# Of the sparse vectors that full-text search makes.
FULL_TEXT_METRICS = ("BM25",)

# By kind of vector, as Milvus's documentation (milvus.io/docs, "Index Explained") lists them up to 2.6.
_DENSE_INDEXES = (
    *("AUTOINDEX", "FLAT", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "IVF_RABITQ", "HNSW", "HNSW_SQ", "HNSW_PQ"),
    *("HNSW_PRQ", "SCANN", "DISKANN", "GPU_CAGRA", "GPU_IVF_FLAT", "GPU_IVF_PQ", "GPU_BRUTE_FORCE"),
)
# What include/knowhere/index/index_table.h of knowhere 2.6.0, which Milvus 2.6.0 builds with, lists for int8.
_INT8_INDEXES = (
    *("AUTOINDEX", "HNSW", "HNSW_SQ", "HNSW_PQ", "HNSW_PRQ", "GPU_IVF_FLAT", "GPU_IVF_PQ", "GPU_CAGRA"),
)
INDEX_TYPES: dict[MilvusType, tuple[str, ...]] = {
    **dict.fromkeys(METRICS, _DENSE_INDEXES),
    MilvusType.INT8_VECTOR: _INT8_INDEXES,
    MilvusType.BINARY_VECTOR: ("AUTOINDEX", "BIN_FLAT", "BIN_IVF_FLAT", "MINHASH_LSH"),
    MilvusType.SPARSE_FLOAT_VECTOR: ("AUTOINDEX", "SPARSE_INVERTED_INDEX", "SPARSE_WAND"),
}
FULL_TEXT_INDEX = "SPARSE_INVERTED_INDEX"


def default_metric(type_: MilvusType, source: SourceField | None) -> str:
    """The metric of the source's index where it suits the type, else the type's usual one."""
    usual = METRICS[type_]
    return source.metric if source and source.metric in usual else usual[0]


def default_indexes(
    collection: CollectionPlan, fields: list[FieldPlan], schema: CollectionSchema, caps: Capabilities
) -> list[IndexPlan]:
    """One index a vector field, those that full-text search makes included; where they are written out, with
    their metric."""
    metrics = {
        field.target: default_metric(MilvusType(field.type), schema.field(field.source or ""))
        for field in fields
        if field.target and not field.dynamic and field.type in set(METRICS)
    }
    outputs = {made.output: FULL_TEXT_METRICS[0] for made in collection.full_text}
    if collection.indexes is None:
        dense = [IndexPlan(field=target, metric=metric) for target, metric in metrics.items()]
        kind = FULL_TEXT_INDEX if FULL_TEXT_INDEX in caps.index_types else "AUTOINDEX"
        return dense + [IndexPlan(field=name, type=kind, metric=metric) for name, metric in outputs.items()]
    usual = metrics | outputs
    return [
        index.model_copy(update={"metric": index.metric or _metric(index.type, usual.get(index.field))})
        for index in collection.indexes
    ]


def _metric(index_type: str, usual: str | None) -> str | None:
    suits = METRICS_OF_INDEX.get(index_type)
    return suits[0] if suits and usual not in suits else usual
