"""Connection diagnosis: causes that can be found without a server."""

import pytest

from migrations_app.engine.errors import HostUnknown
from migrations_app.engine.milvus.address import parse_address
from migrations_app.engine.milvus.diagnose import explain


@pytest.mark.parametrize("host", ["a..b", "é" * 70, "x" * 300])
def test_a_text_that_cannot_be_a_host_name_is_an_unknown_host(host: str) -> None:
    error = explain(parse_address(f"http://{host}:19530"), None, "unavailable")
    assert isinstance(error, HostUnknown)
    assert error.field == "uri"
