"""The Qdrant server, judged by qdrant-client, by REST and by gRPC."""

from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

UUID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
PAYLOAD = {
    "text": "ünï \U0001f600",
    "json": '{"a": 1}',
    "whole": 1.0,
    "large": 2**53 + 1,
    "lowest": -(2**63),
    "nothing": None,
    "empty": [],
    "": "",
    "a.b $c": {"d": [1, None, {"e": True}]},
}


def dense(size: int, distance: models.Distance = models.Distance.DOT, **given: Any) -> models.VectorParams:
    return models.VectorParams(size=size, distance=distance, **given)


def point(number: int | str, vector: Any, **payload: Any) -> models.PointStruct:
    return models.PointStruct(id=number, vector=vector, payload=payload)


def filled(client: QdrantClient, count: int = 20, **given: Any) -> None:
    client.create_collection("docs", **({"vectors_config": dense(2)} | given))
    client.upsert("docs", [point(n, [n, 0.5], n=n) for n in range(count)])


def number_of(client: QdrantClient, *conditions: Any) -> int:
    return client.count("docs", count_filter=models.Filter(must=list(conditions))).count


def test_points_of_mixed_ids_come_back_page_by_page(client: QdrantClient) -> None:
    client.create_collection("docs", vectors_config=dense(2))
    ids = [2**64 - 1, UUID, 0, 7, 12]
    client.upsert("docs", [point(each, [1.5, n], n=n) for n, each in enumerate(ids)])
    seen, offset = [], None
    while True:
        page, offset = client.scroll("docs", limit=2, offset=offset, with_vectors=True)
        seen += [(record.id, record.vector, record.payload["n"]) for record in page]
        if offset is None:
            break
    assert [each[0] for each in seen] == [0, 7, 12, 2**64 - 1, UUID]
    assert all(vector == [1.5, n] and ids[n] == each for each, vector, n in seen)
    assert client.count("docs").count == 5
    assert client.get_collection("docs").points_count == 5


def test_payload_comes_back_as_it_was_written(client: QdrantClient) -> None:
    client.create_collection("docs", vectors_config=dense(2))
    client.upsert("docs", [models.PointStruct(id=1, vector=[0, 0], payload=PAYLOAD)])
    [record] = client.retrieve("docs", [1, 2])
    assert record.payload == PAYLOAD
    assert isinstance(record.payload["whole"], float)
    [record] = client.scroll("docs", with_payload=["text"])[0]
    assert record.payload == {"text": PAYLOAD["text"]}
    [record] = client.scroll("docs", with_payload=models.PayloadSelectorExclude(exclude=["text"]))[0]
    assert set(record.payload) == set(PAYLOAD) - {"text"}


def test_vectors_of_each_kind(client: QdrantClient) -> None:
    many = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
    half, byte = models.Datatype.FLOAT16, models.Datatype.UINT8
    client.create_collection(
        "docs",
        vectors_config={
            "plain": dense(3),
            "half": dense(2, datatype=half),
            "byte": dense(2, models.Distance.EUCLID, datatype=byte),
            "many": dense(2, models.Distance.MANHATTAN, multivector_config=many),
            "fast-bge": dense(2, models.Distance.COSINE),
        },
        sparse_vectors_config={"words": models.SparseVectorParams()},
    )
    words = models.SparseVector(indices=[2**32 - 1, 7], values=[-0.5, 0.25])
    vectors = {
        "plain": [0.1, 1e-9, 3.0],
        "half": [0.1, 2.0],
        "byte": [0, 255],
        "many": [[1, 2], [3, 4]],
        "fast-bge": [3.0, 4.0],
        "words": words,
    }
    client.upsert("docs", [point(1, vectors), point(2, {"byte": [1, 2]}), point(3, {})])
    whole, part, bare = client.scroll("docs", with_vectors=True)[0]
    assert np.array_equal(np.float32(whole.vector["plain"]), np.float32(vectors["plain"]))
    assert np.float32(whole.vector["half"][0]) == np.float32(np.float16(0.1))
    assert whole.vector["byte"] == [0, 255]
    assert whole.vector["many"] == [[1, 2], [3, 4]]
    assert whole.vector["fast-bge"] == pytest.approx([0.6, 0.8])
    assert whole.vector["words"] == models.SparseVector(indices=[7, 2**32 - 1], values=[0.25, -0.5])
    assert part.vector == {"byte": [1, 2]}
    assert not bare.vector
    assert client.scroll("docs", with_vectors=["half"])[0][1].vector in ({}, None)
    assert number_of(client, models.HasVectorCondition(has_vector="words")) == 1
    info = client.get_collection("docs").config.params
    assert info.vectors["half"].datatype is half
    assert info.vectors["many"].multivector_config == many
    assert info.vectors["many"].distance is models.Distance.MANHATTAN
    assert list(info.sparse_vectors) == ["words"]


def test_filters_look_at_null_at_empty_and_at_missing(client: QdrantClient) -> None:
    client.create_collection("docs", vectors_config=dense(1))
    for number, payload in enumerate(({"k": None}, {"k": []}, {}, {"k": 1}, {"k": "a"}, {"k": [1, 5]})):
        client.upsert("docs", [models.PointStruct(id=number, vector=[1], payload=payload)])
    key = models.PayloadField(key="k")
    assert number_of(client, models.IsNullCondition(is_null=key)) == 1
    assert number_of(client, models.IsEmptyCondition(is_empty=key)) == 3
    assert number_of(client, models.FieldCondition(key="k", match=models.MatchValue(value=1))) == 2
    assert number_of(client, models.FieldCondition(key="k", range=models.Range(gt=1))) == 1
    assert number_of(client, models.HasIdCondition(has_id=[0, 4, 99])) == 2
    lacks = models.Filter(must_not=[models.IsEmptyCondition(is_empty=key)])
    assert number_of(client, lacks) == 3


def test_slices_are_disjoint_and_complete(client: QdrantClient) -> None:
    filled(client, 100)
    seen = [
        record.id
        for index in range(3)
        for record in client.scroll(
            "docs",
            limit=100,
            scroll_filter=models.Filter(
                must=[models.SliceCondition(slice=models.Slice(total=3, index=index))]
            ),
        )[0]
    ]
    assert sorted(seen) == list(range(100))
    assert len(seen) == 100


def test_random_sample_and_nearest(client: QdrantClient) -> None:
    filled(client)
    sample = models.SampleQuery(sample=models.Sample.RANDOM)
    found = client.query_points("docs", query=sample, limit=8, with_vectors=True, with_payload=True).points
    assert len({each.id for each in found}) == 8
    assert all(each.vector[0] == each.payload["n"] == each.id for each in found)
    nearest = client.query_points("docs", query=[1.0, 0.0], limit=2).points
    assert [each.id for each in nearest] == [19, 18]


def test_pages_sorted_by_a_key(client: QdrantClient) -> None:
    filled(client)
    client.create_payload_index("docs", "n", models.PayloadSchemaType.INTEGER)
    order = models.OrderBy(key="n", direction=models.Direction.DESC)
    page, following = client.scroll("docs", limit=3, order_by=order)
    assert [(record.id, record.order_value) for record in page] == [(19, 19), (18, 18), (17, 17)]
    assert following is None


def test_shard_keys_are_read_by_themselves(client: QdrantClient) -> None:
    client.create_collection("docs", vectors_config=dense(1), sharding_method=models.ShardingMethod.CUSTOM)
    for key in ("a", 7):
        client.create_shard_key("docs", key)
        points = [point(n, [n], key=key) for n in range(3)]
        client.upsert("docs", [*points, point(10 if key == "a" else 11, [0])], shard_key_selector=key)
    assert [each.key for each in client.list_shard_keys("docs").shard_keys] == ["a", 7]
    records = client.scroll("docs", shard_key_selector=7, limit=9)[0]
    assert [(record.id, record.shard_key) for record in records] == [(0, 7), (1, 7), (2, 7), (11, 7)]
    # Over all shards, equal ids are one in a scroll, and several in a count.
    assert [record.id for record in client.scroll("docs", limit=9)[0]] == [0, 1, 2, 10, 11]
    assert client.count("docs").count == 8
    shards = client.collection_cluster_info("docs").local_shards
    assert [(each.shard_key, each.points_count) for each in shards] == [("a", 4), (7, 4)]
    assert client.delete_shard_key("docs", "a")
    assert client.count("docs").count == 4


def test_payload_indexes_are_in_the_information(client: QdrantClient) -> None:
    filled(client)
    client.create_payload_index("docs", "n", models.PayloadSchemaType.INTEGER)
    client.create_payload_index("docs", "s", models.KeywordIndexParams(type="keyword", is_tenant=True))
    schema = client.get_collection("docs").payload_schema
    assert schema["n"].data_type is models.PayloadSchemaType.INTEGER
    assert schema["n"].points == 20
    assert schema["s"].data_type is models.PayloadSchemaType.KEYWORD
    assert schema["s"].params.is_tenant
    client.delete_payload_index("docs", "s")
    assert list(client.get_collection("docs").payload_schema) == ["n"]


def test_aliases_stand_for_their_collection(client: QdrantClient) -> None:
    filled(client)
    alias = models.CreateAlias(collection_name="docs", alias_name="library")
    client.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
    assert client.count("library").count == 20
    assert client.collection_exists("library")
    assert client.get_aliases().aliases[0].collection_name == "docs"
    assert [each.alias_name for each in client.get_collection_aliases("docs").aliases] == ["library"]
    renamed = models.RenameAlias(old_alias_name="library", new_alias_name="books")
    client.update_collection_aliases([models.RenameAliasOperation(rename_alias=renamed)])
    assert client.collection_exists("books")
    assert not client.collection_exists("library")
    assert [each.name for each in client.get_collections().collections] == ["docs"]
    assert client.delete_collection("docs")
    assert not client.get_aliases().aliases


def test_points_are_changed_and_deleted(client: QdrantClient) -> None:
    filled(client, 6)
    client.set_payload("docs", {"a": 1}, points=[1])
    client.overwrite_payload("docs", {"b": [1]}, points=[2])
    client.delete_payload("docs", ["n"], points=[3])
    client.clear_payload("docs", points_selector=[4])
    client.update_vectors("docs", [models.PointVectors(id=5, vector=[8, 9])])
    client.delete(
        "docs", models.FilterSelector(filter=models.Filter(must=[models.HasIdCondition(has_id=[0])]))
    )
    records = client.scroll("docs", with_vectors=True)[0]
    assert [record.payload for record in records] == [{"n": 1, "a": 1}, {"b": [1]}, {}, {}, {"n": 5}]
    assert records[-1].vector == [8, 9]


def test_turbo_quantization_keeps_no_original(client: QdrantClient) -> None:
    turbo = dense(64, models.Distance.COSINE, datatype=models.Datatype.TURBO8)
    client.create_collection("docs", vectors_config=turbo)
    vector = np.random.default_rng(1).normal(size=64)
    client.upsert("docs", [point(1, vector.tolist())])
    [record] = client.retrieve("docs", [1], with_vectors=True)
    unit = vector / np.linalg.norm(vector)
    assert not np.array_equal(np.float32(record.vector), np.float32(unit))
    assert record.vector == pytest.approx(unit, abs=0.05)
    assert client.get_collection("docs").config.params.vectors.datatype is models.Datatype.TURBO8
