"""Fixtures of the round-trip tests (``tests.roundtrip.mover`` shows how to use them)."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import uuid4

import pytest
from psycopg import sql

from migrations_app.demo.engines import EmbeddedPostgres
from tests.engines.postgres import Database
from tests.roundtrip.mover import Mover, moving

if TYPE_CHECKING:
    from tests.emulators.qdrant import QdrantEmulator
    from tests.roundtrip.point_mover import PointMover


@pytest.fixture
def mover(
    request: pytest.FixtureRequest, pg: Database, milvus_uri: str, tmp_path: Path, transactional_db: None
) -> Iterator[Mover]:
    is_lite = request.node.callspec.params["milvus_uri"] == "milvus-lite"
    yield from moving(pg, milvus_uri, tmp_path, is_lite=is_lite)


@pytest.fixture
def isolated(mover: Mover, postgres_server: EmbeddedPostgres) -> Iterator[Mover]:
    """A mover with a separate database for each test."""
    name, shared = f"vf_{uuid4().hex[:12]}", mover.source
    mover.postgres(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    mover.source = Database(postgres_server.url(name))
    mover.postgres("CREATE EXTENSION vector")
    yield mover
    mover.source = shared
    mover.postgres(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def points(
    request: pytest.FixtureRequest,
    qdrant: "QdrantEmulator",
    milvus_uri: str,
    tmp_path: Path,
    transactional_db: None,
) -> Iterator["PointMover"]:
    from tests.roundtrip.point_mover import PointMover

    is_lite = request.node.callspec.params["milvus_uri"] == "milvus-lite"
    mover = PointMover(cast(Database, None), milvus_uri, tmp_path, is_lite, server=qdrant)
    yield mover
    mover.close()
