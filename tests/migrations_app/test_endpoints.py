"""The addresses that a connection may lead to if the operator forbids private ones."""

import pytest

from migrations_app import endpoints
from migrations_app.engine.errors import ConnectionFailed
from migrations_app.engine.sources.registry import SOURCES

LOGIN = {"database": "shop", "user": "reader"}


@pytest.fixture(autouse=True)
def public_only(settings):
    settings.VECTORFERRY_ALLOW_PRIVATE_ADDRESSES = False


def refused(kind, values, *, is_target=False):
    with pytest.raises(ConnectionFailed) as caught:
        endpoints.check(kind, values, is_target=is_target)
    return caught.value.code, caught.value.field


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "0.0.0.0", "::1", "/var/run/postgresql", "8.8.8.8,127.0.0.1"],
)
def test_a_source_with_a_private_address_is_refused_at_its_field(host):
    assert refused("postgresql", LOGIN | {"host": host}) == ("address_private", "host")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://reader@8.8.8.8/shop?hostaddr=127.0.0.1",
        "postgresql://reader@/shop",
        "postgresql://reader@%2Fvar%2Frun/shop",
        "host=8.8.8.8,10.0.0.1 dbname=shop user=reader",
        "host=8.8.8.8, dbname=shop user=reader",
    ],
)
def test_a_connection_string_hides_no_private_address(url):
    assert refused("postgresql", {"url": url}) == ("address_private", "url")


@pytest.mark.parametrize("uri", ["http://127.0.0.1:19530", "https://[::1]:19530", "localhost:19530"])
def test_a_target_with_a_private_address_is_refused_at_its_field(uri):
    assert refused("milvus", {"uri": uri}, is_target=True) == ("address_private", "uri")


def test_a_private_address_is_tried_if_the_operator_allows_it(settings):
    settings.VECTORFERRY_ALLOW_PRIVATE_ADDRESSES = True
    assert refused("postgresql", LOGIN | {"host": "127.0.0.1", "port": 1}) == ("connection_refused", "port")
    assert refused("milvus", {"uri": "http://127.0.0.1:1"}, is_target=True) == ("connection_refused", "uri")


def test_a_metadata_service_is_refused_even_then(settings):
    settings.VECTORFERRY_ALLOW_PRIVATE_ADDRESSES = True
    assert refused("postgresql", LOGIN | {"host": "169.254.169.254"}) == ("address_metadata", "host")
    uri = "http://[::ffff:a9fe:a9fe]:80"
    assert refused("milvus", {"uri": uri}, is_target=True) == ("address_metadata", "uri")


KINDS = [*(entry.load() for entry in SOURCES.values()), *endpoints.TARGETS.values()]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_each_kind_names_the_field_that_shows_a_refused_address(kind):
    assert kind.address_field in kind.Settings.model_fields
