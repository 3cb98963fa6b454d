"""Condition on the rows of a table: counts, samples, measures and reads use only the rows that meet it."""

import psycopg
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.errors import SourceDataError, SourceError
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import MeasureRequest
from migrations_app.engine.sources.postgresql import PostgresSource
from migrations_app.engine.sources.postgresql.read.condition import refusal_of
from tests.engines.postgres import Database
from tests.integration.postgresql.database import locators_of, opened, plan_of

ROWS = 400


@pytest.fixture(scope="module")
def items(pg: Database) -> Database:
    """The table `items`, with keys 1 to 400; every fourth row has no price."""
    pg.execute(
        'CREATE TABLE items (id integer PRIMARY KEY, price numeric, title text, "Mixed; Case" integer,'
        " tags text[], loose vector, v vector(4));"
        "INSERT INTO items SELECT g, NULLIF(g % 4, 0), 'title ' || g || ' 100%s {c}', g % 3,"
        " ARRAY['a', g::text],"
        " array_fill(1, ARRAY[CASE WHEN g <= 200 THEN 2 ELSE 3 END])::vector, '[1,2,3,4]'"
        " FROM generate_series(1, 400) g;"
        "CREATE VIEW cheap AS SELECT * FROM items WHERE price < 3;"
        "CREATE FUNCTION moody(integer) RETURNS boolean LANGUAGE sql VOLATILE AS 'SELECT $1 > 5';"
        "ANALYZE items"
    )
    return pg


def ref(where: str, name: str = "public.items") -> CollectionRef:
    return CollectionRef(name, {"where": where})


def ids_of(source: PostgresSource, chosen: CollectionRef) -> list[int]:
    (part,) = source.slices(chosen, 1, ReadContext())
    plan = plan_of(source, "public.items")
    return [int(key) for key in locators_of(list(source.read(chosen, part, None, plan, ReadContext())))]


CHOSEN = {
    "price > 1": [n for n in range(1, 401) if n % 4 in (2, 3)],
    # NULL is not true.
    "NOT price > 1": [n for n in range(1, 401) if n % 4 == 1],
    "price IS NULL": list(range(4, 401, 4)),
    "id BETWEEN 5 AND 7 OR title LIKE '% 9 100%s {c}'": [5, 6, 7, 9],
    '"Mixed; Case" = 2 AND id < 9': [2, 5, 8],
    "'17' = ANY (tags) OR tags[2] = '18'": [17, 18],
    "t.id = 3": [3],
    "true": list(range(1, 401)),
    "id < 3 AND (price, title) IS NOT NULL": [1, 2],
}


@pytest.mark.parametrize(("where", "ids"), CHOSEN.items(), ids=CHOSEN)
def test_only_the_rows_for_which_the_condition_is_true_are_read(
    items: Database, where: str, ids: list[int]
) -> None:
    with opened(items) as source:
        assert source.count(ref(where), ReadContext()).rows == len(ids)
        assert source.has_rows(ref(where), ReadContext())
        assert ids_of(source, ref(where)) == ids


def test_a_condition_on_a_view_selects_rows_of_the_view(items: Database) -> None:
    with opened(items) as source:
        chosen = ref("id <= 10", "public.cheap")
        assert source.count(chosen, ReadContext()).rows == 6
        (part,) = source.slices(chosen, 1, ReadContext())
        plan = plan_of(source, "public.cheap")
        batches = list(source.read(chosen, part, None, plan, ReadContext()))
        ids = [n for batch in batches for n in batch.rows.column("id").to_pylist()]
        assert sorted(ids) == [1, 2, 5, 6, 9, 10]


def test_only_the_chosen_rows_are_measured_and_sampled(items: Database) -> None:
    with opened(items) as source:
        late = ref("id > 200 AND id <= 300")
        measured = source.measure(late, MeasureRequest(("loose",), ("price", "title")), ReadContext())
        assert measured.dims == {"loose": {3: 100}}
        assert measured.nulls == {"price": 25, "title": 0}
        schema = source.describe(late, 100, ReadContext())
        assert schema.sample is not None
        assert set(schema.sample.column("id").to_pylist()) <= set(range(201, 301))
        title = schema.field("title")
        assert title is not None
        assert title.longest_bytes == len("title 201 100%s {c}")
        assert 50 <= (schema.rows_estimate or 0) <= 150
        (part,) = source.slices(late, 1, ReadContext())
        assert part.rows_estimate == schema.rows_estimate


def test_a_read_resumes_after_a_cursor_within_the_chosen_rows(items: Database) -> None:
    with opened(items) as source:
        chosen = ref("price = 2 OR id = 400")
        (part,) = source.slices(chosen, 1, ReadContext())
        rest = source.read(chosen, part, ["389"], plan_of(source, "public.items"), ReadContext())
        assert locators_of(list(rest)) == ["390", "394", "398", "400"]


def test_few_rows_are_found_by_their_index_instead_of_a_scan_of_the_key(pg: Database) -> None:
    pg.execute(
        "CREATE TABLE many (id integer PRIMARY KEY, tenant integer, v vector(2));"
        "INSERT INTO many SELECT g, g % 5000, '[1,2]' FROM generate_series(1, 100000) g;"
        "CREATE INDEX many_tenant ON many (tenant); ANALYZE many"
    )
    scans_key = []
    with opened(pg) as source, pg.connect() as connection:
        for where in ("tenant = 7", "tenant >= 0"):
            chosen = ref(where, "public.many")
            (part,) = source.slices(chosen, 1, ReadContext())
            select = source._select(chosen, part, None, plan_of(source, "public.many"), ReadContext())
            for name, value in select.planner.items():
                connection.execute("SELECT set_config(%s, %s, false)", (name, value))
            explained = connection.execute(f"EXPLAIN {select.text()}").fetchall()  # type: ignore[arg-type]
            scans_key.append("many_pkey" in str(explained))
    assert scans_key == [False, True]


def test_a_fetch_returns_only_chosen_rows(items: Database) -> None:
    with opened(items) as source:
        found = source.fetch(
            ref("price = 2"), pa.array([1, 2, 6]), plan_of(source, "public.items"), ReadContext()
        )
        assert found.column("id").to_pylist() == [2, 6]


def test_a_condition_that_no_row_meets_leaves_no_rows(items: Database) -> None:
    with opened(items) as source:
        assert not source.has_rows(ref("id < 0"), ReadContext())
        assert source.count(ref("id < 0"), ReadContext()).rows == 0


REFUSED = {
    "pric > 1": "“pric”",
    "price": "must be type boolean",
    "price > 'many'": "invalid input syntax",
    "price >": "syntax error",
    "price > 1 AND no_such_function(id)": "no_such_function",
    "count(*) > 1": "aggregate",
    "row_number() OVER () > 1": "window",
    "generate_series(1, 2) > 1": "set-returning",
    "items.id > 1": "items",
    "id > 1 ORDER BY id": "syntax error",
    "1 / 0 > id": "division by zero",
    "id, id": "",
}


@pytest.mark.parametrize("where", REFUSED)
def test_an_invalid_condition_is_refused_with_the_server_message_and_the_columns(
    items: Database, where: str
) -> None:
    with opened(items) as source:
        for ask in (
            lambda: source.describe(ref(where), 100, ReadContext()),
            lambda: list(source.slices(ref(where), 1, ReadContext())),
        ):
            with pytest.raises(SourceError) as caught:
                ask()
            error = caught.value
            assert (error.code, error.path, error.retryable) == ("where_invalid", "select.where", False)
            assert REFUSED[where].strip("“”") in error.message
            assert 'id, price, title, "Mixed; Case", tags' in error.hint


@pytest.mark.parametrize(
    "where",
    [
        "random() > 0.5",
        "clock_timestamp() > now()",
        "moody(id)",
        "pg_sleep(10) IS NULL",
        "CASE WHEN id > 3 THEN random() > 0.1 END",
        "pg_advisory_lock(1) IS NULL OR id > 1",
    ],
)
@pytest.mark.parametrize("table", ["public.items", "public.cheap"])
def test_a_volatile_condition_is_refused_without_being_executed(
    items: Database, where: str, table: str
) -> None:
    with opened(items) as source, pytest.raises(SourceError) as caught:
        source.describe(ref(where, table), 100, ReadContext())
    assert (caught.value.code, caught.value.path) == ("where_volatile", "select.where")


def test_a_row_on_which_the_condition_fails_is_reported_with_the_condition(items: Database) -> None:
    with opened(items) as source, pytest.raises(SourceDataError) as caught:
        source.count(ref("100 / (id - 7) > 1"), ReadContext())
    assert "100 / (id - 7) > 1" in caught.value.message
    assert "division by zero" in caught.value.message


PIECES = [
    *("(", ")", "[", "]", "'", '"', "$$", "$a$", "$1", "E'", "e'", "U&'", "b'", "\\", "\\'", "''", '""'),
    *("--", "/*", "*/", ";", "\n", " ", "-", "/", "*", ",", "select", "union select 2", "1", "true", "or"),
    *("a", "é", "$", "x$", "table pg_class", "values (1)", ") or (true", "or true", "is null", "::text"),
]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join))
def test_no_accepted_text_escapes_its_parentheses(pg: Database, text: str) -> None:
    if refusal_of(text):
        return
    with psycopg.connect(pg.url) as connection:
        connection.read_only = True
        connection.execute("SET standard_conforming_strings = on")
        try:
            answer = connection.execute(f"SELECT 1 AS kept WHERE false AND ({text})")  # type: ignore[arg-type]
        except psycopg.Error:
            return
        assert answer.fetchall() == []
        assert answer.nextset() is None
