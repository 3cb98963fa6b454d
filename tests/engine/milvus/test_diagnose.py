"""Connection diagnosis: causes that can be found without a server."""

from functools import partial

import pytest

from migrations_app.engine.address_guard import AddressPolicy
from migrations_app.engine.errors import HostUnknown, ServerUnavailable
from migrations_app.engine.milvus.address import parse_address
from migrations_app.engine.milvus.diagnose import explain


@pytest.mark.parametrize("host", ["a..b", "é" * 70, "x" * 300])
def test_a_text_that_cannot_be_a_host_name_is_an_unknown_host(host: str) -> None:
    address = parse_address(f"http://{host}:19530")
    error = explain(
        address, partial(AddressPolicy().resolve, field="uri"), None, ServerUnavailable("unavailable")
    )
    assert isinstance(error, HostUnknown)
    assert error.field == "uri"
