"""The fixture of every round trip (how to use it: ``tests.roundtrip.moving``)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.postgres import Database
from tests.roundtrip.moving import Mover, moving


@pytest.fixture
def mover(
    request: pytest.FixtureRequest, pg: Database, milvus_uri: str, tmp_path: Path, transactional_db: None
) -> Iterator[Mover]:
    is_lite = request.node.callspec.params["milvus_uri"] == "milvus-lite"
    yield from moving(pg, milvus_uri, tmp_path, is_lite=is_lite)
