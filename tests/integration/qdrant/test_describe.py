"""The schema of a collection: its vectors, ids, shard keys, and what is said about them."""

from typing import Any

import orjson
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.models import Datatype, Distance, VectorParams

from migrations_app.engine.errors import SourceError
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.model.source_schema import CollectionSchema, SourceKey
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.planning.document_keys import describe_with_keys
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import MeasureRequest
from tests.emulators.qdrant import QdrantEmulator, QdrantProcess
from tests.integration.qdrant.points import opened, plan_of, point_id, uuid
from tests.kit.source_case import locators_of, read_slice

DOCS = CollectionRef("docs")
MULTI = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)


def described(server: QdrantEmulator, sample: int = 20) -> CollectionSchema:
    with opened(server) as source:
        return source.describe(DOCS, sample, ReadContext())


def types_of(schema: CollectionSchema, name: str) -> list[str]:
    field = schema.field(name)
    assert field is not None
    return [str(choice.spec) for choice in field.choices if choice.is_proposed]


def numbered(client: QdrantClient, ids: list[int | str], **given: Any) -> None:
    client.create_collection(
        "docs", **({"vectors_config": VectorParams(size=2, distance=Distance.DOT)} | given)
    )
    client.upsert(
        "docs", [models.PointStruct(id=each, vector=[1, 2], payload={"n": n}) for n, each in enumerate(ids)]
    )


def test_every_kind_of_vector_has_its_type_and_metric(qdrant: QdrantEmulator) -> None:
    with qdrant.client() as client:
        client.create_collection(
            "docs",
            vectors_config={
                "bytes": VectorParams(size=3, distance=Distance.COSINE, datatype=Datatype.UINT8),
                "cosine": VectorParams(size=3, distance=Distance.COSINE),
                "dot": VectorParams(size=3, distance=Distance.DOT, datatype=Datatype.FLOAT16),
                "euclid": VectorParams(size=3, distance=Distance.EUCLID, datatype=Datatype.UINT8),
                "fast-bge": VectorParams(size=3, distance=Distance.MANHATTAN),
                "tokens": VectorParams(size=2, distance=Distance.DOT, multivector_config=MULTI),
            },
            sparse_vectors_config={"words": models.SparseVectorParams(modifier=models.Modifier.IDF)},
        )
    schema = described(qdrant)
    metrics = {field.name: field.metric for field in schema.fields if field.is_vector}
    assert metrics == {
        "bytes": "COSINE",
        "cosine": "COSINE",
        "dot": "IP",
        "euclid": "L2",
        "fast-bge": "Manhattan",
        "words": "IP",
    }
    assert types_of(schema, "dot") == ["FLOAT_VECTOR · 3", "FLOAT16_VECTOR · 3"]
    assert types_of(schema, "euclid") == ["FLOAT_VECTOR · 3"]
    assert types_of(schema, "words") == ["SPARSE_FLOAT_VECTOR"]
    tokens = schema.field("tokens")
    assert tokens is not None
    assert [choice.spec.type for choice in tokens.choices] == [MilvusType.JSON]
    assert types_of(schema, "tokens") == []
    assert "multivectors" in tokens.left_out
    (note,) = schema.notes
    assert "no Manhattan distance: no index is proposed for “fast-bge”" in note
    facts = " ".join(schema.facts)
    assert "distance: those of “cosine” arrive with the length 1" in facts
    assert "“bytes”, “dot”, “euclid” as floats" in facts
    assert "by gRPC" in facts


def test_the_only_vector_has_no_name(qdrant: QdrantEmulator) -> None:
    with qdrant.client() as client:
        numbered(client, [1, 2])
        client.create_payload_index("docs", "n", models.PayloadSchemaType.INTEGER)
    schema = described(qdrant)
    assert [field.name for field in schema.fields] == ["id", "vector", "payload"]
    assert all(field.is_synthetic for field in schema.fields)
    assert [field.native_type for field in schema.fields][::2] == ["point id", "object"]
    assert schema.fields[2].description == "Keys with an index: n (integer)."
    assert schema.key == SourceKey(("id",))


def test_an_index_decides_what_the_sample_leaves_open(qdrant: QdrantEmulator) -> None:
    with qdrant.client() as client:
        client.create_collection("docs", vectors_config=VectorParams(size=1, distance=Distance.DOT))
        for key, kind in (
            ("price", "float"),
            ("in.year", "integer"),
            ("tags[].x", "keyword"),
            ("rare", "bool"),
        ):
            client.create_payload_index("docs", key, models.PayloadSchemaType(kind))
        payload = {"price": 12, "in": {"year": 1999}, "other": 12}
        client.upsert("docs", [models.PointStruct(id=1, vector=[1], payload=payload)])
    with opened(qdrant) as source:
        schema = describe_with_keys(source, DOCS, (), ReadContext())
    assert {f.name: types_of(schema, f.name)[0] for f in schema.fields if f.opened_from} == {
        "payload.price": "DOUBLE",
        "payload.in": "JSON",
        "payload.in.year": "INT64",
        "payload.other": "INT64",
        "payload.rare": "BOOL",
    }
    rare = schema.field("payload.rare")
    assert rare is not None
    assert rare.share == 0


def test_vectors_keep_their_names_and_other_fields_give_way(qdrant: QdrantEmulator) -> None:
    dense = VectorParams(size=2, distance=Distance.DOT)
    with qdrant.client() as client:
        client.create_collection("docs", vectors_config={"id": dense, "payload": dense})
        client.upsert("docs", [models.PointStruct(id=7, vector={"id": [1, 2]}, payload={"a": 1})])
    with opened(qdrant) as source:
        plan = plan_of(source, DOCS)
        [part] = source.slices(DOCS, 1, ReadContext())
        [batch] = read_slice(source, DOCS, part, None, plan)
    assert batch.rows.to_pylist() == [{"id_": "7", "id": [1, 2], "payload": None, "payload_": '{"a":1}'}]


@pytest.mark.parametrize(
    ("ids", "fit"),
    [([0, 2**63 - 1], True), ([0, 2**63], False), ([0, uuid(1)], False), ([2**64 - 1], False)],
)
def test_int64_is_offered_if_every_id_fits(qdrant: QdrantEmulator, ids: list[int | str], fit: bool) -> None:
    with qdrant.client() as client:
        numbered(client, ids)
    assert types_of(described(qdrant), "id") == ["VARCHAR", "INT64"][: 1 + fit]


@pytest.mark.parametrize("version", ["1.19.0", "1.12.6", "1.7.4"])
def test_the_sample_of_mixed_ids_has_both_kinds(qdrant_process: QdrantProcess, version: str) -> None:
    with qdrant_process.open(version=version) as server:
        with server.client() as client:
            numbered(client, [n if n % 2 else uuid(n) for n in range(200)])
        sample = described(server, 40).sample
        assert sample is not None
        lengths = {len(each) > 30 for each in sample.column("id").to_pylist()}
        assert lengths == {True, False}
        assert sample.num_rows == 40


def test_strict_mode_is_obeyed(qdrant: QdrantEmulator) -> None:
    strict = models.StrictModeConfig(
        enabled=True, max_query_limit=7, search_allow_exact=False, filter_max_conditions=1
    )
    with qdrant.client() as client:
        numbered(client, [point_id(n) for n in range(50)], strict_mode_config=strict)
    for protocol in ("grpc", "rest"):
        with opened(qdrant, protocol=protocol) as source:
            plan = plan_of(source, DOCS, 1 << 20)
            parts = list(source.slices(DOCS, 3, ReadContext()))
            rows = [
                name for part in parts for name in locators_of(read_slice(source, DOCS, part, None, plan))
            ]
            assert len(rows) == len(set(rows)) == 50
            count = source.count(DOCS, ReadContext())
            assert (count.rows, count.is_exact) == (50, False)
            assert source.measure(DOCS, MeasureRequest(absent_of=(("vector",),)), ReadContext()).absent == {}
            assert "absent" not in source.can_measure


def test_what_strict_mode_refuses_is_explained(qdrant: QdrantEmulator) -> None:
    strict = models.StrictModeConfig(enabled=True, filter_max_conditions=0)
    with qdrant.client() as client:
        numbered(client, [1, 2, 3], strict_mode_config=strict)
    with opened(qdrant) as source:
        with pytest.raises(SourceError, match="strict mode refused a request") as caught:
            source.describe(DOCS, 10, ReadContext())
        assert caught.value.code == "strict_mode"
        assert source.measure(DOCS, MeasureRequest(absent_of=(("vector",),)), ReadContext()).absent == {}


def test_shard_keys_are_partitions_and_part_of_the_key(qdrant: QdrantEmulator) -> None:
    dense = VectorParams(size=1, distance=Distance.DOT)
    with qdrant.client() as client:
        client.create_collection("docs", vectors_config=dense, sharding_method=models.ShardingMethod.CUSTOM)
        for key in ("a/b", 7):
            client.create_shard_key("docs", key)
            points = [models.PointStruct(id=n, vector=[n], payload={"key": key}) for n in range(30)]
            client.upsert("docs", points, shard_key_selector=key)
    for protocol in ("grpc", "rest"):
        with opened(qdrant, protocol=protocol) as source:
            schema = source.describe(DOCS, 10, ReadContext())
            assert schema.key == SourceKey(("shard_key", "id"), is_joined=True)
            assert schema.partitions == ("7", "a/b")
            count = source.count(DOCS, ReadContext())
            assert (count.rows, count.is_exact, dict(count.by_partition)) == (60, True, {"7": 30, "a/b": 30})
            plan = plan_of(source, DOCS)
            parts = list(source.slices(DOCS, 4, ReadContext()))
            assert [part.partition for part in parts] == ["7", "a/b", "7", "a/b"]
            seen: list[str] = []
            for part in parts:
                for batch in read_slice(source, DOCS, part, None, plan):
                    seen += batch.locators.to_pylist()
                    assert set(batch.rows.column("shard_key").to_pylist()) == {part.partition}
                    keys = {orjson.loads(text)["key"] for text in batch.rows.column("payload").to_pylist()}
                    assert set(map(str, keys)) == {part.partition}
            assert sorted(seen) == sorted(f"{key}/{n}" for key in ("7", "a%2Fb") for n in range(30))
            some = batch.locators.slice(0, 3)
            assert source.fetch(DOCS, some, plan, ReadContext()).to_pylist() == batch.rows.to_pylist()[:3]


def test_an_alias_is_a_collection_too(qdrant: QdrantEmulator) -> None:
    with qdrant.client() as client:
        numbered(client, [1, 2])
        client.update_collection_aliases(
            [
                models.CreateAliasOperation(
                    create_alias=models.CreateAlias(collection_name="docs", alias_name="now")
                )
            ]
        )
    with opened(qdrant) as source:
        assert source.count(CollectionRef("now"), ReadContext()).rows == 2


def test_collections_that_cannot_be_moved_say_why(qdrant: QdrantEmulator) -> None:
    with qdrant.client() as client:
        multi = VectorParams(size=2, distance=Distance.DOT, multivector_config=MULTI)
        client.create_collection("many", vectors_config={"tokens": multi})
        client.create_collection("docs", vectors_config=VectorParams(size=2, distance=Distance.DOT))
    with opened(qdrant) as source:
        found = {info.name: info.not_selectable for info in source.collections(ReadContext())}
    assert found == {
        "docs": "It has no points.",
        "many": "It has only multivectors, which Milvus does not have.",
    }


def test_an_estimate_of_nothing_does_not_hide_points(qdrant: QdrantEmulator) -> None:
    with qdrant.client() as client:
        numbered(client, [1, 2])
    qdrant.lag(5)
    with opened(qdrant) as source:
        [info] = source.collections(ReadContext())
        assert (info.not_selectable, info.rows) == ("", None)
        assert source.has_rows(DOCS, ReadContext())
