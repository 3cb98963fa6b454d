"""Qdrant source: it meets the contract by gRPC and by REST, and with older servers."""

from collections.abc import Iterator
from typing import Any

import pytest

from migrations_app.engine.errors import AuthRefused, ConnectionFailed, ConnectionRefused, HostUnknown
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.sources.qdrant import QdrantSource
from tests.emulators.http_faults import HttpServer, forward, http_faults
from tests.emulators.qdrant import QdrantEmulator, QdrantProcess
from tests.integration.qdrant.points import ROWS, fill, uuid
from tests.kit import BadSettings, HttpSourceContract, SourceCase, SourceContract

KEY = "s3cret-key"


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
