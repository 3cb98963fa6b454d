"""The check before a migration from Qdrant: it reads all payloads and sparse vectors, but no dense vector."""

from typing import Any

import pytest
from qdrant_client import models

from migrations_app.engine.model.plan import Plan
from migrations_app.engine.preflight import Preflight, check_plan
from migrations_app.engine.preflight.scans import read_rows
from migrations_app.engine.preflight.scans.all_rows import ScanBudget
from migrations_app.engine.read_context import ReadContext
from tests.emulators.qdrant import QdrantEmulator
from tests.integration.qdrant.points import opened
from tests.kit import MemoryDatabase, MemoryTarget, memory_database

ROWS = 500


def fill_hostile(server: QdrantEmulator) -> None:
    """Points whose sample looks harmless: what does not fit comes after the first 100 ids."""
    with server.client() as client:
        client.create_collection(
            "hostile",
            vectors_config={"a": models.VectorParams(size=4, distance=models.Distance.DOT)},
            sparse_vectors_config={"s": models.SparseVectorParams()},
        )
        points = []
        for n in range(ROWS):
            indices, values = [1, 2], [0.5, -1.0 if n % 100 == 7 else 1.0]
            if n % 100 == 8:
                indices = [1, 2**32 - 1]
            vector: dict[str, Any] = {"s": models.SparseVector(indices=indices, values=values)}
            if n % 50:
                vector["a"] = [1, 2, 3, 4]
            price = 9 if n % 20 else "9"
            points.append(models.PointStruct(id=n, vector=vector, payload={"price": price, "a.b": None}))
        client.upsert("hostile", points)


def checked(server: QdrantEmulator, budget: ScanBudget | None = None, **given: Any) -> Preflight:
    price = {"source": "payload.price", "type": "INT64", "misfit": "reject"}
    plan = {
        "version": 1,
        "source": {"kind": "qdrant"},
        "target": {"kind": "memory"},
        "collections": [
            {"source": "hostile", "fields": [{"source": "id"}, {"source": "a"}, {"source": "s"}, price]}
        ],
        "options": {"max_skipped": 1.0},
    }
    with opened(server, **given) as source, memory_database(MemoryDatabase()) as settings:
        target = MemoryTarget(settings, "default")
        return check_plan(Plan.model_validate(plan), source, target, ReadContext(), budget=budget)


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
@pytest.mark.parametrize("few_rows", [10_000, 10])
def test_what_would_be_lost_is_counted_in_all_points(
    qdrant: QdrantEmulator, monkeypatch: pytest.MonkeyPatch, protocol: str, few_rows: int
) -> None:
    monkeypatch.setattr(read_rows, "FEW_ROWS", few_rows)
    fill_hostile(qdrant)
    found = checked(qdrant, protocol=protocol)
    lost = sorted(fault.message for fault in found.faults if fault.code == "rows_lost")
    assert lost == [
        "25 of 500 rows would be rejected: “payload.price” does not fit its type.",
        "5 of 500 rows would be rejected: “s” has a negative value.",
        "5 of 500 rows would be rejected: “s” has an index above 4,294,967,294, which Milvus does not take.",
    ]
    (one,) = found.collections
    assert "10 of 500 rows lack “a” and will be skipped." in one.notes
    without = ", without the numbers in “a”" if few_rows == 10 else ""
    assert one.looked == f"All 500 rows were checked for NULL, lengths and sizes{without}."


def test_a_check_that_has_no_time_says_so(qdrant: QdrantEmulator) -> None:
    fill_hostile(qdrant)
    (one,) = checked(qdrant, ScanBudget(0.0)).collections
    assert one.looked.startswith(("The source cannot check all rows", "Only the first "))
