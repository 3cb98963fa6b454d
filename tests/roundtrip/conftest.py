"""The fixture of every round trip (how to use it: ``tests.roundtrip.moving``)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import sql

from tests.engines.postgres import Database
from tests.roundtrip.moving import Mover, moving


@pytest.fixture
def mover(
    request: pytest.FixtureRequest, pg: Database, milvus_uri: str, tmp_path: Path, transactional_db: None
) -> Iterator[Mover]:
    is_lite = request.node.callspec.params["milvus_uri"] == "milvus-lite"
    yield from moving(pg, milvus_uri, tmp_path, is_lite=is_lite)


@pytest.fixture
def swept(mover: Mover) -> Iterator[Mover]:
    """The same, whose database is empty again after the test, whatever that made there."""
    before = {name for (name,) in mover.postgres("SELECT nspname FROM pg_namespace")}
    yield mover
    made = "SELECT nspname FROM pg_namespace WHERE nspname <> ALL (%s) AND nspname !~ '^pg_'"
    for (name,) in mover.postgres(made, (list(before),)):
        mover.postgres(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
    mover.postgres("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE EXTENSION vector")
