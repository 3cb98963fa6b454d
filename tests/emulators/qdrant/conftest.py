"""Qdrant's own client, once by REST and once by gRPC."""

from collections.abc import Iterator

import pytest
from qdrant_client import QdrantClient

from tests.emulators.qdrant import QdrantEmulator


@pytest.fixture(params=["rest", "grpc"])
def client(qdrant: QdrantEmulator, request: pytest.FixtureRequest) -> Iterator[QdrantClient]:
    with qdrant.client(grpc=request.param == "grpc") as client:
        yield client
