"""Faults of the Qdrant emulator, as clients meet them."""

import time
from typing import Any

import grpc
import pytest
import urllib3
from qdrant_client import QdrantClient, models
from qdrant_client import grpc as wire

from tests.emulators.qdrant import QdrantEmulator, busy, cut, failing, proxy_error, stall, write


@pytest.fixture
def server(qdrant: QdrantEmulator) -> QdrantEmulator:
    with qdrant.client() as client:
        fill(client, 0, 50)
    return qdrant


def fill(client: QdrantClient, first: int, count: int) -> None:
    if not client.collection_exists("docs"):
        size = models.VectorParams(size=64, distance=models.Distance.DOT)
        client.create_collection("docs", vectors_config=size)
    client.upsert("docs", [models.PointStruct(id=first + n, vector=[n] * 64) for n in range(count)])


def rest_page(server: QdrantEmulator, **given: Any) -> urllib3.BaseHTTPResponse:
    body = {"limit": 100, "with_vector": True}
    url = f"{server.url}/collections/docs/points/scroll"
    with urllib3.PoolManager() as pool:
        return pool.request("POST", url, json=body, retries=False, **given)


def grpc_page(server: QdrantEmulator, timeout: float = 5) -> wire.ScrollResponse:
    with grpc.insecure_channel(server.address) as channel:
        vectors = wire.WithVectorsSelector(enable=True)
        asked = wire.ScrollPoints(collection_name="docs", limit=100, with_vectors=vectors)
        found: wire.ScrollResponse = wire.PointsStub(channel).Scroll(asked, timeout=timeout)
        return found


def grpc_fault(server: QdrantEmulator, timeout: float = 5) -> Any:
    with pytest.raises(grpc.RpcError) as caught:
        grpc_page(server, timeout)
    return caught.value


def test_busy_says_when_to_come_back(server: QdrantEmulator) -> None:
    server.fault(busy("scroll", retry_after=2, times=2))
    got = rest_page(server)
    assert (got.status, got.headers["Retry-After"]) == (429, "2")
    assert got.json()["status"]["error"].startswith("Rate limiting exceeded: Read rate limit exceeded")
    fault = grpc_fault(server)
    assert fault.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert ("retry-after", "2") in fault.trailing_metadata()
    assert rest_page(server).status == 200
    assert len(grpc_page(server).result) == 50


def test_errors_of_the_service_and_of_a_proxy(server: QdrantEmulator) -> None:
    server.fault(failing("scroll", times=2), failing("scroll", "UNAVAILABLE", times=2), proxy_error("scroll"))
    assert rest_page(server).status == 500
    assert grpc_fault(server).code() is grpc.StatusCode.INTERNAL
    assert rest_page(server).status == 503
    assert grpc_fault(server).code() is grpc.StatusCode.UNAVAILABLE
    got = rest_page(server)
    assert (got.status, got.data[:6]) == (502, b"<html>")


def test_cut_in_mid_page(server: QdrantEmulator) -> None:
    server.fault(cut("scroll", after=1, times=2))
    assert rest_page(server).status == 200
    with pytest.raises(urllib3.exceptions.ProtocolError):
        rest_page(server)
    assert grpc_fault(server).code() is grpc.StatusCode.UNAVAILABLE
    assert len(grpc_page(server).result) == 50


def test_stalled_page(server: QdrantEmulator) -> None:
    server.fault(stall("scroll", sent=500, times=2))
    with pytest.raises(urllib3.exceptions.TimeoutError):
        rest_page(server, timeout=0.5)
    started = time.monotonic()
    assert grpc_fault(server, 0.5).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 3
    assert len(grpc_page(server).result) == 50


def test_rows_written_meanwhile(server: QdrantEmulator) -> None:
    server.fault(write("scroll", "docs", [{"id": 1000, "vector": [0] * 64, "payload": {}}], after=1))
    assert len(grpc_page(server).result) == 50
    assert len(grpc_page(server).result) == 51


def test_lagging_counts(server: QdrantEmulator) -> None:
    server.lag(20)
    with server.client() as client:
        assert client.get_collection("docs").points_count == 30
        assert client.count("docs", exact=False).count == 30
        assert client.count("docs", exact=True).count == 50


def test_calls_are_recorded_with_their_headers(server: QdrantEmulator) -> None:
    rest_page(server, headers={"User-Agent": "me"})
    grpc_page(server)
    by_rest, by_grpc = server.calls("scroll")
    assert (by_rest["protocol"], by_rest["collection"]) == ("rest", "docs")
    assert by_rest["headers"]["user-agent"] == "me"
    assert by_grpc["protocol"] == "grpc"
