"""What a Milvus server can do, by its version and flavour, not from hope.

Milvus 2.3.5 accepts schemas with nullable, sparse or float16 fields, and then fails or forgets: what counts
is the version that documents a feature (``features.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

from migrations_app.engine.milvus.analyzers import BUILT_IN, STANDARD
from migrations_app.engine.milvus.features import (
    BROUGHT_BY,
    INDEX_TYPES,
    LITE_HIDDEN_KEYS,
    LITE_RESERVED,
    ZILLIZ_LACKS,
    Features,
    features_of,
)
from migrations_app.engine.milvus.server import PRODUCTS, Server
from migrations_app.engine.model.types import MilvusType

# The defaults of Milvus's settings proxy.maxFieldNum, proxy.maxVectorFieldNum and proxy.maxShardNum; the
# first two are Zilliz Cloud's limits as well (docs.zilliz.com/docs/limits). Of vector fields an operator may
# allow up to ten (milvus.io/docs/v2.5.x/multi-vector-search.md). Lite has no limits of its own: what is moved
# there is kept within Milvus's, so that it can go there later.
MAX_FIELDS, MAX_VECTOR_FIELDS, MOST_VECTOR_FIELDS, MAX_SHARDS = 64, 4, 10, 16
# rootCoord.maxPartitionNum: 4,096, and 1,024 since 2.4.5 (its release notes, pull request 33950); 1,024 on
# every Zilliz Cloud.
MAX_PARTITIONS, MAX_PARTITIONS_BEFORE_2_4_5 = 1024, 4096
# proxy.maxDimension; since 2.4 it is that of a binary vector's bytes (validateDimension in
# internal/proxy/util.go, pull request 30676). Zilliz Cloud documents one limit for all.
MAX_DIM = 32_768
METRICS = frozenset({"COSINE", "L2", "IP", "HAMMING", "JACCARD", "MHJACCARD", "BM25"})


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
    # How many bits may a binary vector have?
    max_bits: int
    # May only one writer at a time send rows?
    single_writer: bool
    # Must a collection be indexed and loaded before count(*) answers?
    count_needs_load: bool
    # Is a flush worth its time before counting?
    flush_before_count: bool
    databases: bool
    # Which field names does this server keep for itself, beyond those of every Milvus?
    reserved_names: frozenset[str] = frozenset()
    # Which keys of the dynamic field are never seen again?
    hidden_keys: frozenset[str] = frozenset()
    # Must the value of a JSON field be an object? (2.3.5 refuses lists; the checks of 2.4 do not look.)
    json_objects_only: bool = False
    # May the field that full-text search reads be nullable?
    full_text_null: bool = True
    # Which analyzers cut its texts?
    analyzers: tuple[str, ...] = BUILT_IN
    # Which kinds of index does it build, by which metrics?
    index_types: frozenset[str] = INDEX_TYPES
    metrics: frozenset[str] = METRICS
    # Do the parameters of an index have defaults?
    index_defaults: bool = True
    # Does an index on a GPU go with COSINE?
    gpu_cosine: bool = True
    # Does it keep the descriptions of a collection and its fields?
    keeps_descriptions: bool = True
    # Are two rows of one key in different partitions two rows? (Where there is a partition key, never.)
    key_per_partition: bool = True

    # Do filters find the INT64 values -2^63 and 2^63-1? Until 2.6.7 Milvus does not parse the one, and no
    # query returns the row of the other (its issue 46075, pull request 46136).
    filters_find_ends: bool = True

    # Does a FLOAT or DOUBLE field keep NaN and infinity? Until 2.3; since 2.4 a request that holds one is
    # refused (internal/proxy/validate_util.go, checkFloatFieldData).
    keeps_not_finite: bool = True
    # May a sparse vector have no entry? Since 2.4.12; Lite wants one.
    empty_sparse: bool = True
    # May a JSON field that takes no NULL hold JSON's null? Lite takes the one for the other.
    json_null: bool = True

    @property
    def most_vector_fields(self) -> int:
        """How many vector fields there may be at most, where an operator allows more than the usual."""
        return MOST_VECTOR_FIELDS if self.max_vector_fields > 1 else 1

    @property
    def limits(self) -> str:
        """Whose limits these are, as a sentence names them."""
        return PRODUCTS["milvus"] if self.flavour == "lite" else str(self)

    def missing(self, feature: str) -> str:
        """Which version brings a type (``"FLOAT16_VECTOR"``), an index type or an option (``"nullable"``),
        as words: "needs Milvus 2.5 or later; this is Milvus 2.3.5"."""
        if self.flavour == "zilliz" and feature in ZILLIZ_LACKS:
            return f"is not offered by {PRODUCTS[self.flavour]}"
        if self.flavour == "lite" and feature not in BROUGHT_BY:
            return f"needs a Milvus server; this is {PRODUCTS['lite']}"
        brings = f"{BROUGHT_BY.get(feature, 'a later Milvus')} or later"
        # The versions of Milvus Lite are numbers of its own, not to be compared with those of servers.
        if self.flavour == "lite":
            return f"needs a server ({brings}); this is {PRODUCTS['lite']}"
        return f"needs {brings}; this is {self}"

    def __str__(self) -> str:
        return f"{PRODUCTS[self.flavour]} {self.version}"


def _vector_fields(server: Server, features: Features) -> int:
    if "several_vectors" not in features:
        return 1
    return MOST_VECTOR_FIELDS if server.flavour == "lite" else MAX_VECTOR_FIELDS


def capabilities_of(server: Server) -> Capabilities:
    """What ``server`` can do. A build that does not say its version counts as the newest."""
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
        # Lite's others want a package that nobody can know to be there.
        analyzers=(STANDARD,) if is_lite else BUILT_IN,
        index_types=features & INDEX_TYPES,
        metrics=features & METRICS,
        index_defaults="index_defaults" in features,
        keeps_descriptions=not is_lite,
        gpu_cosine="gpu_cosine" in features,
        key_per_partition=not is_lite,
        filters_find_ends=is_lite or server.has((2, 6, 8)),
        keeps_not_finite=is_lite or not server.has((2, 4)),
        json_null=not is_lite,
        empty_sparse=not is_lite and server.has((2, 4, 12)),
    )
