"""Features of each version and flavour, taken from documents: the tests cannot start these servers.

tests/integration/milvus/test_features.py tests the servers that can be started.
"""

import pytest

from migrations_app.engine.milvus.capabilities import capabilities_of
from migrations_app.engine.milvus.features import ALWAYS, INTRODUCED_IN, LITE, SINCE
from migrations_app.engine.milvus.metrics import INDEX_TYPES
from migrations_app.engine.milvus.server import Server
from migrations_app.engine.model.types import MilvusType

BEFORE = {(2, 3, 2): (2, 3, 1), (2, 4): (2, 3, 22), (2, 5): (2, 4, 23), (2, 6): (2, 5, 26)}
BEFORE |= {(2, 6, 3): (2, 6, 2), (2, 6, 18): (2, 6, 17), (2, 4, 8): (2, 4, 7), (3, 0): (2, 6, 19)}
BEFORE |= {(2, 4, 12): (2, 4, 11), (2, 5, 2): (2, 5, 1), (2, 5, 11): (2, 5, 10)}

# Each feature with the version that introduced it and the source of this fact.
DOCUMENTED = [
    ("ARRAY", (2, 3, 2), "milvus.io/docs/v2.3.x/release_notes.md#v232"),
    ("SPARSE_FLOAT_VECTOR", (2, 4), "milvus.io/docs/v2.4.x/release_notes.md#v240-rc1"),
    ("FLOAT16_VECTOR", (2, 4), "milvus.io/docs/v2.4.x/release_notes.md#v240-rc1"),
    ("BFLOAT16_VECTOR", (2, 4), "milvus.io/docs/v2.4.x/release_notes.md#v240-rc1"),
    ("several_vectors", (2, 4), "milvus.io/docs/v2.4.x/multi-vector-search.md"),
    ("json_lists", (2, 4), "internal/proxy/validate_util.go of Milvus 2.4: checkJSONFieldData"),
    ("SPARSE_INVERTED_INDEX", (2, 4), "milvus.io/docs/v2.4.x/index.md"),
    ("SPARSE_WAND", (2, 4), "milvus.io/docs/v2.4.x/index.md"),
    ("GPU_CAGRA", (2, 4), "milvus.io/docs/v2.4.x/gpu_index.md"),
    ("GPU_BRUTE_FORCE", (2, 4), "milvus.io/docs/v2.4.x/gpu_index.md"),
    ("nullable", (2, 5), "milvus.io/docs/v2.5.x/nullable-and-default.md"),
    ("default_values", (2, 5), "milvus.io/docs/v2.5.x/nullable-and-default.md"),
    ("full_text", (2, 5), "milvus.io/docs/v2.5.x/full-text-search.md"),
    ("BM25", (2, 5), "milvus.io/docs/v2.5.x/full-text-search.md"),
    ("HNSW_SQ", (2, 5), "milvus.io/docs/v2.5.x/hnsw-sq.md"),
    ("HNSW_PQ", (2, 5), "milvus.io/docs/v2.5.x/hnsw-pq.md"),
    ("HNSW_PRQ", (2, 5), "milvus.io/docs/v2.5.x/hnsw-prq.md"),
    ("index_defaults", (2, 5), "milvus.io/docs/v2.5.x/hnsw.md: “Default value”"),
    ("clustering_key", (2, 4, 8), "release notes of 2.4.8: “Implemented clustering compaction”"),
    ("empty_sparse", (2, 4, 12), "milvus-io/milvus, pull request 34700; pymilvus, pull request 2673"),
    ("text_match", (2, 5), "milvus.io/docs/v2.5.x/keyword-match.md"),
    ("raise_max_length", (2, 5, 2), "milvus.io/docs/v2.5.x/alter-collection-field.md"),
    (
        "raise_max_capacity",
        (2, 5, 11),
        "release notes of 2.5.11: “the maximum capacity of array …”",
    ),
    ("TextEmbedding", (2, 6), "milvus.io/docs/v2.6.x/embedding-function-overview.md"),
    ("MinHash", (3, 0), "milvus.io/docs/minhash-function.md: “Compatible with Milvus 3.0.x”"),
    ("gpu_cosine", (2, 5), "pkg/util/indexparamcheck/constraints.go of 2.4: RaftMetrics; issue 36605"),
    ("INT8_VECTOR", (2, 6), "milvus.io/api-reference/pymilvus/v2.6.x, DataType"),
    ("IVF_RABITQ", (2, 6), "milvus.io/docs/v2.6.x/ivf-rabitq.md"),
    ("MINHASH_LSH", (2, 6), "milvus.io/docs/v2.6.x/minhash-lsh.md"),
    ("MHJACCARD", (2, 6), "milvus.io/docs/v2.6.x/minhash-lsh.md"),
    (
        "full_text_null",
        (2, 6, 3),
        "milvus.io/docs/release_notes.md#v263: “Nullable fields can now be used …”",
    ),
    ("null_vectors", (2, 6, 18), "docs.zilliz.com/docs/release-notes-2606"),
]


def has(server: Server, feature: str) -> bool:
    """Return True if the capabilities of the server include the feature."""
    capabilities = capabilities_of(server)
    named = {*capabilities.types, *capabilities.index_types, *capabilities.metrics, *capabilities.functions}
    others = {
        "several_vectors": capabilities.max_vector_fields > 1,
        "json_lists": not capabilities.json_objects_only,
        "raise_max_length": "max_length" in capabilities.raisable,
        "raise_max_capacity": "max_capacity" in capabilities.raisable,
    }
    if feature in named or feature in others:
        return others.get(feature, True)
    return getattr(capabilities, feature, False) is True


@pytest.mark.parametrize(("feature", "version", "source"), DOCUMENTED, ids=[row[0] for row in DOCUMENTED])
def test_a_feature_is_offered_from_the_version_that_introduced_it(feature, version, source):
    assert not has(Server("milvus", BEFORE[version]), feature)
    assert has(Server("milvus", version), feature)
    assert has(Server("milvus", ()), feature), "a build that does not report its version counts as the newest"
    assert INTRODUCED_IN[feature] == f"Milvus {'.'.join(map(str, version))}"


def test_every_feature_has_a_document():
    assert {feature for _, features in SINCE for feature in features} == {row[0] for row in DOCUMENTED}


@pytest.mark.parametrize(
    ("numbers", "partitions"),
    [((2, 3, 5), 4096), ((2, 4, 4), 4096), ((2, 4, 5), 1024), ((2, 5), 1024), ((2, 6), 1024)],
)
def test_the_limit_of_partitions_depends_on_the_version(numbers, partitions):
    """configs/milvus.yaml of 2.4.4 and 2.4.5; release notes of 2.4.5: pull request 33950."""
    assert capabilities_of(Server("milvus", numbers)).max_partitions == partitions


@pytest.mark.parametrize(
    ("server", "bits"),
    [
        (Server("milvus", (2, 3, 5)), 32_768),
        (Server("milvus", (2, 4)), 262_144),
        (Server("milvus", (2, 6)), 262_144),
        (Server("zilliz", (2, 6)), 32_768),
    ],
)
def test_the_limit_of_bits_in_a_binary_vector_depends_on_the_version(server, bits):
    """internal/proxy/util.go, validateDimension, of 2.3.21 and 2.4.0; docs.zilliz.com/docs/limits."""
    assert capabilities_of(server).max_bits == bits


@pytest.mark.parametrize(("numbers", "finds"), [((2, 3, 5), False), ((2, 6, 7), False), ((2, 6, 8), True)])
def test_filters_find_the_largest_and_smallest_keys_from_milvus_2_6_8(numbers, finds):
    """milvus-io/milvus, issue 46075; pull request 46136 was merged between 2.6.7 and 2.6.8."""
    assert capabilities_of(Server("milvus", numbers)).filters_find_int64_limits is finds


@pytest.mark.parametrize("numbers", [(2, 4), (2, 5), (2, 6)])
def test_zilliz_cloud_has_the_limits_of_its_documents(numbers):
    """docs.zilliz.com/docs/limits: 64 fields, 4 vector fields, 1,024 partitions a collection;
    docs.zilliz.com/docs/indexes: for vector indexes, it “currently supports only AUTOINDEX,
    MINHASH_LSH”."""
    cloud, milvus = capabilities_of(Server("zilliz", numbers)), capabilities_of(Server("milvus", numbers))

    assert (cloud.max_fields, cloud.max_vector_fields, cloud.max_partitions) == (64, 4, 1024)
    assert cloud.index_types == {"AUTOINDEX", "MINHASH_LSH"} & milvus.index_types
    assert cloud.types == milvus.types
    same = (
        "nullable",
        "default_values",
        "full_text",
        "full_text_null",
        "null_vectors",
        "analyzers",
        "metrics",
    )
    assert [getattr(cloud, name) for name in same] == [getattr(milvus, name) for name in same]
    assert cloud.missing("HNSW") == "is not offered by Zilliz Cloud"


def test_a_vector_type_always_has_an_index():
    for server in (Server("lite", (3, 2, 2)), Server("milvus", (2, 3, 5)), Server("zilliz", (2, 6))):
        capabilities = capabilities_of(server)
        for kind in (kind for kind in capabilities.types if kind.is_vector):
            assert set(INDEX_TYPES[kind]) & capabilities.index_types, (server, kind)


def test_every_type_is_in_the_table():
    assert set(map(str, MilvusType)) <= ALWAYS | set(INTRODUCED_IN)
    assert ALWAYS | set(INTRODUCED_IN) >= LITE
