"""Qdrant source: it meets the contract by gRPC and by REST, and with older servers."""

from collections.abc import Iterator
from typing import Any

import pytest
from qdrant_client import models

from migrations_app.engine.errors import AuthRefused, ConnectionFailed, ConnectionRefused, HostUnknown
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.sources.qdrant import QdrantSource
from tests.emulators.http_faults import HttpServer, forward, http_faults
from tests.emulators.qdrant import QdrantEmulator, QdrantProcess
from tests.kit import BadSettings, HttpSourceContract, SourceCase, SourceContract

KEY = "s3cret-key"
ROWS = 240
TEXTS = ["", "naïve", "日本語", "🦊 fox", "a\x01\n\t\"'\\", None]
LARGE = 2**53 + 1


def uuid(number: int) -> str:
    return f"3f2504e0-4f89-41d3-9a0c-{number:012d}"


def point_id(number: int) -> int | str:
    return number if number % 3 else uuid(number)


def fill(server: QdrantEmulator) -> None:
    dense = models.VectorParams(size=4, distance=models.Distance.DOT)
    with server.client() as client:
        for name in ("full", "empty"):
            client.create_collection(
                name, vectors_config={"a": dense}, sparse_vectors_config={"s": models.SparseVectorParams()}
            )
        points = []
        for n in range(ROWS):
            vector: dict[str, Any] = {"a": [n, 0.5, -1, 0.25]} if n % 7 else {}
            vector["s"] = models.SparseVector(indices=[2**32 - 2, n], values=[0.5, 1])
            payload = {"text": TEXTS[n % len(TEXTS)], "n": LARGE + n, "whole": 1.0, "in": {"é.$": [n]}}
            points.append(models.PointStruct(id=point_id(n), vector=vector, payload=payload))
        client.upsert("full", points)


def case_of(server: QdrantEmulator, **given: Any) -> SourceCase:
    bad = (
        BadSettings({"url": "http://127.0.0.1:1"}, ConnectionRefused, "url"),
        BadSettings({"url": "http://nowhere.invalid:6333"}, HostUnknown, "url"),
        BadSettings({"api_key": "wr0ng-key"}, AuthRefused, "api_key"),
    )
    if given.get("protocol") == "grpc":
        bad += (BadSettings({"grpc_port": 1}, ConnectionFailed, "grpc_port"),)
    payload = '{"in":{"é.$":[4]},"n":9007199254740997,"text":"a\\u0001\\n\\t\\"\'\\\\","whole":1.0}'
    return SourceCase(
        QdrantSource,
        {"url": server.url, "grpc_port": server.grpc_port, "api_key": KEY, **given},
        full=CollectionRef("full"),
        rows=ROWS,
        empty=CollectionRef("empty"),
        missing=CollectionRef("missing"),
        bad=bad,
        expected={
            "4": {
                "id": "4",
                "a": [4.0, 0.5, -1.0, 0.25],
                "s": [{"index": 4, "value": 1.0}, {"index": 2**32 - 2, "value": 0.5}],
                "payload": payload,
            },
            uuid(21): {"id": uuid(21), "a": None},
        },
        secrets=(KEY,),
        not_selectable=frozenset({"empty"}),
    )


@pytest.fixture(scope="module")
def newest(qdrant_process: QdrantProcess) -> Iterator[QdrantEmulator]:
    with qdrant_process.open(api_key=KEY) as server:
        fill(server)
        yield server


class TestGrpc(SourceContract):
    @pytest.fixture
    def case(self, newest: QdrantEmulator) -> SourceCase:
        return case_of(newest, protocol="grpc")


class TestRest(HttpSourceContract):
    @pytest.fixture
    def faults(self, newest: QdrantEmulator) -> Iterator[HttpServer]:
        with http_faults() as server:
            server.usual = forward(newest.direct_rest_port)
            yield server

    @pytest.fixture
    def case(self, newest: QdrantEmulator, faults: HttpServer) -> SourceCase:
        return case_of(newest, protocol="rest", url=faults.url)


@pytest.fixture(scope="module", params=["1.16.3", "1.7.4"])
def older(request: pytest.FixtureRequest, qdrant_process: QdrantProcess) -> Iterator[QdrantEmulator]:
    with qdrant_process.open(version=request.param, api_key=KEY) as server:
        fill(server)
        yield server


class TestOlder(SourceContract):
    """Before 1.19 slices are ranges of ids, by a random sample; before 1.11 without one."""

    @pytest.fixture
    def case(self, older: QdrantEmulator) -> SourceCase:
        return case_of(older)
