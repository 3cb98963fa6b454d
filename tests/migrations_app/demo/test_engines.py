"""Engines of the demo: they outlive the process that started them, and a later process finds them again."""

import socket
from datetime import date

import psycopg
import pytest
from qdrant_client import QdrantClient

from migrations_app.demo import points, tables
from migrations_app.demo.dataset import Doc, DocKind, Example, Library
from migrations_app.demo.engines import EmbeddedMilvus, EmbeddedPostgres, EmbeddedQdrant
from migrations_app.demo.processes import Background, EngineNotStarted, free_port, is_listening

pytestmark = pytest.mark.engine


def test_a_second_start_uses_the_running_server_and_a_third_finds_the_data_again(tmp_path):
    first = EmbeddedPostgres(tmp_path, ("fsync=off",))
    first.start()
    with psycopg.connect(first.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    second = EmbeddedPostgres(tmp_path)
    second.start()
    assert second.url() == first.url()
    second.stop()
    assert not first.is_alive()
    third = EmbeddedPostgres(tmp_path)
    third.start()
    with psycopg.connect(third.url()) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    third.stop()


def test_postgresql_asks_for_its_password(postgres_server):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres_server.url().replace(postgres_server.password, "wrong"))
    assert postgres_server.folder.joinpath("password").stat().st_mode & 0o777 == 0o600


def test_a_server_whose_port_was_taken_meanwhile_starts_on_another_port(tmp_path):
    server = EmbeddedMilvus(tmp_path)
    server.start()
    first = server.uri
    server.stop()
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(first.rpartition(":")[2])))
        other.listen()
        server.start()
        assert server.uri != first
    server.stop()
    assert not server.is_alive()


def test_qdrant_has_its_collections_after_a_restart_and_they_are_filled_once(tmp_path):
    meta = {"line": 1, "bases": []}
    docs = [
        Doc(
            "json",
            f"json.f{n}",
            DocKind.FUNCTION,
            "f()" if n else None,
            "def f(): ...",
            ["a"],
            meta,
            date.max,
        )
        for n in range(600)
    ]
    library = Library(docs, [Example("json", 3, ">>> 1", None)])
    server = EmbeddedQdrant(tmp_path)
    server.start()
    assert points.fill(server.url, lambda: library) == 600
    server.stop()
    assert not server.is_alive()
    server.start()
    assert points.fill(server.url, pytest.fail) == 600
    client = QdrantClient(
        url=server.url, grpc_port=server.grpc_port, prefer_grpc=True, check_compatibility=False
    )
    first, second = client.scroll("docs", limit=2, with_vectors=True)[0]
    assert "signature" not in first.payload
    assert second.payload["signature"] == "f()"
    assert second.payload["meta"] == meta
    assert len(second.vector["text"]) == 384
    assert second.vector["words"].values == pytest.approx([1, 1])
    [example] = client.scroll("examples")[0]
    assert example.payload == {"module": "json", "line": 3, "typed": ">>> 1", "answer": None}
    client.close()
    server.stop()


def test_a_process_that_dies_at_once_is_reported_with_its_output(tmp_path):
    process = Background(tmp_path, "unlucky")
    process.start(["sh", "-c", "echo no luck today; exit 3"], port=free_port())
    with pytest.raises(EngineNotStarted, match="no luck today"):
        process.wait_until_listening(timeout_seconds=30)


def test_another_process_with_the_same_id_is_never_stopped(tmp_path):
    process = Background(tmp_path, "sleeper")
    process.start(["sleep", "60"])
    record = tmp_path / "sleeper.json"
    genuine = record.read_text()
    record.write_text(genuine.replace('"started": ', '"started": 1'))
    process.stop()
    record.write_text(genuine)
    assert process.is_alive()
    process.stop()
    assert not process.is_alive()


def test_no_process_listens_on_a_free_port():
    assert not is_listening(free_port())


def test_the_tables_are_filled_once(postgres_server):
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE library")
    url = postgres_server.url("library")
    rows = tables.fill(url)
    assert rows >= 10_000
    assert tables.fill(url) == rows
    with psycopg.connect(url) as connection:
        counts = [connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables.COLUMNS]
        assert counts[0] == rows
        assert all(counts)
        assert connection.execute("SELECT count(*) FROM questions").fetchone() == (0,)
        nulls = "SELECT count(*) FILTER (WHERE signature IS NULL) > 0, min(vector_dims(embedding)) FROM docs"
        assert connection.execute(nulls).fetchone() == (True, 384)
