"""Qdrant: its own engine behind REST and gRPC, in one process for all tests of a pytest process."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.emulators.qdrant import QdrantEmulator, QdrantProcess


@pytest.fixture(scope="session")
def qdrant_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator["QdrantProcess"]:
    if find_spec("qdrant_edge") is None:
        pytest.skip("Qdrant's engine is missing: install qdrant-edge-py (`make setup`)")
    from tests.emulators.qdrant import QdrantProcess

    process = QdrantProcess(tmp_path_factory.mktemp("qdrant"))
    yield process
    process.stop()


@pytest.fixture
def qdrant(qdrant_process: "QdrantProcess") -> Iterator["QdrantEmulator"]:
    """A server of the newest release, without collections and keys."""
    with qdrant_process.open() as server:
        yield server
