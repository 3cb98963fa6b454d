"""Points of Qdrant in Milvus, read back by pymilvus and compared with what Qdrant's own client reads."""

from typing import Any

import pytest
from qdrant_client import models
from qdrant_client.models import Distance, VectorParams

from tests.emulators.qdrant import QdrantEmulator
from tests.roundtrip.mover import Moved
from tests.roundtrip.point_mover import PointMover

NUMBERS = list(range(30))
LARGE = 2**53 + 1


def uuid(number: int) -> str:
    return f"3f2504e0-4f89-41d3-9a0c-{number:012d}"


def fill(server: QdrantEmulator, ids: list[int | str]) -> None:
    with server.client() as client:
        client.create_collection("docs", vectors_config=VectorParams(size=2, distance=Distance.DOT))
        found = [
            models.PointStruct(id=each, vector=[n, 0.5], payload=payload(n)) for n, each in enumerate(ids)
        ]
        client.upsert("docs", found)


def payload(number: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "n": LARGE + number,
        "whole": 1.0,
        "null": None,
        "text": 'naïve 🦊 "\\\n',
        "json": '{"a": 1}',
        "in": {"a.b $c": [number, None, {}]},
        "empty": [],
        "": "",
    }
    return {key: value for key, value in found.items() if number % 3 or key != "text"}


def assert_arrived(moved: Moved, server: QdrantEmulator, key: type) -> None:
    assert moved.report["status"] == "Successful", moved.log
    assert not moved.rejected
    assert moved.counts["verified"], moved.log
    rows = moved.rows()
    with server.client() as client:
        records = client.scroll("docs", limit=1000, with_vectors=True)[0]
    assert len(rows) == len(records)
    for record in records:
        row = rows[key(record.id)]
        assert row.pop("id") == key(record.id)
        assert row.pop("vector") == record.vector
        assert {name: (type(value), value) for name, value in row.items()} == {
            name: (type(value), value) for name, value in (record.payload or {}).items()
        }


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_points_of_mixed_ids_arrive_as_they_are(points: PointMover, protocol: str) -> None:
    assert points.server is not None
    fill(points.server, [n if n % 2 else uuid(n) for n in NUMBERS])
    moved = points.move("docs", settings={"protocol": protocol})
    assert_arrived(moved, points.server, str)


def test_numbers_can_stay_numbers(points: PointMover) -> None:
    assert points.server is not None
    fill(points.server, list(NUMBERS))
    moved = points.move("docs", override=True, fields=[{"source": "id", "type": "INT64"}])
    assert_arrived(moved, points.server, int)
    assert moved.fields["id"]["type"].name == "INT64"


def test_shard_keys_and_absent_vectors(points: PointMover) -> None:
    """Equal ids in several shard keys stay apart, and a payload may have the names of the fields."""
    assert points.server is not None
    dense = VectorParams(size=2, distance=Distance.COSINE)
    with points.server.client() as client:
        client.create_collection(
            "docs", vectors_config={"fast-bge": dense}, sharding_method=models.ShardingMethod.CUSTOM
        )
        for key in ("a/b", 7):
            client.create_shard_key("docs", key)
            found = [
                models.PointStruct(
                    id=n, vector={"fast-bge": [3, 4]} if n else {}, payload={"id": f"own {n}", "vector": [n]}
                )
                for n in range(10)
            ]
            client.upsert("docs", found, shard_key_selector=key)
    moved = points.move("docs")
    assert moved.report["status"] == "Successful", moved.log
    assert (moved.counts["rows_read"], moved.counts["rows_skipped"]) == (20, 2)
    assert "docs: 2 of 20 rows lack “fast-bge” and will be skipped." in moved.log
    assert moved.rows() == {
        f"{shown}/{n}": {
            "key": f"{shown}/{n}",
            "shard_key": key,
            "id_2": str(n),
            "fast_bge": pytest.approx([0.6, 0.8]),
            "id": f"own {n}",
            "vector": [n],
        }
        for key, shown in (("a/b", "a%2Fb"), ("7", "7"))
        for n in range(1, 10)
    }
