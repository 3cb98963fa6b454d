"""Endpoint addresses: private ones are refused if the operator forbids them."""

import pytest

from migrations_app import endpoints
from migrations_app.engine.errors import ConnectionFailed

LOGIN = {"database": "shop", "user": "reader"}


@pytest.fixture(autouse=True)
def public_only(settings):
    settings.VECTORFERRY_ALLOW_PRIVATE_ADDRESSES = False


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "::1",
        "fe80::1%1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "/var/run/postgresql",
        "@abstract",
        "8.8.8.8,127.0.0.1",
    ],
)
def test_private_addresses_are_refused_in_every_notation(host):
    with pytest.raises(ConnectionFailed) as refused:
        endpoints.open_source("postgresql", LOGIN | {"host": host})
    assert (refused.value.code, refused.value.field) == ("address_private", "host")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://reader@8.8.8.8/shop?hostaddr=127.0.0.1",
        "postgresql://reader@/shop",
        "postgresql://reader@%2Fvar%2Frun/shop",
        "host=8.8.8.8,10.0.0.1 dbname=shop user=reader",
    ],
)
def test_a_private_address_in_a_connection_string_is_refused(url):
    with pytest.raises(ConnectionFailed, match="private address"):
        endpoints.open_source("postgresql", {"url": url})


@pytest.mark.parametrize("uri", ["http://127.0.0.1:19530", "http://[::1]:19530", "localhost:19530"])
def test_a_private_address_of_a_target_is_refused(uri):
    with pytest.raises(ConnectionFailed, match="private address"):
        endpoints.open_target("milvus", {"uri": uri})


@pytest.mark.parametrize("host", ["8.8.8.8", "2001:4860:4860::8888", "no-such-host.invalid", "a..b"])
def test_public_addresses_and_unknown_names_are_left_to_the_connector(host):
    endpoints.open_source("postgresql", LOGIN | {"host": host}).close()


def test_private_addresses_are_allowed_if_the_setting_permits_them(settings):
    settings.VECTORFERRY_ALLOW_PRIVATE_ADDRESSES = True
    endpoints.open_source("postgresql", LOGIN | {"host": "127.0.0.1"}).close()
