"""What servers say about a collection, in the forms of their versions."""

from typing import Any

import pytest

from migrations_app.engine.sources.qdrant.collection import parsed


def info(params: dict[str, Any], **config: Any) -> dict[str, Any]:
    return {"config": {"params": params, **config}, "points_count": 5, "payload_schema": {}}


def test_a_vector_that_keeps_only_quantized_values() -> None:
    """TurboQuant as a data type has no original; as a quantization beside the vectors it has."""
    turbo = {"size": 4, "distance": "Dot", "datatype": "turbo4"}
    beside = {"size": 4, "distance": "Dot", "quantization_config": {"turbo": {"bits": "bits4"}}}
    found = parsed("c", info({"vectors": {"a": turbo, "b": beside}}))
    assert [(vector.name, vector.is_dequantized) for vector in found.vectors] == [("a", True), ("b", False)]
    assert found.vectors[0].kind == "vector · 4 · turbo4"


def test_names_are_unique_whatever_vectors_are_called() -> None:
    params = {
        "vectors": {"size": 2, "distance": "Cosine"},
        "sparse_vectors": {"vector": {}, "id": None, "payload": {"modifier": "idf"}, "payload_": {}},
        "sharding_method": "custom",
    }
    found = parsed("c", info(params))
    assert [vector.field for vector in found.vectors] == ["vector_", "vector", "id", "payload", "payload_"]
    assert (found.id_field, found.payload_field, found.shard_key_field) == ("id_", "payload__", "shard_key")
    assert found.has_shard_keys


@pytest.mark.parametrize("vectors", [{}, None])
def test_a_collection_may_have_no_dense_vectors(vectors: Any) -> None:
    found = parsed("c", info({"vectors": vectors, "sparse_vectors": {"s": {}}}))
    assert [vector.kind for vector in found.vectors] == ["sparse vector"]


@pytest.mark.parametrize(
    ("strict", "limit", "can_count"),
    [
        (None, None, True),
        ({"enabled": False, "max_query_limit": 5, "search_allow_exact": False}, None, True),
        ({"enabled": True, "max_query_limit": 5, "search_allow_exact": False}, 5, False),
        ({"enabled": True}, None, True),
    ],
)
def test_strict_mode_counts_only_if_it_is_on(strict: Any, limit: int | None, can_count: bool) -> None:
    found = parsed("c", info({"vectors": {"size": 2, "distance": "Dot"}}, strict_mode_config=strict))
    assert (found.page_limit, found.can_count) == (limit, can_count)
