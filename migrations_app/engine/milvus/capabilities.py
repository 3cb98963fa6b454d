"""What a Milvus server can do, by its version and flavour, not from hope (DESIGN §4)."""

from __future__ import annotations

from dataclasses import dataclass

from migrations_app.engine.schema import MilvusType


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Facts about one server. ``flavour`` is "lite", "milvus" or "zilliz"."""

    flavour: str
    version: str
    types: frozenset[MilvusType]
    nullable: bool
    default_values: bool
    full_text: bool
    null_vectors: bool
    max_vector_fields: int
    max_fields: int
    max_shards: int
    max_partitions: int
    # May only one writer at a time send rows?
    single_writer: bool
    # Must a collection be indexed and loaded before count(*) answers?
    count_needs_load: bool
    # Is a flush worth its time before counting?
    flush_before_count: bool
    databases: bool

    def missing(self, feature: str) -> str:
        """Which version brings a type (``"FLOAT16_VECTOR"``) or an option (``"nullable"``), as words:
        "needs Milvus 2.5 or later", with what this one is."""
        brings = BROUGHT_BY.get(feature, "a later Milvus")
        return f"needs {brings} or later; this is {self}"

    def __str__(self) -> str:
        return {"lite": "Milvus Lite", "zilliz": "Zilliz Cloud"}.get(self.flavour, "Milvus") + f" {self.version}"


BROUGHT_BY: dict[str, str] = {
    "SPARSE_FLOAT_VECTOR": "Milvus 2.4",
    "FLOAT16_VECTOR": "Milvus 2.4",
    "BFLOAT16_VECTOR": "Milvus 2.4",
    "several_vectors": "Milvus 2.4",
    "nullable": "Milvus 2.5",
    "default_values": "Milvus 2.5",
    "full_text": "Milvus 2.5",
    "INT8_VECTOR": "Milvus 2.6",
    "null_vectors": "Milvus 2.6.18",
}
