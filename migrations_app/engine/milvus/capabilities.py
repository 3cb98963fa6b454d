"""What a Milvus server can do, by its version and flavour, not from hope.

Milvus 2.3.5 accepts schemas with nullable, sparse or float16 fields, and then fails or forgets: what counts
is the version that documents a feature.
"""

from __future__ import annotations

from dataclasses import dataclass

from migrations_app.engine.milvus.server import PRODUCTS, Server, Version
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
    # Which field names does this server keep for itself, beyond those of every Milvus?
    reserved_names: frozenset[str] = frozenset()
    # Must the value of a JSON field be an object? (2.3.5 refuses lists; the checks of 2.4 do not look.)
    json_objects_only: bool = False

    def missing(self, feature: str) -> str:
        """Which version brings a type (``"FLOAT16_VECTOR"``) or an option (``"nullable"``), as words:
        "needs Milvus 2.5 or later; this is Milvus 2.3.5"."""
        brings = BROUGHT_BY.get(feature, "a later Milvus")
        server = "a server with " if self.flavour == "lite" else ""
        return f"needs {server}{brings} or later; this is {self}"

    def __str__(self) -> str:
        return f"{PRODUCTS[self.flavour]} {self.version}"


# Which Milvus brings what: types by name, options by the names of Capabilities. Sources: Milvus's release
# notes and documentation (milvus.io/docs), of the version named.
SINCE: tuple[tuple[Version, frozenset[str]], ...] = (
    # Release notes of 2.3.2: "Array datatype now supported".
    ((2, 3, 2), frozenset({"ARRAY"})),
    # Release notes of 2.4.0-rc.1: sparse vectors, multi-vector search; float16 could be stored before, not
    # indexed.
    (
        (2, 4),
        frozenset({"SPARSE_FLOAT_VECTOR", "FLOAT16_VECTOR", "BFLOAT16_VECTOR", "several_vectors"}),
    ),
    # docs/v2.5.x: nullable-and-default, full-text-search. Of scalar fields only, and no partition key.
    ((2, 5), frozenset({"nullable", "default_values", "full_text"})),
    # api-reference/pymilvus/v2.6.x: DataType.
    ((2, 6), frozenset({"INT8_VECTOR"})),
    # Zilliz Cloud's release notes of 2026-06-03: "requires the latest Milvus 2.6.x".
    ((2, 6, 18), frozenset({"null_vectors"})),
)
BROUGHT_BY: dict[str, str] = {
    feature: f"Milvus {'.'.join(map(str, version))}" for version, features in SINCE for feature in features
}
# Milvus Lite 3.2.2, by experiment: tests/integration/test_milvus_capabilities.py.
LITE = frozenset(
    {"ARRAY", "SPARSE_FLOAT_VECTOR", "several_vectors", "nullable", "default_values", "full_text"}
)
LITE_RESERVED = frozenset({"_seq", "_partition", "interval", "iso", "INTERVAL", "ISO"})
# The defaults of Milvus's settings proxy.maxFieldNum, proxy.maxVectorFieldNum and proxy.maxShardNum.
MAX_FIELDS, MAX_VECTOR_FIELDS, MAX_SHARDS = 64, 4, 16
# rootCoord.maxPartitionNum: 4,096 until 2.4, 1,024 since.
MAX_PARTITIONS, MAX_PARTITIONS_BEFORE_2_5 = 1024, 4096


def capabilities_of(server: Server) -> Capabilities:
    """What ``server`` can do. A build that does not say its version counts as the newest."""
    is_lite = server.flavour == "lite"
    features = LITE if is_lite else frozenset().union(*(new for since, new in SINCE if server.has(since)))
    types = frozenset(t for t in MilvusType if t in features or t not in BROUGHT_BY)
    return Capabilities(
        flavour=server.flavour,
        version=server.version,
        types=types - {MilvusType.BINARY_VECTOR} if is_lite else types,
        nullable="nullable" in features,
        default_values="default_values" in features,
        full_text="full_text" in features,
        null_vectors="null_vectors" in features,
        max_vector_fields=MAX_VECTOR_FIELDS if "several_vectors" in features else 1,
        max_fields=MAX_FIELDS,
        max_shards=1 if is_lite else MAX_SHARDS,
        max_partitions=MAX_PARTITIONS if is_lite or server.has((2, 5)) else MAX_PARTITIONS_BEFORE_2_5,
        single_writer=is_lite,
        count_needs_load=not is_lite,
        flush_before_count=not is_lite,
        databases=True,
        reserved_names=LITE_RESERVED if is_lite else frozenset(),
        json_objects_only=not is_lite and not server.has((2, 4)),
    )
