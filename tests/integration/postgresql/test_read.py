"""Reads from a real PostgreSQL: in key order, after any cursor, and with writers, locks and stops."""

import itertools
from collections.abc import Callable

import pytest

from migrations_app.engine.errors import Canceled, SourceChanged, SourceDataError, SourceUnavailable
from migrations_app.engine.model.batch import CollectionRef, ReadColumn, ReadPlan
from migrations_app.engine.model.joined_key_text import PART
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import KeyRows, MeasureRequest
from migrations_app.engine.sources.postgresql import PostgresSource
from migrations_app.engine.sources.postgresql.connect import session
from migrations_app.engine.stop_token import StopToken
from tests.engines.postgres import Database
from tests.integration.postgresql.database import batches_of, locators_of, opened, plan_of

ROWS = 600
IDS = [str(number) for number in range(1, ROWS + 1)]


@pytest.fixture
def items(pg: Database) -> Database:
    """The table `items`, with keys 1 to 600."""
    pg.execute(
        "DROP TABLE IF EXISTS items CASCADE;"
        "DO $$ BEGIN IF to_regclass('other') IS NOT NULL THEN DROP TABLE other CASCADE; END IF; END $$;"
        "CREATE TABLE items (id integer PRIMARY KEY, v vector(16), note text);"
        "INSERT INTO items SELECT g, array_fill(g::real, ARRAY[16])::vector, 'note ' || g"
        " FROM generate_series(1, 600) g"
    )
    return pg


# ---------------------------------------------------------------- keys and cursors

KEYS = {
    "smallint": "g - 300",
    "numeric": "g / 7.0",
    "double precision": "CASE g WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' ELSE g / 7.0 END",
    "date": "CASE g WHEN 1 THEN 'infinity' WHEN 2 THEN '0044-03-15 BC' ELSE date '2024-01-01' + g END",
    "time": "time '00:00' + g * interval '1.5 s'",
    "timestamp": "CASE g WHEN 1 THEN '-infinity' ELSE timestamp '9999-12-31' + g * interval '0.000001 s' END",
    "timestamptz": "timestamptz '0001-01-01 00:00+00' + g * interval '1 h'",
    "uuid": "md5(g::text)::uuid",
    "text": "(ARRAY['', ' ', 'ä', 'Z', 'a', E'\\\\', '''', '\"', '%', '/'])[1 + g % 10] || g",
    "varchar(20)": "chr(200 + g)",
    "char(6)": "' ' || g",
    "boolean[]": "ARRAY(SELECT (g >> n) & 1 = 1 FROM generate_series(0, 9) n)",
    "bytea": "decode(md5(g::text), 'hex')",
    "interval": "g * interval '1 day'",
}


@pytest.mark.parametrize("native", KEYS)
def test_a_read_can_resume_by_every_kind_of_key(pg: Database, native: str) -> None:
    pg.execute("DROP TABLE IF EXISTS keyed")
    pg.execute(f"CREATE TABLE keyed (k {native} PRIMARY KEY, v vector(8))")  # type: ignore[arg-type]
    pg.execute(
        f"INSERT INTO keyed SELECT {KEYS[native]}, array_fill(g::real, ARRAY[8])::vector"  # type: ignore[arg-type]
        " FROM generate_series(1, 200) g"
    )
    with opened(pg) as source:
        assert_resumes_after_every_cursor(source, "public.keyed")


def test_a_read_can_resume_by_a_composite_key(pg: Database) -> None:
    pg.execute(
        "DROP TABLE IF EXISTS keyed;"
        "CREATE TABLE keyed (a text, b integer, c date, v vector(8), PRIMARY KEY (c, a, b));"
        "INSERT INTO keyed SELECT 'a' || g % 3, g, date '2024-01-01' + g % 5,"
        " array_fill(g::real, ARRAY[8])::vector FROM generate_series(1, 200) g"
    )
    with opened(pg) as source:
        assert_resumes_after_every_cursor(source, "public.keyed")


def test_an_enum_key_is_read_in_the_order_of_the_enum(pg: Database) -> None:
    labels = [f"label {number}" for number in range(200, 0, -1)]
    pg.execute("DROP TABLE IF EXISTS keyed; DROP TYPE IF EXISTS label")
    pg.execute(f"CREATE TYPE label AS ENUM ({', '.join(map(repr, labels))})")  # type: ignore[arg-type]
    pg.execute("CREATE TABLE keyed (k label PRIMARY KEY, v vector(8))")
    pg.execute("INSERT INTO keyed SELECT unnest(enum_range(NULL::label)), '[1,2,3,4,5,6,7,8]'")
    with opened(pg) as source:
        assert locators_of(list(batches_of(source, "public.keyed"))) == labels
        assert_resumes_after_every_cursor(source, "public.keyed")


def assert_resumes_after_every_cursor(source: PostgresSource, name: str) -> None:
    plan = plan_of(source, name)
    batches = list(batches_of(source, name, plan))
    locators = locators_of(batches)
    assert len(batches) >= 4
    assert len(set(locators)) == len(locators) == source.count(CollectionRef(name), ReadContext()).rows
    for number, batch in enumerate(batches):
        rest = list(batches_of(source, name, plan, after=batch.after))
        assert locators_of(rest) == locators_of(batches[number + 1 :])


def test_a_read_respects_the_bounds_of_a_slice(items: Database) -> None:
    with opened(items) as source:
        ref = CollectionRef("public.items")
        (part,) = source.slices(ref, 1, ReadContext())
        inner = type(part)("2", {"key": ["id"], "after": ["100"], "to": ["200"]})
        batches = list(source.read(ref, inner, None, plan_of(source, ref.name), ReadContext()))
        assert locators_of(batches) == IDS[100:200]
        rest = source.read(ref, inner, ["150"], plan_of(source, ref.name), ReadContext())
        assert locators_of(list(rest)) == IDS[150:200]


@pytest.mark.parametrize(
    "make",
    [
        "CREATE VIEW other AS SELECT * FROM items",
        "CREATE MATERIALIZED VIEW other AS SELECT * FROM items",
        "CREATE TABLE other AS SELECT * FROM items",
        "CREATE TABLE other (id integer UNIQUE, v vector(16), note text);"
        " INSERT INTO other SELECT * FROM items",
        "CREATE TABLE other (LIKE items); CREATE UNIQUE INDEX ON other (id) WHERE id > 0;"
        " INSERT INTO other SELECT * FROM items",
        "CREATE TABLE other (LIKE items); CREATE UNIQUE INDEX ON other ((id + 0));"
        " INSERT INTO other SELECT * FROM items",
        "CREATE TABLE other (LIKE items, PRIMARY KEY (id)); CREATE TABLE heir () INHERITS (other);"
        " INSERT INTO other SELECT * FROM items WHERE id <= 300; INSERT INTO heir SELECT * FROM items"
        " WHERE id > 300",
    ],
)
def test_a_table_without_a_unique_key_is_read_in_one_pass(items: Database, make: str) -> None:
    items.execute(make)  # type: ignore[arg-type]
    with opened(items) as source:
        (part,) = source.slices(CollectionRef("public.other"), 1, ReadContext())
        assert not part.resumable
        plan = ReadPlan((ReadColumn("id", TypeSpec(MilvusType.INT64)),), (), 2048)
        batches = list(batches_of(source, "public.other", plan))
        ids = [n for batch in batches for n in batch.rows.column("id").to_pylist()]
        assert sorted(ids) == list(range(1, ROWS + 1))
        assert locators_of(batches) == [f"row {number}" for number in range(1, ROWS + 1)]
        assert {batch.after for batch in batches} == {None}


def test_rejected_rows_are_not_read_again_after_a_cursor(items: Database) -> None:
    items.execute("ALTER TABLE items ADD COLUMN tags integer[]")
    items.execute(
        "UPDATE items SET tags = CASE WHEN id % 3 = 0 OR id < 40 THEN '{{1},{2}}' ELSE '{1}' END::int[]"
    )
    spec = TypeSpec(MilvusType.ARRAY, element_type=MilvusType.INT32)
    plan = ReadPlan((ReadColumn("tags", spec),), ("id",), 2048)
    with opened(items) as source:
        seen: list[str] = []
        after = None
        for _ in range(ROWS):
            batch = next(batches_of(source, "public.items", plan, after), None)
            if batch is None:
                break
            seen += sorted([*batch.locators.to_pylist(), *(r.locator for r in batch.rejected)], key=int)
            after = batch.after
        assert seen == IDS


# ---------------------------------------------------------------- events during a read


def test_writers_are_not_blocked_and_the_read_keeps_its_snapshot(items: Database) -> None:
    with opened(items) as source, items.connect() as writer:
        stream = batches_of(source, "public.items")
        first = next(stream)
        writer.execute("SET lock_timeout = '5s'")
        writer.execute("UPDATE items SET note = 'changed'")
        writer.execute("DELETE FROM items WHERE id > 500")
        writer.execute("INSERT INTO items SELECT g FROM generate_series(1000, 1100) g")
        writer.execute("CREATE INDEX ON items (note)")
        writer.execute("VACUUM items")
        rest = list(stream)
        assert locators_of([first, *rest]) == IDS
        assert rest[-1].rows.column("note").to_pylist()[-1] == "note 600"


def test_a_locked_table_is_reported_after_a_timeout(items: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LOCK_SECONDS", 0.2)
    with opened(items) as source, items.connect(autocommit=False) as writer:
        plan = plan_of(source, "public.items")
        writer.execute("LOCK TABLE items")
        for ask in (
            lambda: source.has_rows(CollectionRef("public.items"), ReadContext()),
            lambda: list(batches_of(source, "public.items", plan)),
        ):
            with pytest.raises(SourceUnavailable) as caught:
                ask()
            assert caught.value.code == "source_locked"
            assert caught.value.retryable
        writer.rollback()
        assert locators_of(list(batches_of(source, "public.items", plan))) == IDS


def test_a_read_can_resume_from_the_last_cursor_after_a_lost_connection(items: Database) -> None:
    insert_many(items)
    with opened(items) as source:
        stream = batches_of(source, "public.items", plan_of(source, "public.items", 65536))
        first = next(stream)
        items.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vectorferry'"
            " AND datname = current_database() AND pid <> pg_backend_pid()"
        )
        got = [first]
        with pytest.raises(SourceUnavailable) as caught:
            got.extend(stream)
        assert caught.value.retryable
        with pytest.raises(SourceUnavailable):
            # The connection for metadata is lost as well, which shows only when it is used.
            next(batches_of(source, "public.items", after=got[-1].after))
        rest = list(batches_of(source, "public.items", after=got[-1].after))
        assert locators_of([*got, *rest]) == [str(number) for number in range(1, 20_001)]


def insert_many(items: Database) -> None:
    """Insert more rows than are buffered between server and client."""
    items.execute(
        "INSERT INTO items SELECT g, array_fill(g::real, ARRAY[16])::vector, repeat('x', 400)"
        " FROM generate_series(601, 20000) g"
    )


def test_a_stop_ends_a_read_that_has_not_returned_a_row(items: Database) -> None:
    items.execute("CREATE VIEW slow AS SELECT * FROM items WHERE pg_sleep(600)::text = ''")
    stop = StopToken()
    spec = TypeSpec(MilvusType.INT64)
    with opened(items) as source:
        stream = batches_of(source, "public.slow", ReadPlan((ReadColumn("id", spec),)), ctx=ReadContext(stop))
        stop.stop(Canceled("Stopped by the test."))
        with pytest.raises(Canceled):
            next(stream)
        assert nothing_runs(items)


SLOW_VIEW = CollectionRef("public.slow_view")
ID_ROWS = KeyRows((ReadColumn("id", PART),), ("id",))


@pytest.mark.parametrize(
    "ask",
    [
        lambda source, ctx: source.count(SLOW_VIEW, ctx),
        lambda source, ctx: source.has_rows(SLOW_VIEW, ctx),
        lambda source, ctx: source.measure(SLOW_VIEW, MeasureRequest(nulls_of=("id",)), ctx),
        lambda source, ctx: source.measure(SLOW_VIEW, MeasureRequest(extremes_of=("id",)), ctx),
        lambda source, ctx: source.measure(SLOW_VIEW, MeasureRequest(duplicates_of=ID_ROWS), ctx),
    ],
    ids=["counts", "has_rows", "nulls", "ends", "duplicates"],
)
def test_a_stop_ends_a_query_over_all_rows(
    items: Database, ask: Callable[[PostgresSource, ReadContext], object]
) -> None:
    items.execute("CREATE OR REPLACE VIEW slow_view AS SELECT * FROM items WHERE pg_sleep(600)::text = ''")
    with opened(items) as source:
        ctx = ReadContext()
        ctx.stop.stop(Canceled("Stopped by the test."))
        with pytest.raises(Canceled):
            ask(source, ctx)
        assert nothing_runs(items)


def test_a_read_that_is_closed_early_leaves_no_query_running(items: Database) -> None:
    insert_many(items)
    with opened(items) as source:
        stream = batches_of(source, "public.items")
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert nothing_runs(items)


def nothing_runs(database: Database) -> bool:
    """True if the server ends all queries of the source."""
    ask = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'vectorferry'"
        " AND datname = current_database() AND state <> 'idle'"
    )
    pause = "SELECT pg_sleep(0.05)"
    return any(database.execute(ask) == [(0,)] or not database.execute(pause) for _ in range(200))


def test_the_source_is_never_written_to(items: Database) -> None:
    items.execute("CREATE TABLE trace (n integer)")
    items.execute(
        "CREATE FUNCTION leave_trace() RETURNS integer LANGUAGE sql VOLATILE AS"
        " 'INSERT INTO trace VALUES (1) RETURNING n'"
    )
    items.execute("CREATE VIEW writing AS SELECT id, v, leave_trace() AS trace FROM items")
    spec = TypeSpec(MilvusType.INT32)
    with opened(items) as source:
        with pytest.raises(SourceDataError) as caught:
            list(batches_of(source, "public.writing", ReadPlan((ReadColumn("trace", spec),))))
        assert caught.value.code == "source_writes"
        with pytest.raises(SourceDataError):
            source.describe(CollectionRef("public.writing"), 100, ReadContext())
    assert items.execute("SELECT count(*) FROM trace") == [(0,)]
    items.execute("DROP VIEW writing; DROP FUNCTION leave_trace; DROP TABLE trace")


CHANGES: dict[str, Callable[[Database], object]] = {
    "dropped": lambda db: db.execute("DROP TABLE items"),
    "column dropped": lambda db: db.execute("ALTER TABLE items DROP COLUMN note"),
    "column of another type": lambda db: db.execute("ALTER TABLE items ALTER note TYPE money USING 0"),
    "key dropped": lambda db: db.execute("ALTER TABLE items DROP COLUMN id"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_table_that_changed_since_the_plan_is_reported(items: Database, change: str) -> None:
    with opened(items) as source:
        ref = CollectionRef("public.items")
        plan = plan_of(source, ref.name)
        (part,) = source.slices(ref, 1, ReadContext())
        CHANGES[change](items)
        with pytest.raises(SourceChanged) as caught:
            list(source.read(ref, part, None, plan, ReadContext()))
        assert "items" in caught.value.message


def test_vectors_of_a_changed_dimension_are_rejected_row_by_row(items: Database) -> None:
    with opened(items) as source:
        plan = plan_of(source, "public.items")
        items.execute("ALTER TABLE items ALTER v TYPE vector(4) USING subvector(v, 1, 4)")
        batches = list(batches_of(source, "public.items", plan))
        assert locators_of(batches) == []
        rejected = list(itertools.chain.from_iterable(batch.rejected for batch in batches))
        assert [row.locator for row in rejected] == IDS
        assert {row.code for row in rejected} == {"dimension_mismatch"}


def test_a_value_that_the_server_cannot_compute_is_reported_with_the_table(items: Database) -> None:
    items.execute("CREATE VIEW failing AS SELECT id, v, 1 / (id - 300) AS ratio FROM items")
    spec = TypeSpec(MilvusType.INT32)
    with opened(items) as source:
        with pytest.raises(SourceDataError) as caught:
            list(batches_of(source, "public.failing", ReadPlan((ReadColumn("ratio", spec),))))
        assert "view public.failing" in caught.value.message
        assert "division by zero" in caught.value.message


def test_settings_of_a_role_do_not_change_the_values(items: Database) -> None:
    items.execute(
        "ALTER TABLE items ADD t timestamptz DEFAULT '0044-03-15 12:00+00 BC', ADD f real[] DEFAULT '{0.1}'"
    )
    items.execute(
        "CREATE ROLE odd LOGIN PASSWORD 'odd'; GRANT SELECT ON items TO odd;"
        "ALTER ROLE odd SET datestyle = 'SQL, DMY'; ALTER ROLE odd SET timezone = 'Asia/Tokyo';"
        "ALTER ROLE odd SET extra_float_digits = -5; ALTER ROLE odd SET statement_timeout = '1s';"
        "ALTER ROLE odd SET transaction_timeout = '1s'; ALTER ROLE odd SET lock_timeout = '1ms';"
        "ALTER ROLE odd SET default_transaction_isolation = 'serializable';"
        "ALTER ROLE odd SET standard_conforming_strings = off; ALTER ROLE odd SET client_encoding = 'LATIN1'"
    )
    columns = (
        ReadColumn("t", TypeSpec(MilvusType.VARCHAR)),
        ReadColumn("f", TypeSpec(MilvusType.JSON)),
        ReadColumn("slow", TypeSpec(MilvusType.VARCHAR)),
    )
    items.execute(
        "CREATE VIEW paced AS SELECT t, f, 'é' || pg_sleep(1.5)::text AS slow FROM items WHERE id = 1;"
        "GRANT SELECT ON paced TO odd"
    )
    with opened(items, user="odd", password="odd") as source:
        (batch,) = batches_of(source, "public.paced", ReadPlan(columns))
        assert batch.rows.to_pylist() == [{"t": "0044-03-15 12:00:00+00 BC", "f": "[0.1]", "slow": "é"}]
    items.execute("DROP OWNED BY odd; DROP ROLE odd")
