"""Capabilities: the features and limits of a Milvus server, derived from its version and flavour.

They are not probed, because Milvus 2.3.5 accepts schemas with nullable, sparse or float16 fields and then
fails or loses them. A server has a feature if its version documents it (``features.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

from migrations_app.engine.milvus.analyzers import BUILT_IN, STANDARD
from migrations_app.engine.milvus.features import (
    FUNCTIONS,
    INDEX_TYPES,
    INTRODUCED_IN,
    LITE_HIDDEN_KEYS,
    LITE_RESERVED,
    ZILLIZ_LACKS,
    Features,
    features_of,
)
from migrations_app.engine.milvus.metrics import METRICS
from migrations_app.engine.milvus.server import PRODUCTS, Server
from migrations_app.engine.model.types import MilvusType

# The defaults of Milvus's settings proxy.maxFieldNum, proxy.maxVectorFieldNum and proxy.maxShardNum. The
# first two are also Zilliz Cloud's limits (docs.zilliz.com/docs/limits). An operator may raise the limit of
# vector fields to ten (milvus.io/docs/v2.5.x/multi-vector-search.md). Lite has no limits. Milvus's limits are
# applied there anyway, so that the data can be moved to Milvus later.
MAX_FIELDS, MAX_VECTOR_FIELDS, CONFIGURABLE_VECTOR_FIELDS, MAX_SHARDS = 64, 4, 10, 16
# rootCoord.maxPartitionNum: 4,096 before 2.4.5, 1,024 since then (release notes of 2.4.5, pull request
# 33950); always 1,024 on Zilliz Cloud.
MAX_PARTITIONS, MAX_PARTITIONS_BEFORE_2_4_5 = 1024, 4096
# proxy.maxDimension. Since 2.4 it limits the bytes of a binary vector, not its bits (validateDimension in
# internal/proxy/util.go, pull request 30676). Zilliz Cloud documents one limit for all vectors.
MAX_DIM = 32_768


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
    # The maximum number of bits of a binary vector.
    max_bits: int
    # Only one writer at a time may send rows.
    single_writer: bool
    # A collection must be indexed and loaded before count(*) works.
    count_needs_load: bool
    # A flush is needed before counting.
    flush_before_count: bool
    databases: bool
    # Field names that this server reserves in addition to those that every Milvus reserves.
    reserved_names: frozenset[str] = frozenset()
    # Keys of the dynamic field that the server stores but never returns.
    hidden_keys: frozenset[str] = frozenset()
    # The value of a JSON field must be an object. (2.3.5 refuses lists; 2.4 does not check.)
    json_objects_only: bool = False
    # The input field of full-text search may be nullable.
    full_text_null: bool = True
    # The analyzers for full-text search.
    analyzers: tuple[str, ...] = BUILT_IN
    # The index types and metrics that the server supports.
    index_types: frozenset[str] = INDEX_TYPES
    metrics: frozenset[str] = METRICS
    # All index parameters have defaults.
    index_defaults: bool = True
    # GPU indexes support COSINE.
    gpu_cosine: bool = True
    # The server stores the descriptions of a collection and its fields.
    keeps_descriptions: bool = True
    # The server stores the consistency level, the number of partitions and the options of the fields.
    keeps_options: bool = True
    # The types of functions that a schema can have.
    functions: frozenset[str] = FUNCTIONS
    # Filters can search a VARCHAR field for words.
    text_match: bool = True
    # A field can be the clustering key.
    clustering_key: bool = True
    # Rows with the same key in different partitions are different rows. (Never true with a partition key.)
    key_per_partition: bool = True
    # Filters find the INT64 values -2^63 and 2^63-1. Up to 2.6.7, Milvus cannot parse the first one, and no
    # query returns a row with the second one (issue 46075, pull request 46136).
    filters_find_int64_limits: bool = True
    # A FLOAT or DOUBLE field can store NaN and infinity. Only up to 2.3; since 2.4 a request with such a
    # value is refused (internal/proxy/validate_util.go, checkFloatFieldData).
    keeps_not_finite: bool = True
    # A sparse vector may be empty. True since 2.4.12; Lite refuses empty ones.
    empty_sparse: bool = True
    # A JSON field that is not nullable can hold the JSON value null. Lite treats that value as NULL.
    json_null: bool = True
    # The limits of a field that can be raised while it holds rows. Lite answers UNIMPLEMENTED.
    raisable: frozenset[str] = frozenset({"max_length", "max_capacity"})

    @property
    def configurable_vector_fields(self) -> int:
        """The highest limit of vector fields that an operator can configure."""
        return CONFIGURABLE_VECTOR_FIELDS if self.max_vector_fields > 1 else 1

    @property
    def limited_by(self) -> str:
        """The name of the product whose limits apply, for messages."""
        return PRODUCTS["milvus"] if self.flavour == "lite" else str(self)

    def missing(self, feature: str) -> str:
        """Return the end of the message about a missing type, index type or option: "needs Milvus 2.5 or
        later; this is Milvus 2.3.5"."""
        if self.flavour == "zilliz" and feature in ZILLIZ_LACKS:
            return f"is not offered by {PRODUCTS[self.flavour]}"
        if self.flavour == "lite" and feature not in INTRODUCED_IN:
            return f"needs a Milvus server; this is {PRODUCTS['lite']}"
        needed = f"{INTRODUCED_IN.get(feature, 'a later Milvus')} or later"
        # Versions of Milvus Lite cannot be compared with versions of Milvus.
        if self.flavour == "lite":
            return f"needs a server ({needed}); this is {PRODUCTS['lite']}"
        return f"needs {needed}; this is {self}"

    def __str__(self) -> str:
        return f"{PRODUCTS[self.flavour]} {self.version}"


def _vector_fields(server: Server, features: Features) -> int:
    if "several_vectors" not in features:
        return 1
    return CONFIGURABLE_VECTOR_FIELDS if server.flavour == "lite" else MAX_VECTOR_FIELDS


def capabilities_of(server: Server) -> Capabilities:
    """Return the capabilities of ``server``. A build without a version counts as the newest."""
    is_lite = server.flavour == "lite"
    features = features_of(server)
    few_partitions = is_lite or server.flavour == "zilliz" or server.has((2, 4, 5))
    return Capabilities(
        flavour=server.flavour,
        version=server.version,
        types=frozenset(t for t in MilvusType if t in features),
        nullable="nullable" in features,
        default_values="default_values" in features,
        full_text="full_text" in features,
        null_vectors="null_vectors" in features,
        max_vector_fields=_vector_fields(server, features),
        max_fields=MAX_FIELDS,
        max_shards=1 if is_lite else MAX_SHARDS,
        max_partitions=MAX_PARTITIONS if few_partitions else MAX_PARTITIONS_BEFORE_2_4_5,
        max_bits=8 * MAX_DIM if server.flavour == "milvus" and server.has((2, 4)) else MAX_DIM,
        single_writer=is_lite,
        count_needs_load=not is_lite,
        flush_before_count=not is_lite,
        databases=True,
        reserved_names=LITE_RESERVED if is_lite else frozenset(),
        hidden_keys=LITE_HIDDEN_KEYS if is_lite else frozenset(),
        json_objects_only="json_lists" not in features,
        full_text_null="full_text_null" in features,
        # Lite's other analyzers need a package that may not be installed there.
        analyzers=(STANDARD,) if is_lite else BUILT_IN,
        index_types=features & INDEX_TYPES,
        metrics=features & METRICS,
        index_defaults="index_defaults" in features,
        keeps_descriptions=not is_lite,
        keeps_options=not is_lite,
        functions=features & FUNCTIONS,
        text_match="text_match" in features,
        # Lite accepts a clustering key and ignores it, like the other options.
        clustering_key=is_lite or "clustering_key" in features,
        gpu_cosine="gpu_cosine" in features,
        key_per_partition=not is_lite,
        filters_find_int64_limits=is_lite or server.has((2, 6, 8)),
        keeps_not_finite=is_lite or not server.has((2, 4)),
        json_null=not is_lite,
        raisable=frozenset(limit for limit in ("max_length", "max_capacity") if f"raise_{limit}" in features),
        empty_sparse="empty_sparse" in features,
    )
