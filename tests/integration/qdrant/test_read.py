"""What arrives: every kind of value, as Qdrant's own client reads it."""

from typing import Any

import orjson
import pyarrow as pa
import pytest
from qdrant_client import models
from qdrant_client.models import Datatype, Distance, VectorParams

from migrations_app.engine.model.batch import Batch, CollectionRef, ReadColumn, ReadPlan
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.read_context import ReadContext
from tests.emulators.qdrant import QdrantEmulator, QdrantProcess
from tests.integration.qdrant.points import opened, plan_of, uuid
from tests.kit.source_case import read_slice

DOCS = CollectionRef("docs")
PROTOCOLS = ("grpc", "rest")
JSON = TypeSpec(MilvusType.JSON)
DENSE = VectorParams(size=2, distance=Distance.DOT)
PAYLOADS: list[dict[str, Any]] = [
    {},
    {"nothing": None, "empty": [], "": "", "object": {}, "lists": [[], [[1, None]], [{"a": [{}]}]]},
    {
        "whole": 1.0,
        "zero": -0.0,
        "small": 5e-324,
        "large": 1.7976931348623157e308,
        "thousand": 1e3,
        "e": 1e22,
    },
    {"n": [0, -1, 2**53 + 1, 2**63 - 1, -(2**63)], "yes": True, "no": False},
    {
        "json": '{"a": 1}',
        "digits": "12",
        "text": 'a\x00\x1f"\\/\n\u2028\U0001f600é日本',
        "long": "x\n" * 5000,
    },
    {
        "a.b": 1,
        "$meta": 2,
        "a b": 3,
        '"': 4,
        "é": 5,
        "id": 6,
        "vector": [0.5, 1.5],
        "payload": {"payload": 7},
    },
    {"vector": [float(n) for n in range(400)], "deep": orjson.loads("[" * 40 + "]" * 40)},
    {"tags": [f"t{n}" for n in range(300)]},
]


def batches(server: QdrantEmulator, plan: ReadPlan | None = None, **given: Any) -> list[Batch]:
    with opened(server, **given) as source:
        plan = plan or plan_of(source, DOCS, 1 << 20)
        [part] = source.slices(DOCS, 1, ReadContext())
        return read_slice(source, DOCS, part, None, plan)


def rows_of(server: QdrantEmulator, plan: ReadPlan | None = None, **given: Any) -> list[dict[str, Any]]:
    return [row for batch in batches(server, plan, **given) for row in batch.rows.to_pylist()]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_payloads_arrive_as_they_are(qdrant: QdrantEmulator, protocol: str) -> None:
    with qdrant.client() as client:
        client.create_collection("docs", vectors_config=DENSE)
        points = [models.PointStruct(id=n, vector=[n, 1], payload=each) for n, each in enumerate(PAYLOADS)]
        client.upsert("docs", points)
        judged = [record.payload for record in client.scroll("docs")[0]]
    rows = rows_of(qdrant, protocol=protocol)
    found = [orjson.loads(row["payload"]) for row in rows]
    assert [repr(_sorted(each)) for each in found] == [repr(_sorted(each)) for each in judged]
    assert [row["vector"] for row in rows] == [[n, 1] for n in range(len(PAYLOADS))]


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_integers_beyond_those_of_grpc_arrive_exactly(qdrant: QdrantEmulator, protocol: str) -> None:
    large = [2**63, 2**64 - 1, 2**63 + 1]
    with qdrant.client() as client:
        client.create_collection("docs", vectors_config=DENSE)
        for n in range(60):
            payload = {"n": large[n % 3] if n > 40 else n, "float": 1e19}
            client.upsert("docs", [models.PointStruct(id=n, vector=[n, 1], payload=payload)])
    found = [orjson.loads(row["payload"])["n"] for row in rows_of(qdrant, protocol=protocol)]
    assert found == [large[n % 3] if n > 40 else n for n in range(60)]
    with opened(qdrant, protocol=protocol) as source:
        facts = source.describe(DOCS, 60, ReadContext()).facts
        assert ("integers of 2^63 or more" in facts[0]) is (protocol == "grpc")
        plan = plan_of(source, DOCS)
        [row] = source.fetch(DOCS, pa.array(["50"]), plan, ReadContext()).to_pylist()
        assert orjson.loads(row["payload"])["n"] == large[50 % 3]


def test_vectors_arrive_as_the_client_reads_them(qdrant_process: QdrantProcess) -> None:
    """Of each kind, by both protocols, from servers before and since 1.17."""
    multi = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
    for version in ("1.19.0", "1.16.3"):
        with qdrant_process.open(version=version) as server:
            with server.client() as client:
                client.create_collection(
                    "docs",
                    vectors_config={
                        "cosine": VectorParams(size=3, distance=Distance.COSINE),
                        "half": VectorParams(size=2, distance=Distance.DOT, datatype=Datatype.FLOAT16),
                        "byte": VectorParams(size=2, distance=Distance.DOT, datatype=Datatype.UINT8),
                        "one": VectorParams(size=1, distance=Distance.MANHATTAN),
                        "tokens": VectorParams(size=2, distance=Distance.DOT, multivector_config=multi),
                    },
                    sparse_vectors_config={"words": models.SparseVectorParams()},
                )
                vectors: list[dict[str, Any]] = [
                    {"cosine": [3, 4, 0], "half": [0.1, 65504], "byte": [0, 255], "one": [1e-40]},
                    {"tokens": [[0.1, 2], [3, 4], [5, 6]], "one": [-3.4e38]},
                    {"words": models.SparseVector(indices=[7, 0, 2**32 - 1], values=[0.5, -1, 1e-3])},
                    {"words": models.SparseVector(indices=[], values=[])},
                    {},
                ]
                points = [models.PointStruct(id=n, vector=each) for n, each in enumerate(vectors)]
                client.upsert("docs", points)
                judged = [record.vector or {} for record in client.scroll("docs", with_vectors=True)[0]]
            columns = [
                ReadColumn("tokens", JSON),
                ReadColumn("half", TypeSpec(MilvusType.FLOAT16_VECTOR, dim=2)),
            ]
            with opened(server) as source:
                plan = plan_of(source, DOCS)
            plan = ReadPlan(
                (*(c for c in plan.columns if c.path not in ("tokens", "half")), *columns), plan.key
            )
            without = ReadPlan(tuple(c for c in plan.columns if c.path != "tokens"), plan.key)
            for protocol in PROTOCOLS:
                rows = rows_of(server, plan, protocol=protocol)
                assert rows_of(server, without, protocol=protocol) == [
                    _without(row, "tokens") for row in rows
                ]
                for row, expected in zip(rows, judged, strict=True):
                    assert {name for name in expected if row[name] is not None} == set(expected)
                    for name in ("cosine", "byte", "one"):
                        assert row[name] == _floats(expected.get(name)), (protocol, name)
                    words = expected.get("words")
                    assert row["words"] == (None if words is None else _entries(words))
                    assert orjson.loads(row["tokens"] or b"null") == expected.get("tokens")
                assert rows[0]["half"] == pa.array([0.1, 65504], pa.float16()).buffers()[1].to_pybytes()[:4]


def _without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


def _floats(values: Any) -> Any:
    return None if values is None else pa.array(values, pa.float32()).to_pylist()


def _entries(vector: Any) -> list[dict[str, Any]]:
    values = pa.array(vector.values, pa.float32()).to_pylist()
    return [{"index": i, "value": v} for i, v in sorted(zip(vector.indices, values, strict=True))]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_ids_that_do_not_fit_are_rejected_rows(qdrant: QdrantEmulator, protocol: str) -> None:
    with qdrant.client() as client:
        client.create_collection("docs", vectors_config=DENSE)
        ids: list[int | str] = [1, 2**63 - 1, 2**63, uuid(5)]
        client.upsert("docs", [models.PointStruct(id=each, vector=[1, 2]) for each in ids])
    plan = ReadPlan((ReadColumn("id", TypeSpec(MilvusType.INT64)),), ("id",))
    [batch] = batches(qdrant, plan, protocol=protocol)
    assert batch.rows.column("id").to_pylist() == [1, 2**63 - 1]
    assert [row.locator for row in batch.rejected] == [str(2**63), uuid(5)]
    assert all(row.field == "id" and row.code == "misfit" for row in batch.rejected)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_rows_of_another_dimension_are_rejected(qdrant: QdrantEmulator, protocol: str) -> None:
    with qdrant.client() as client:
        client.create_collection("docs", vectors_config=DENSE)
        client.upsert("docs", [models.PointStruct(id=1, vector=[1, 2])])
    plan = ReadPlan((ReadColumn("vector", TypeSpec(MilvusType.FLOAT_VECTOR, dim=3)),), ("id",))
    [batch] = batches(qdrant, plan, protocol=protocol)
    assert [row.code for row in batch.rejected] == ["dimension_mismatch"]


def test_both_protocols_give_the_same_rows_in_the_same_batches(qdrant: QdrantEmulator) -> None:
    with qdrant.client() as client:
        client.create_collection("docs", vectors_config=DENSE)
        points = [models.PointStruct(id=n, vector=[n, 1], payload={"b": n, "a": 1}) for n in range(500)]
        client.upsert("docs", points)
    by_grpc, by_rest = (rows_of(qdrant, protocol=protocol) for protocol in PROTOCOLS)
    assert by_grpc == by_rest
