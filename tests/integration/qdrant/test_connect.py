"""Connecting: keys and tokens, TLS with a certificate of its own, and servers that are not Qdrant."""

from collections.abc import Iterator

import pytest
from qdrant_client import models

from migrations_app.demo.qdrant.access import token
from migrations_app.engine.errors import AuthRefused, ConnectionFailed, TlsFailed, VersionUnsupported
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.qdrant import QdrantSource
from tests.emulators.http_faults import http_faults, reply
from tests.emulators.qdrant import QdrantEmulator, QdrantProcess
from tests.integration.qdrant.points import ROWS, fill, opened, plan_of
from tests.kit.certificates import Certificate
from tests.kit.source_case import locators_of, read_slice

FULL = CollectionRef("full")


def all_locators(source: QdrantSource) -> list[str]:
    [part] = source.slices(FULL, 1, ReadContext())
    return locators_of(read_slice(source, FULL, part, None, plan_of(source, FULL, 1 << 20)))


@pytest.fixture(scope="module")
def guarded(qdrant_process: QdrantProcess) -> Iterator[QdrantEmulator]:
    with qdrant_process.open(api_key="manage-key", read_only_key="read-key") as server:
        fill(server)
        yield server


def test_a_read_only_key_is_enough(guarded: QdrantEmulator) -> None:
    for protocol in ("grpc", "rest"):
        with opened(guarded, api_key="read-key", protocol=protocol) as source:
            assert source.check(ReadContext()).product == "Qdrant"
            assert len(all_locators(source)) == ROWS


def test_a_token_for_one_collection_is_enough(guarded: QdrantEmulator) -> None:
    only = token("manage-key", {"access": [{"collection": "full", "access": "r"}]})
    with opened(guarded, api_key=only) as source:
        source.check(ReadContext())
        assert [info.name for info in source.collections(ReadContext())] == ["full"]
        assert len(all_locators(source)) == ROWS


def test_a_missing_key_is_asked_for(guarded: QdrantEmulator) -> None:
    with opened(guarded, api_key="") as source, pytest.raises(AuthRefused) as caught:
        source.check(ReadContext())
    assert caught.value.field == "api_key"


def test_tls_with_an_authority_of_its_own(qdrant_process: QdrantProcess) -> None:
    authority = Certificate.authority("Test authority")
    with qdrant_process.open(certificate=authority.sign("server"), api_key="manage-key") as server:
        with server.client(verify=False) as client:
            client.create_collection(
                "full", vectors_config=models.VectorParams(size=1, distance=models.Distance.DOT)
            )
            client.upsert("full", [models.PointStruct(id=n, vector=[n]) for n in range(9)])
        for protocol in ("grpc", "rest"):
            with opened(server, protocol=protocol, ca_cert=authority.pem) as source:
                assert f"by {'gRPC' if protocol == 'grpc' else 'REST'}" in str(source.check(ReadContext()))
                assert len(all_locators(source)) == 9
        with opened(server) as source, pytest.raises(TlsFailed) as caught:
            source.check(ReadContext())
        assert caught.value.field == "ca_cert"


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (b'{"title": "qdrant - vector search engine", "version": "1.6.1"}', VersionUnsupported, ""),
        (b'{"name": "es", "version": {"number": "9.1"}}', ConnectionFailed, "not_qdrant"),
        (b"<h1>Welcome to nginx</h1>", ConnectionFailed, "not_qdrant"),
    ],
)
def test_another_server_is_reported_at_the_address(
    answer: bytes, error: type[ConnectionFailed], code: str
) -> None:
    with http_faults() as server:
        server.usual = reply(answer)
        settings = QdrantSource.Settings.model_validate({"url": server.url})
        with QdrantSource(settings) as source, pytest.raises(error) as caught:
            source.check(ReadContext())
    assert caught.value.field == "url"
    assert caught.value.code == (code or caught.value.default_code)
    assert caught.value.hint
