"""What the Qdrant server refuses: as the service does, with its status, code and words."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
import urllib3
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import UnexpectedResponse

from migrations_app.demo.qdrant.access import token
from tests.emulators.qdrant import QdrantEmulator, QdrantProcess
from tests.kit.certificates import Certificate

CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ALREADY_EXISTS,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
}


@contextmanager
def refused(status: int, words: str) -> Iterator[None]:
    """The request is refused with this HTTP status, or with the gRPC code that belongs to it."""
    with pytest.raises((UnexpectedResponse, grpc.RpcError)) as caught:
        yield
    fault = caught.value
    if isinstance(fault, UnexpectedResponse):
        assert fault.status_code == status
        text = fault.content.decode()
        assert words in (json.loads(text)["status"]["error"] if text.startswith("{") else text)
    else:
        assert isinstance(fault, grpc.Call)
        assert fault.code() is CODES[status]
        assert words in (fault.details() or "")


def vectors(size: int = 2) -> models.VectorParams:
    return models.VectorParams(size=size, distance=models.Distance.DOT)


def upserting(client: QdrantClient, vector: Any) -> None:
    client.upsert("docs", [models.PointStruct(id=1, vector=vector, payload={})])


@pytest.mark.parametrize(
    ("vector", "status", "words"),
    [
        ([1.0], 400, "Wrong input: Vector dimension error: expected dim: 2, got 1"),
        ({"other": [1.0, 2.0]}, 400, "Wrong input: Not existing vector name error: other"),
        ({"words": models.SparseVector(indices=[1, 1], values=[1, 2])}, 422, "must be unique"),
        (
            {"words": models.SparseVector(indices=[1], values=[1, 2])},
            422,
            "must be the same length as indices",
        ),
    ],
)
def test_vectors_that_do_not_fit(client: QdrantClient, vector: Any, status: int, words: str) -> None:
    sparse = {"words": models.SparseVectorParams()}
    client.create_collection("docs", vectors_config=vectors(), sparse_vectors_config=sparse)
    with refused(status, words):
        upserting(client, vector)


def test_names(client: QdrantClient) -> None:
    client.create_collection("docs", vectors_config=vectors())
    with refused(409, "Wrong input: Collection `docs` already exists!"):
        client.create_collection("docs", vectors_config=vectors())
    for ask in (client.get_collection, client.scroll, client.count):
        with refused(404, "Not found: Collection `nope` doesn't exist!"):
            ask("nope")
    assert not client.collection_exists("nope")
    with refused(422, "must be from 1 to 65536"):
        client.create_collection("large", vectors_config=vectors(65_537))


def test_shard_keys(client: QdrantClient) -> None:
    client.create_collection("docs", vectors_config=vectors(), sharding_method=models.ShardingMethod.CUSTOM)
    with refused(400, "Wrong input: Shard key not specified"):
        upserting(client, [1, 2])
    with refused(400, "Bad request: Shard key a not found"):
        client.scroll("docs", shard_key_selector="a")


def test_strict_mode_limits_pages_and_filters(client: QdrantClient) -> None:
    client.create_collection("docs", vectors_config=vectors())
    upserting(client, [1, 2])
    strict = models.StrictModeConfig(enabled=True, max_query_limit=10, unindexed_filtering_retrieve=False)
    client.update_collection("docs", strict_mode_config=strict)
    assert client.get_collection("docs").config.strict_mode_config.max_query_limit == 10
    assert client.scroll("docs", limit=10)[0]
    words = (
        'Bad request: Limit exceeded 11 > 10 for "limit". Help: Reduce the "limit" parameter to or below 10.'
    )
    with refused(400, words):
        client.scroll("docs", limit=11)
    condition = models.FieldCondition(key="n", match=models.MatchValue(value=1))
    with refused(400, 'Index required but not found for "n" of one of the following types'):
        client.count("docs", count_filter=models.Filter(must=[condition]))
    client.create_payload_index("docs", "n", models.PayloadSchemaType.INTEGER)
    assert client.count("docs", count_filter=models.Filter(must=[condition])).count == 0


def test_strict_mode_limits_conditions_exact_counts_and_the_rate(client: QdrantClient) -> None:
    client.create_collection("docs", vectors_config=vectors())
    upserting(client, [1, 2])

    def limit(**given: Any) -> None:
        client.update_collection("docs", strict_mode_config=models.StrictModeConfig(enabled=True, **given))

    ids = models.Filter(must=[models.HasIdCondition(has_id=[1, 2, 3])])
    limit(condition_max_size=2)
    with refused(400, "Condition size limit reached (3 > 2)"):
        client.scroll("docs", scroll_filter=ids)
    limit(condition_max_size=9, filter_max_conditions=1)
    with refused(400, "Filter condition limit reached (2 > 1)"):
        client.scroll("docs", scroll_filter=models.Filter(must=[ids, ids]))
    limit(search_allow_exact=False)
    with refused(400, "Exact search disabled!. Help: Set exact=false."):
        client.count("docs", exact=True)
    assert client.count("docs", exact=False).count == 1
    limit(read_rate_limit=3)
    assert client.retrieve("docs", [1, 2, 3])
    with pytest.raises(ResourceExhaustedResponse) as caught:
        client.scroll("docs")
    assert 1 <= caught.value.retry_after_s <= 20
    # More than the limit of a whole minute: waiting does not help.
    with refused(429, "request larger than rate limiter capacity"):
        client.retrieve("docs", [1, 2, 3, 4])


def test_pages_sorted_by_a_key_have_no_offset(client: QdrantClient) -> None:
    client.create_collection("docs", vectors_config=vectors())
    with refused(400, "Cannot use an `offset` when using `order_by`"):
        client.scroll("docs", offset=1, order_by="n")


def test_malformed_requests(qdrant: QdrantEmulator) -> None:
    with qdrant.client() as client:
        client.create_collection("docs", vectors_config=vectors())

    def post(path: str, body: bytes, method: str = "POST") -> tuple[int, Any]:
        got = urllib3.request(method, f"{qdrant.url}/collections/docs/{path}", body=body)
        return got.status, json.loads(got.data)["status"]["error"] if got.data else None

    status, words = post("points/scroll", b"{")
    assert status == 400
    assert words.startswith("Format error in JSON body: ")
    invalid = "Validation error in JSON body: [limit: value 0 invalid, must be 1 or larger]"
    assert post("points/scroll", b'{"limit": 0}') == (422, invalid)
    unknown = post("points/scroll", b'{"filter": {"must": [{"who": 1}]}}')
    assert unknown[0] == 400
    assert "Expected some form of condition" in unknown[1]
    bad_id = post("points", b'{"points": [{"id": "abc", "vector": [1, 2]}]}', "PUT")
    assert bad_id[0] == 400
    assert "value abc is not a valid point ID" in bad_id[1]
    assert post("nothing", b"{}") == (404, None)


def test_keys(qdrant_process: QdrantProcess) -> None:
    with qdrant_process.open(api_key="secret", read_only_key="look") as server:
        with server.client() as client:
            client.create_collection("docs", vectors_config=vectors())
            client.create_collection("more", vectors_config=vectors())
        only_docs = token("secret", {"access": [{"collection": "docs", "access": "r"}]})
        for is_grpc in (False, True):
            with server.client(grpc=is_grpc, api_key=None) as client, refused(401, "Must provide an API key"):
                client.get_collections()
            with (
                server.client(grpc=is_grpc, api_key="wrong") as client,
                refused(401, "Invalid API key or JWT"),
            ):
                client.get_collections()
            with server.client(grpc=is_grpc, api_key="look") as client:
                assert len(client.get_collections().collections) == 2
                with refused(403, "Forbidden: Global manage access is required"):
                    upserting(client, [1, 2])
            with server.client(grpc=is_grpc, api_key=only_docs) as client:
                assert [each.name for each in client.get_collections().collections] == ["docs"]
                assert client.count("docs").count == 0
                with refused(403, "Forbidden: Access to collection more is required"):
                    client.count("more")
                with refused(403, "Forbidden: Write access to collection docs is required"):
                    upserting(client, [1, 2])
            other = token("other", {"access": "r"})
            with server.client(grpc=is_grpc, api_key=other) as client, refused(403, "InvalidSignature"):
                client.get_collections()
        # The version needs no key.
        assert urllib3.request("GET", server.url).json()["version"].startswith("1.")


def test_tls_with_an_authority_of_its_own(
    qdrant_process: QdrantProcess, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Certificate.authority("Test authority")
    with qdrant_process.open(certificate=authority.sign("server")) as server:
        file = tmp_path / "authority.pem"
        file.write_text(authority.pem)
        with urllib3.PoolManager(ca_certs=str(file)) as pool:
            assert pool.request("GET", server.url).status == 200
        with urllib3.PoolManager() as pool, pytest.raises(urllib3.exceptions.MaxRetryError):
            pool.request("GET", server.url, retries=0)
        credentials = grpc.ssl_channel_credentials(authority.pem.encode())
        with grpc.secure_channel(server.address, credentials) as channel:
            ask: Callable[..., bytes] = channel.unary_unary("/qdrant.Qdrant/HealthCheck")
            assert b"qdrant" in ask(b"", timeout=5)
