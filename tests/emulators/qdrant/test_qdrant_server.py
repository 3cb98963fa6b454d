"""The Qdrant server, judged by qdrant-client, by REST and by gRPC."""

from collections.abc import Iterator
from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from tests.emulators.qdrant import QdrantEmulator

UUID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"


@pytest.fixture(params=["rest", "grpc"])
def client(qdrant: QdrantEmulator, request: pytest.FixtureRequest) -> Iterator[QdrantClient]:
    with qdrant.client(grpc=request.param == "grpc") as client:
        yield client


def size(count: int, **given: Any) -> models.VectorParams:
    return models.VectorParams(size=count, distance=models.Distance.DOT, **given)


def test_points_of_mixed_ids_come_back_page_by_page(client: QdrantClient) -> None:
    client.create_collection("docs", vectors_config=size(2))
    ids = [2**64 - 1, UUID, 0, 7, 12]
    client.upsert(
        "docs", [models.PointStruct(id=i, vector=[1.5, n], payload={"n": n}) for n, i in enumerate(ids)]
    )
    seen, offset = [], None
    while True:
        page, offset = client.scroll("docs", limit=2, offset=offset, with_vectors=True)
        seen += [(record.id, record.vector, record.payload["n"]) for record in page]
        if offset is None:
            break
    assert [each[0] for each in seen] == [0, 7, 12, 2**64 - 1, UUID]
    assert all(vector == [1.5, n] and ids[n] == each for each, vector, n in seen)
    assert client.count("docs").count == 5
