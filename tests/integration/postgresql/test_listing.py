"""List of the tables in a real PostgreSQL: what it contains, and why some tables cannot be selected."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from migrations_app.demo.engines import EmbeddedPostgres
from migrations_app.engine.errors import PrivilegeMissing
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import CollectionInfo, VectorInfo
from migrations_app.engine.sources.postgresql import PostgresSource
from migrations_app.engine.sources.postgresql.catalogue import listing
from migrations_app.engine.sources.postgresql.connect.settings import PostgresSettings
from tests.engines.postgres import Database

TABLES = """
    CREATE TABLE plain (id integer PRIMARY KEY, a vector(3), b vector);
    INSERT INTO plain SELECT g, '[1,2,3]', '[1]' FROM generate_series(1, 7) g;
    CREATE TABLE empty_one (id integer, v vector(3));
    CREATE TABLE emptied (id integer, v vector(3));
    INSERT INTO emptied SELECT g, '[1,2,3]' FROM generate_series(1, 20) g;
    ANALYZE emptied;
    DELETE FROM emptied;
    CREATE TABLE no_vector (id integer, b bit(12), a vector(3)[]);
    INSERT INTO no_vector VALUES (1, b'000011110000', '{"[1,2,3]"}');
    CREATE DOMAIN embedding AS vector(5);
    CREATE TABLE others (id integer, h halfvec(3), s sparsevec(9), d embedding, flags bit(8));
    INSERT INTO others VALUES (1, '[1,2,3]', '{}/9', '[1,2,3,4,5]', b'00000000');
    CREATE TABLE bits (id integer, a bit(8), b bit(16));
    INSERT INTO bits VALUES (1, b'00000000', b'0000000011111111');
    CREATE TABLE indexed_bits (id integer, a bit(8), b bit(16));
    INSERT INTO indexed_bits TABLE bits;
    CREATE INDEX ON indexed_bits USING hnsw (b bit_hamming_ops);
    CREATE TABLE large (id integer, v vector(1));
    INSERT INTO large SELECT g, '[1]' FROM generate_series(1, 12000) g;
    CREATE TABLE parts (id integer, v vector(3), PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
    INSERT INTO parts SELECT g, '[1,2,3]' FROM generate_series(1, 19) g;
    CREATE VIEW seen AS SELECT * FROM plain;
    CREATE VIEW seen_empty AS SELECT * FROM plain WHERE false;
    CREATE VIEW breaking AS SELECT id, a FROM plain WHERE id / (id - id) > 0;
    CREATE MATERIALIZED VIEW filled AS SELECT * FROM plain;
    CREATE MATERIALIZED VIEW unfilled AS SELECT * FROM plain WITH NO DATA;
    CREATE SCHEMA "My.Schema";
    CREATE TABLE "My.Schema"."select" (id integer, v vector(2));
    INSERT INTO "My.Schema"."select" VALUES (1, '[1,2]');
    CREATE SCHEMA closed;
    CREATE TABLE closed.inside (id integer, v vector(2));
    CREATE TABLE secret (id integer, v vector(2));
    CREATE TABLE half_secret (id integer, v vector(2), w vector(2));
    INSERT INTO half_secret VALUES (1, '[1,2]', '[1,2]');
    CREATE TABLE hidden_vector (id integer, v vector(2));
    CREATE TEMPORARY TABLE passing (v vector(2));
"""


@pytest.fixture(scope="module")
def database(pg: Database) -> Database:
    pg.execute(TABLES)
    return pg


@pytest.fixture
def listed(database: Database) -> dict[str, CollectionInfo]:
    return listing_of(database.settings)


@pytest.fixture(scope="module")
def reader(database: Database) -> Iterator[dict]:
    """Settings of a user who may read some of the tables."""
    database.execute(
        "CREATE ROLE listing_reader LOGIN PASSWORD 'reader secret';"
        "GRANT SELECT ON plain, empty_one TO listing_reader;"
        "GRANT SELECT (id, v) ON half_secret TO listing_reader;"
        "GRANT SELECT (id) ON hidden_vector TO listing_reader;"
        "GRANT SELECT ON closed.inside TO listing_reader"
    )
    yield {**database.settings, "user": "listing_reader", "password": "reader secret"}
    database.execute("DROP OWNED BY listing_reader; DROP ROLE listing_reader")


def listing_of(settings: dict) -> dict[str, CollectionInfo]:
    with PostgresSource(PostgresSettings.model_validate(settings)) as source:
        return {info.name: info for info in source.collections(ReadContext())}


def test_every_kind_of_table_is_listed_by_schema_and_name(listed: dict[str, CollectionInfo]) -> None:
    kinds = {name: info.kind for name, info in listed.items()}
    assert (
        kinds.items()
        >= {
            '"My.Schema".select': "table",
            "public.plain": "table",
            "public.parts": "partitioned table",
            "public.seen": "view",
            "public.filled": "materialized view",
        }.items()
    )
    assert [(info.group, info.label) for info in listed.values()] == sorted(
        (info.group, info.label) for info in listed.values()
    )


def test_neither_partitions_nor_system_tables_are_listed(listed: dict[str, CollectionInfo]) -> None:
    assert not {"public.parts_1", "public.parts_2"} & set(listed)
    assert {info.group for info in listed.values()} == {"public", "closed", "My.Schema"}


def test_vector_columns_come_with_their_dimensions(listed: dict[str, CollectionInfo]) -> None:
    assert listed["public.plain"].vectors == (
        VectorInfo("a", "vector(3)", 3),
        VectorInfo("b", "vector", None),
    )
    assert listed["public.no_vector"].vectors == ()


def test_every_kind_of_vector_makes_a_table_selectable(listed: dict[str, CollectionInfo]) -> None:
    vectors = {
        name: [(found.name, found.dim) for found in listed[f"public.{name}"].vectors]
        for name in ("others", "bits", "indexed_bits")
        if not listed[f"public.{name}"].not_selectable
    }
    assert vectors == {
        "others": [("h", 3), ("s", 9), ("d", 5)],
        "bits": [("a", 8), ("b", 16)],
        "indexed_bits": [("b", 16)],
    }


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("public.empty_one", "no rows"),
        ("public.emptied", "no rows"),
        ("public.seen_empty", "no rows"),
        ("public.no_vector", "no column of type vector"),
        ("public.unfilled", "contains no data yet"),
        ("public.breaking", "division by zero"),
    ],
)
def test_a_table_that_cannot_be_selected_has_a_reason(
    listed: dict[str, CollectionInfo], name: str, reason: str
) -> None:
    assert reason in listed[name].not_selectable


@pytest.mark.parametrize(
    ("name", "rows", "is_exact"),
    [("public.plain", 7, True), ("public.parts", 19, True), ("public.filled", 7, True)],
)
def test_rows_are_counted_if_counting_is_cheap(
    listed: dict[str, CollectionInfo], name: str, rows: int, is_exact: bool
) -> None:
    assert (listed[name].rows, listed[name].rows_exact, listed[name].not_selectable) == (rows, is_exact, "")


def test_rows_of_a_large_table_are_estimated(database: Database) -> None:
    before = listing_of(database.settings)["public.large"]
    assert before.rows
    assert not before.rows_exact
    database.execute("ANALYZE large")
    after = listing_of(database.settings)["public.large"]
    assert (after.rows, after.rows_exact) == (12000, False)


def test_rows_of_a_table_that_cannot_be_selected_come_from_the_catalogue(database: Database) -> None:
    database.execute("ANALYZE no_vector")
    info = listing_of(database.settings)["public.no_vector"]
    assert (info.rows, info.rows_exact) == (1, False)


def test_a_view_that_takes_too_long_can_be_selected(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_ONE_SECONDS", 0.2)
    database.execute("CREATE VIEW slow AS SELECT a FROM plain WHERE pg_sleep(60)::text = ''")
    info = listing_of(database.settings)["public.slow"]
    assert (info.rows, info.not_selectable) == (None, "")
    database.execute("DROP VIEW slow")


def test_a_locked_table_does_not_affect_the_rest_of_the_list(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_ONE_SECONDS", 0.2)
    monkeypatch.setattr(listing, "_TABLES_SECONDS", 0.2)
    with database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE empty_one")
        found = listing_of(database.settings)
        other.rollback()
    assert found["public.empty_one"].not_selectable == ""
    assert found["public.plain"].rows == 7


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("public.secret", "may not read this table"),
        ("closed.inside", "may not use schema closed"),
        ("public.hidden_vector", "may not read its vector column"),
        ("public.empty_one", "no rows"),
        ("public.plain", ""),
        ("public.half_secret", ""),
    ],
)
def test_a_table_that_the_user_may_not_read_has_a_reason(reader: dict, name: str, reason: str) -> None:
    found = listing_of(reader)[name].not_selectable
    assert reason in found
    assert bool(reason) == bool(found)


def test_columns_the_user_may_not_read_are_left_out(reader: dict) -> None:
    assert [vector.name for vector in listing_of(reader)["public.half_secret"].vectors] == ["v"]
    with PostgresSource(PostgresSettings.model_validate(reader)) as source:
        schema = source.describe(CollectionRef("public.half_secret"), 100, ReadContext())
        assert {f.name: f.left_out for f in schema.fields if f.left_out} == {
            "w": "The user may not read this column (GRANT SELECT)."
        }
        with pytest.raises(PrivilegeMissing):
            source.describe(CollectionRef("public.secret"), 100, ReadContext())
        with pytest.raises(PrivilegeMissing):
            source.count(CollectionRef("closed.inside"), ReadContext())


def test_the_list_needs_no_more_statements_for_more_tables(
    database: Database, postgres_server: EmbeddedPostgres
) -> None:
    """Views are examined one by one, tables are not."""
    database.execute("DROP VIEW seen, seen_empty, breaking")
    database.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET log_statement = %L', current_database(), 'all');"
        " END $$"
    )
    log = postgres_server.folder / "data" / "server.log"
    few = statements_of(lambda: listing_of(database.settings), log)
    for number in range(20):
        database.execute(f"CREATE TABLE more_{number} AS SELECT * FROM plain")  # type: ignore[arg-type]
    assert "FROM pg_catalog.pg_class" in few
    many = statements_of(lambda: listing_of(database.settings), log)
    assert many.count(" statement: ") == few.count(" statement: ")


def statements_of(work: Callable[[], object], log: Path) -> str:
    """Run ``work`` and return what the server logs during it."""
    start = log.stat().st_size
    work()
    return log.read_bytes()[start:].decode()
