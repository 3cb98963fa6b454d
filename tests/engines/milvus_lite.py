"""Milvus Lite as a server, from the wheel that the demo uses."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from migrations_app.demo.engines import EmbeddedMilvus


@pytest.fixture(scope="session")
def milvus_lite_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if find_spec("milvus_lite") is None:
        pytest.skip("Milvus Lite is missing: install milvus-lite (`make setup`)")
    server = EmbeddedMilvus(tmp_path_factory.mktemp("milvus-lite"))
    server.start()
    yield server.uri
    server.stop()
