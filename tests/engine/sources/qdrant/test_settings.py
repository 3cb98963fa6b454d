"""Connection settings of Qdrant: addresses as people paste them."""

import pytest
from pydantic import ValidationError

from migrations_app.engine.sources.qdrant.connect.settings import QdrantSettings


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("localhost", "http://localhost:6333"),
        ("localhost:7333", "http://localhost:7333"),
        ("http://qdrant.example.com/", "http://qdrant.example.com:6333"),
        ("https://qdrant.example.com:443", "https://qdrant.example.com:443"),
        ("https://proxy.example.com:443/vectors/", "https://proxy.example.com:443/vectors"),
        ("xyz.eu-central.aws.cloud.qdrant.io", "https://xyz.eu-central.aws.cloud.qdrant.io:6333"),
        ("http://localhost:6333/dashboard#/collections", "http://localhost:6333"),
        ("http://[::1]:6333", "http://[::1]:6333"),
        ("http://[::1]", "http://[::1]:6333"),
    ],
)
def test_addresses_are_completed_as_by_the_vendors_clients(typed: str, url: str) -> None:
    assert QdrantSettings(url=typed).url == url


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"url": "http://localhost:6334"}, "url"),
        ({"url": "http://user:s3cret@localhost"}, "url"),
        ({"url": "ftp://localhost"}, "url"),
        ({"url": "http://localhost:99999"}, "url"),
        ({"url": "localhost", "grpc_port": 0}, "grpc_port"),
    ],
)
def test_wrong_addresses_are_refused(given: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        QdrantSettings.model_validate(given)
    [found] = caught.value.errors()
    assert field in (*found["loc"], found.get("ctx", {}).get("field"))
    assert "s3cret" not in str(caught.value)


def test_another_port_for_grpc_frees_6334() -> None:
    assert QdrantSettings(url="http://localhost:6334", grpc_port=7334).url == "http://localhost:6334"
    assert QdrantSettings(url="http://localhost:6334", protocol="rest").url == "http://localhost:6334"
