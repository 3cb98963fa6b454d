"""Milvus server: flavour and version, and the features that follow from them."""

import pytest

from migrations_app.engine.milvus.capabilities import capabilities_of
from migrations_app.engine.milvus.server import Server, identify
from migrations_app.engine.model.types import MilvusType

CLOUD = "Zilliz Cloud Vector Database(Compatible with Milvus 2.6)"


@pytest.mark.parametrize(
    ("reported", "build", "is_zilliz", "expected"),
    [
        ("milvus_lite-3.2.2", "milvus_lite", False, Server("lite", (3, 2, 2))),
        ("v2.3.5-lite", "v2.3.5-lite", False, Server("milvus", (2, 3, 5))),
        ("v2.6.18", "v2.6.18", False, Server("milvus", (2, 6, 18))),
        ("2.6-20260404-31fb3fc", "", False, Server("milvus", (2, 6))),
        ("master-20260226-abcdef", "", False, Server("milvus", ())),
        ("unknown-20260608-7ea6e3526", CLOUD, True, Server("zilliz", (2, 6))),
        ("unknown-20260608-7ea6e3526", CLOUD, False, Server("zilliz", (2, 6))),
        ("v2.4.3", "v2.4.3", True, Server("zilliz", (2, 4, 3))),
    ],
)
def test_a_server_is_identified_by_its_reported_version(reported, build, is_zilliz, expected):
    assert identify(reported, build, is_zilliz=is_zilliz) == expected


@pytest.mark.parametrize(
    ("numbers", "since", "has"),
    [
        ((2, 3, 5), (2, 4), False),
        ((2, 4, 0), (2, 4), True),
        ((2, 10, 0), (2, 9), True),
        ((2, 6, 17), (2, 6, 18), False),
        ((2, 6), (2, 6, 18), True),
        ((2, 5), (2, 6), False),
        ((), (2, 6, 18), True),
        ((3, 0, 0), (2, 6, 18), True),
    ],
)
def test_version_numbers_that_a_build_does_not_report_count_as_the_newest(numbers, since, has):
    assert Server("milvus", numbers).has(since) == has


FLOAT_KINDS = {MilvusType.FLOAT16_VECTOR, MilvusType.BFLOAT16_VECTOR}
MISSING_TYPES = {
    (2, 3, 1): {"ARRAY", "SPARSE_FLOAT_VECTOR", *FLOAT_KINDS, "INT8_VECTOR"},
    (2, 3, 5): {"SPARSE_FLOAT_VECTOR", *FLOAT_KINDS, "INT8_VECTOR"},
    (2, 4, 0): {"INT8_VECTOR"},
    (2, 5, 27): {"INT8_VECTOR"},
    (2, 6, 0): set(),
}


@pytest.mark.parametrize("numbers", MISSING_TYPES)
def test_types_are_offered_from_the_version_that_introduced_them(numbers):
    offered = capabilities_of(Server("milvus", numbers)).types

    assert {t.value for t in set(MilvusType) - offered} == MISSING_TYPES[numbers]


def test_lite_has_its_own_limits():
    capabilities = capabilities_of(Server("lite", (3, 2, 2)))

    missing = {MilvusType.FLOAT16_VECTOR, MilvusType.BFLOAT16_VECTOR}
    missing |= {MilvusType.INT8_VECTOR, MilvusType.BINARY_VECTOR}
    assert set(MilvusType) - capabilities.types == missing
    assert (capabilities.max_shards, capabilities.single_writer, capabilities.count_needs_load) == (
        1,
        True,
        False,
    )
    assert capabilities.nullable
    assert not capabilities.null_vectors
    assert str(capabilities) == "Milvus Lite 3.2.2"


def test_the_message_for_a_missing_feature_names_the_version_that_introduced_it():
    old, lite = capabilities_of(Server("milvus", (2, 3, 5))), capabilities_of(Server("lite", (3, 2, 2)))

    assert old.missing("nullable") == "needs Milvus 2.5 or later; this is Milvus 2.3.5"
    assert lite.missing("INT8_VECTOR") == ("needs a server (Milvus 2.6 or later); this is Milvus Lite")
