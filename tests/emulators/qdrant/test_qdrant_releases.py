"""Older releases of Qdrant, as recorded from their sources: what they answer on the wire."""

import grpc
import pytest
import urllib3
from qdrant_client import QdrantClient, models
from qdrant_client import grpc as wire
from qdrant_client.http.exceptions import UnexpectedResponse

from tests.emulators.qdrant import QdrantEmulator, QdrantProcess

SLICE = models.Filter(must=[models.SliceCondition(slice=models.Slice(total=2, index=0))])
HAS_VECTOR = models.Filter(must_not=[models.HasVectorCondition(has_vector="a")])


def fill(client: QdrantClient) -> None:
    dense = {"a": models.VectorParams(size=2, distance=models.Distance.DOT)}
    sparse = {"s": models.SparseVectorParams()}
    client.create_collection("docs", vectors_config=dense, sparse_vectors_config=sparse)
    vectors = {"a": [1, 2], "s": models.SparseVector(indices=[3], values=[4])}
    client.upsert("docs", [models.PointStruct(id=n, vector=vectors) for n in range(20)])


def first_record(server: QdrantEmulator) -> wire.RetrievedPoint:
    with grpc.insecure_channel(server.address) as channel:
        vectors = wire.WithVectorsSelector(enable=True)
        asked = wire.ScrollPoints(collection_name="docs", limit=1, with_vectors=vectors)
        return wire.PointsStub(channel).Scroll(asked, timeout=5).result[0]


def test_vectors_of_grpc_are_typed_since_1_17(qdrant_process: QdrantProcess) -> None:
    for version, is_typed in (("1.7.4", False), ("1.16.3", False), ("1.17.0", True)):
        with qdrant_process.open(version=version) as server, server.client() as client:
            fill(client)
            vectors = first_record(server).vectors.vectors.vectors
            assert list(vectors["a"].dense.data if is_typed else vectors["a"].data) == [1, 2]
            assert (vectors["a"].WhichOneof("vector") == "dense") is is_typed
            words = vectors["s"].sparse.indices if is_typed else vectors["s"].indices.data
            assert list(words) == [3]


def test_slices_before_1_19(qdrant_process: QdrantProcess) -> None:
    with qdrant_process.open(version="1.18.3") as server:
        with server.client() as client:
            fill(client)
            with pytest.raises(UnexpectedResponse, match="Expected some form of condition") as caught:
                client.count("docs", count_filter=SLICE)
            assert caught.value.status_code == 400
        with server.client(grpc=True) as client:
            # gRPC ignores the condition: each slice would be the whole collection.
            assert client.count("docs", count_filter=SLICE).count == 20


def test_conditions_on_vectors_before_1_13(qdrant_process: QdrantProcess) -> None:
    with qdrant_process.open(version="1.12.6") as server:
        with server.client() as client:
            fill(client)
            with pytest.raises(UnexpectedResponse, match="Expected some form of condition"):
                client.count("docs", count_filter=HAS_VECTOR)
            assert client.get_collection("docs").config.strict_mode_config is None
        with (
            server.client(grpc=True) as client,
            pytest.raises(grpc.RpcError, match="Malformed Condition type"),
        ):
            client.count("docs", count_filter=HAS_VECTOR)


def test_records_before_1_10_name_what_was_not_asked(qdrant_process: QdrantProcess) -> None:
    for version, expected in (
        ("1.9.7", {"id": 0, "payload": {}, "vector": None}),
        ("1.10.0", {"id": 0, "payload": {}}),
    ):
        with qdrant_process.open(version=version) as server, server.client() as client:
            fill(client)
            page = urllib3.request("POST", f"{server.url}/collections/docs/points/scroll", json={"limit": 1})
            assert page.json()["result"]["points"] == [expected]
            info = urllib3.request("GET", f"{server.url}/collections/docs").json()["result"]
            assert (info["vectors_count"], info["points_count"]) == (40, 20)


def test_queries_before_1_10(qdrant_process: QdrantProcess) -> None:
    with qdrant_process.open(version="1.9.7") as server:
        for is_grpc in (False, True):
            with server.client(grpc=is_grpc) as client:
                if not is_grpc:
                    fill(client)
                with pytest.raises((UnexpectedResponse, grpc.RpcError), match=r"404|UNIMPLEMENTED"):
                    client.query_points("docs", query=models.SampleQuery(sample=models.Sample.RANDOM))


def test_version(qdrant_process: QdrantProcess) -> None:
    with qdrant_process.open(version="1.12.6") as server:
        assert urllib3.request("GET", server.url).json()["version"] == "1.12.6"
        with grpc.insecure_channel(server.address) as channel:
            reply = wire.QdrantStub(channel).HealthCheck(wire.HealthCheckRequest(), timeout=5)
            assert reply.version == "1.12.6"
