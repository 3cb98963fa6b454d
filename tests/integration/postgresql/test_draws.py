"""Draws: a sample comes from all parts of a relation, also with a condition, the same rows each time."""

import pytest

from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.postgresql import draws, sample
from tests.engines.postgres import Database
from tests.integration.postgresql.database import opened

ROWS = 20_000
SHAPES = ["table", "partitioned", "parent", "view", "materialized view"]


@pytest.fixture(params=SHAPES, scope="module")
def drawn(request: pytest.FixtureRequest, pg: Database) -> str:
    """The name of a relation of each shape: 20,000 rows on 200 pages; the last 15 % have long texts."""
    shape: str = request.param
    table = "items" if shape in ("view", "materialized view") else "drawn"
    partition = "PARTITION BY RANGE (id)" if shape == "partitioned" else ""
    statements = [f"CREATE TABLE {table} (id integer, v vector(2), t text) {partition}"]
    for first in range(0, ROWS if shape in ("partitioned", "parent") else 0, ROWS // 4):
        end = first + ROWS // 4
        of = (
            f"PARTITION OF drawn FOR VALUES FROM ({first}) TO ({end})" if partition else "() INHERITS (drawn)"
        )
        statements += [f"CREATE TABLE part_{first} {of}", f"INSERT INTO part_{first} {_rows(first, end)}"]
    if shape not in ("partitioned", "parent"):
        statements.append(f"INSERT INTO {table} {_rows(0, ROWS)}")
    if table != "drawn":
        statements.append(f"CREATE {shape} drawn AS SELECT * FROM {table}")
    name = f"as_{shape.partition(' ')[0]}"
    pg.execute(f"CREATE SCHEMA {name}; SET search_path = {name}, public; {'; '.join(statements)}")  # type: ignore[arg-type]
    return f"{name}.drawn"


def _rows(first: int, end: int) -> str:
    return (
        f"SELECT g, '[1,2]', CASE WHEN g < {ROWS * 85 // 100} THEN 'x' ELSE repeat('x', 100) END"
        f" FROM generate_series({first}, {end - 1}) g"
    )


def described(database: Database, name: str, where: str = "") -> CollectionSchema:
    ref = CollectionRef(name, {"where": where} if where else {})
    with opened(database) as source:
        return source.describe(ref, 100, ReadContext())


def ids_of(schema: CollectionSchema) -> list[int]:
    assert schema.sample is not None
    return schema.sample.column("id").to_pylist()


@pytest.mark.parametrize("pages", [40, 1000])
@pytest.mark.parametrize("where", ["", "id % 2 = 0"])
def test_rows_are_drawn_from_all_parts_and_are_the_same_each_time(
    pg: Database, monkeypatch: pytest.MonkeyPatch, drawn: str, where: str, pages: int
) -> None:
    """Covers pages that are drawn, and a table that is small enough to look at all its pages."""
    monkeypatch.setattr(draws, "SAMPLE_PAGES", pages)
    monkeypatch.setattr(sample, "SAMPLE_ROWS", 1000)
    first = described(pg, drawn, where)
    pg.execute("VACUUM (ANALYZE)")
    second = described(pg, drawn, where)
    assert second.sample == first.sample
    ids = ids_of(first)
    assert len(ids) == 100
    counts = [sum(low <= n < low + 5000 for n in ids) for low in range(0, ROWS, 5000)]
    assert min(counts) >= 5
    assert first.fields[2].longest_bytes == second.fields[2].longest_bytes == 100


def test_all_rows_of_a_rare_condition_are_found(
    pg: Database, monkeypatch: pytest.MonkeyPatch, drawn: str
) -> None:
    monkeypatch.setattr(draws, "SAMPLE_PAGES", 40)
    assert ids_of(described(pg, drawn, f"id > {ROWS - 20}")) == list(range(ROWS - 19, ROWS))


def test_each_partition_is_in_the_sample_of_a_large_table(
    pg: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draws, "SAMPLE_PAGES", 20)
    pg.execute(
        "CREATE TABLE leafy (id integer, v vector(2), t text) PARTITION BY LIST (id);"
        "CREATE TABLE leafy_large PARTITION OF leafy FOR VALUES IN (0);"
        "CREATE TABLE leafy_small PARTITION OF leafy DEFAULT;"
        f"INSERT INTO leafy SELECT 0, '[1,2]', 'x' FROM generate_series(1, {ROWS});"
        "INSERT INTO leafy VALUES (1, '[1,2]', 'longer')"
    )
    assert described(pg, "public.leafy").fields[2].longest_bytes == 6
    pg.execute("DROP TABLE leafy")


def test_a_view_that_is_too_slow_to_look_at_shows_its_first_rows_and_says_so(
    pg: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draws, "ALL_SECONDS", 0.3)
    monkeypatch.setattr(sample, "SAMPLE_ROWS", 10)
    pg.execute(
        "CREATE VIEW slow AS SELECT g AS id, '[1,2]'::vector(2) AS v, ARRAY['a'] AS tags,"
        " pg_sleep(0.01)::text AS t FROM generate_series(1, 200) g"
    )
    found = described(pg, "public.slow")
    assert ids_of(found) == list(range(1, 101))
    assert [note for note in found.notes if "only the first 10 rows of the view public.slow" in note]
    assert [str(choice.spec) for choice in found.fields[2].choices] == ["JSON", "ARRAY<VARCHAR>"]
    pg.execute("DROP VIEW slow")


def test_a_view_that_is_too_slow_for_a_sample_is_described_without_one(
    pg: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draws, "FIRST_SECONDS", 0.2)
    monkeypatch.setattr(draws, "ALL_SECONDS", 0.2)
    pg.execute("CREATE VIEW slow AS SELECT 'x' AS t, '[1,2]'::vector(2) AS v FROM pg_sleep(600)")
    schema = described(pg, "public.slow")
    assert [str(f.choices[0].spec) for f in schema.fields] == ["VARCHAR", "FLOAT_VECTOR · 2"]
    assert schema.sample is None
    assert len([note for note in schema.notes if "took too long" in note]) == 2
    pg.execute("DROP VIEW slow")


@pytest.mark.parametrize(
    ("last", "types"),
    [("ARRAY['b']", ["ARRAY<VARCHAR>", "JSON"]), ("ARRAY['b', NULL]", ["JSON", "ARRAY<VARCHAR>"])],
)
def test_an_array_is_proposed_only_if_all_rows_were_looked_at(
    pg: Database, monkeypatch: pytest.MonkeyPatch, last: str, types: list[str]
) -> None:
    monkeypatch.setattr(draws, "SAMPLE_PAGES", 10)
    monkeypatch.setattr(sample, "SAMPLE_ROWS", 100)
    pg.execute(
        "CREATE TABLE arrays_of_many (id integer, v vector(2), tags text[]);"
        "INSERT INTO arrays_of_many SELECT g, '[1,2]', ARRAY['a'] FROM generate_series(1, 5000) g;"
        f"INSERT INTO arrays_of_many VALUES (5001, '[1,2]', {last})"
    )
    found = described(pg, "public.arrays_of_many").fields[2]
    assert [str(choice.spec) for choice in found.choices] == types
    monkeypatch.setattr(sample, "WHOLE_PAGES", 10)
    found = described(pg, "public.arrays_of_many").fields[2]
    assert [str(choice.spec) for choice in found.choices] == ["JSON", "ARRAY<VARCHAR>"]
    assert all("Not all rows were looked at" in choice.note for choice in found.choices)
    pg.execute("DROP TABLE arrays_of_many")
