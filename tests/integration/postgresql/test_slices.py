"""Slices of PostgreSQL tables: ranges of a key, and ranges of places for tables without a key."""

from typing import Any, LiteralString

import pytest

from migrations_app.engine.errors import BoundsLost
from migrations_app.engine.model.batch import CollectionRef, Slice
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.postgresql import PostgresSource
from migrations_app.engine.sources.postgresql.catalogue.leaves import Leaf
from migrations_app.engine.sources.postgresql.catalogue.names import TableName
from migrations_app.engine.sources.postgresql.read.stored_ranges import stored_ranges
from tests.engines.postgres import Database
from tests.integration.postgresql.database import locators_of, opened, plan_of
from tests.kit import SliceContract, SourceCase

ROWS = 2_000
# Rows of about 400 bytes: some twenty in each block.
VALUES = "array_fill(g::real, ARRAY[8])::vector, repeat('x', 300)"

TABLES: dict[str, str] = {
    "uuid_key": f"""
        CREATE TABLE uuid_key (k uuid PRIMARY KEY, v vector(8), note text);
        INSERT INTO uuid_key SELECT md5(g::text)::uuid, {VALUES} FROM generate_series(1, {ROWS}) g""",
    "composite_key": f"""
        CREATE TABLE composite_key (part timestamptz, value text COLLATE pg_unicode_fast, text0 integer,
            v vector(8), note text, PRIMARY KEY (value, part, text0));
        INSERT INTO composite_key SELECT '2024-01-01 00:00+02'::timestamptz + (g % 7) * interval '1.5 h',
            (ARRAY['ä', 'Z', 'a', 'O''Neil', E'\\\\'])[1 + g % 5], g, {VALUES}
            FROM generate_series(1, {ROWS}) g""",
    "without_key": f"""
        CREATE TABLE without_key (k integer, v vector(8), note text);
        INSERT INTO without_key SELECT g, {VALUES} FROM generate_series(1, {ROWS}) g;
        CREATE INDEX ON without_key (k DESC)""",
    "parted": f"""
        CREATE TABLE parted (k integer, v vector(8), note text) PARTITION BY RANGE (k);
        CREATE TABLE parted_a PARTITION OF parted FOR VALUES FROM (MINVALUE) TO (1500);
        CREATE TABLE parted_b PARTITION OF parted FOR VALUES FROM (1500) TO (1550);
        CREATE TABLE parted_c PARTITION OF parted FOR VALUES FROM (1550) TO (MAXVALUE)
            PARTITION BY HASH (k);
        CREATE TABLE parted_c0 PARTITION OF parted_c FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE parted_c1 PARTITION OF parted_c FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        INSERT INTO parted SELECT g, {VALUES} FROM generate_series(1, {ROWS}) g""",
    "parted_key": f"""
        CREATE TABLE parted_key (k integer PRIMARY KEY, v vector(8), note text) PARTITION BY HASH (k);
        CREATE TABLE parted_key_0 PARTITION OF parted_key FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE parted_key_1 PARTITION OF parted_key FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        INSERT INTO parted_key SELECT g, {VALUES} FROM generate_series(1, {ROWS}) g""",
    "inherited": f"""
        CREATE TABLE inherited (k integer PRIMARY KEY, v vector(8), note text);
        CREATE TABLE heir (more text) INHERITS (inherited);
        INSERT INTO inherited SELECT g, {VALUES} FROM generate_series(1, {ROWS // 2}) g;
        INSERT INTO heir SELECT g, {VALUES} FROM generate_series({ROWS // 2 + 1}, {ROWS}) g""",
    "copied": "CREATE MATERIALIZED VIEW copied AS SELECT * FROM without_key",
}


@pytest.fixture(scope="module")
def tables(pg: Database) -> Database:
    pg.execute("CREATE TABLE empty_one (k integer, v vector(8))")
    for statements in TABLES.values():
        pg.execute(statements)  # type: ignore[arg-type]
    pg.execute("ANALYZE")
    return pg


@pytest.mark.parametrize("name", TABLES, scope="class")
class TestEveryKindOfTable(SliceContract):
    @pytest.fixture
    def case(self, tables: Database, name: str) -> SourceCase:
        return SourceCase(
            PostgresSource,
            tables.settings,
            full=CollectionRef(f"public.{name}"),
            rows=ROWS,
            empty=CollectionRef("public.empty_one"),
            missing=CollectionRef("public.not_there"),
            bad=(),
            expected={},
            batch_bytes=150_000,
            wanted_slices=(1, 5),
        )

    def test_slices_are_of_about_equal_size_and_can_be_resumed(
        self, case: SourceCase, source: PostgresSource
    ) -> None:
        parts = slices(source, case.full, 5)
        assert len(parts) == 5
        assert all(part.resumable for part in parts)
        sizes = [len(rows_of(source, case.full, part)) for part in parts]
        assert sum(sizes) == ROWS
        assert max(sizes) < 2 * ROWS / 5, sizes


def slices(source: PostgresSource, ref: CollectionRef, wanted: int) -> list[Slice]:
    return list(source.slices(ref, wanted, ReadContext()))


def rows_of(source: PostgresSource, ref: CollectionRef, part: Slice, after: Any = None) -> list[str]:
    plan = plan_of(source, ref.name, 150_000)
    return locators_of(list(source.read(ref, part, after, plan, ReadContext())))


@pytest.fixture
def small(pg: Database) -> Database:
    """Tables of a few rows: `keyed` and `loose` (without a key)."""
    pg.execute(
        "DROP TABLE IF EXISTS keyed, loose CASCADE; CREATE TABLE keyed (k integer PRIMARY KEY, v vector(2));"
        "INSERT INTO keyed SELECT g, '[1,2]' FROM generate_series(1, 3) g;"
        "CREATE TABLE loose (k integer, v vector(2)) WITH (fillfactor = 10);"
        "INSERT INTO loose SELECT g, '[1,2]' FROM generate_series(1, 300) g"
    )
    return pg


@pytest.mark.parametrize(("name", "most"), [("keyed", 3), ("loose", 300)])
def test_there_are_never_more_slices_than_rows(small: Database, name: str, most: int) -> None:
    ref = CollectionRef(f"public.{name}")
    with opened(small) as source:
        parts = slices(source, ref, 1_000)
        assert 1 < len(parts) <= most
        assert len({row for part in parts for row in rows_of(source, ref, part)}) == most


@pytest.mark.parametrize("name", ["keyed", "loose"])
def test_rows_that_are_added_after_the_planning_are_in_one_slice(small: Database, name: str) -> None:
    ref = CollectionRef(f"public.{name}")
    with opened(small) as source:
        parts = slices(source, ref, 3)
        before = [row for part in parts for row in rows_of(source, ref, part)]
        small.execute(
            f"INSERT INTO {name} SELECT g, '[1,2]' FROM generate_series(-2000, -1) g;"  # type: ignore[arg-type]
            f"INSERT INTO {name} SELECT g, '[1,2]' FROM generate_series(1001, 3000) g"
        )
        after = [row for part in parts for row in rows_of(source, ref, part)]
        assert len(set(after)) == len(after) == len(before) + 4000


def test_the_slices_of_a_condition_contain_only_its_rows(tables: Database) -> None:
    """The sample is enlarged until it has enough of the few rows."""
    for name in ("parted_key", "without_key"):
        ref = CollectionRef(f"public.{name}", {"where": "k % 40 = 1 AND k > 400"})
        with opened(tables) as source:
            parts = slices(source, ref, 2)
            rows = [row for part in parts for row in rows_of(source, ref, part)]
            assert len(parts) == 2
            assert len(set(rows)) == len(rows) == 40


REWRITES = ("VACUUM FULL loose", "TRUNCATE loose", "CREATE INDEX by_k ON loose (k); CLUSTER loose USING by_k")


@pytest.mark.parametrize("rewrite", REWRITES)
def test_a_table_that_was_rewritten_has_to_be_planned_again(small: Database, rewrite: str) -> None:
    ref = CollectionRef("public.loose")
    with opened(small) as source:
        parts = slices(source, ref, 3)
        plan = plan_of(source, ref.name, 1_000)
        stream = source.read(ref, parts[0], None, plan, ReadContext())
        after = next(stream).after
        stream.close()  # type: ignore[attr-defined]
        small.execute("DELETE FROM loose WHERE k < 100")
        small.execute("VACUUM loose")
        assert rows_of(source, ref, parts[1])
        for statement in rewrite.split(";"):
            small.execute(statement)  # type: ignore[arg-type]
        for part, cursor in ((parts[0], after), (parts[1], None), (parts[2], None)):
            with pytest.raises(BoundsLost) as caught:
                rows_of(source, ref, part, cursor)
            assert "public.loose" in caught.value.message
        parts = slices(source, ref, 3)
        left = small.execute("SELECT count(*) FROM loose")[0][0]
        assert len([row for part in parts for row in rows_of(source, ref, part)]) == left


@pytest.mark.parametrize("change", ["DROP TABLE month_2", "ALTER TABLE month_2 RENAME TO other"])
def test_a_partition_that_is_gone_has_the_table_planned_again(pg: Database, change: LiteralString) -> None:
    pg.execute(
        "DROP TABLE IF EXISTS months CASCADE;"
        "CREATE TABLE months (k integer, v vector(2)) PARTITION BY RANGE (k);"
        "CREATE TABLE month_1 PARTITION OF months FOR VALUES FROM (1) TO (2);"
        "CREATE TABLE month_2 PARTITION OF months FOR VALUES FROM (2) TO (3);"
        "INSERT INTO months SELECT 1 + g % 2, '[1,2]' FROM generate_series(1, 1000) g"
    )
    ref = CollectionRef("public.months")
    with opened(pg) as source:
        parts = slices(source, ref, 2)
        pg.execute(change)
        with pytest.raises(BoundsLost, match="month_2 was dropped or renamed"):
            [row for part in parts for row in rows_of(source, ref, part)]
        left = pg.execute("SELECT count(*) FROM months")[0][0]
        assert len([row for part in slices(source, ref, 2) for row in rows_of(source, ref, part)]) == left


def test_a_table_whose_parts_cannot_be_read_directly_is_one_slice(tables: Database) -> None:
    """The user has no privileges on a partition, or only on columns, or sees only some rows."""
    tables.execute(
        "CREATE ROLE reader LOGIN PASSWORD 'reader'; GRANT SELECT ON parted, without_key TO reader;"
        "GRANT SELECT (k, v, note) ON copied TO reader;"
        "ALTER TABLE without_key ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON without_key USING (k < 9)"
    )
    try:
        with opened(tables, user="reader", password="reader") as source:
            for name, rows in (("parted", ROWS), ("copied", ROWS), ("without_key", 8)):
                ref = CollectionRef(f"public.{name}")
                (part,) = slices(source, ref, 5)
                assert len(rows_of(source, ref, part)) == rows
    finally:
        tables.execute(
            "DROP OWNED BY reader; DROP ROLE reader; DROP POLICY few ON without_key;"
            "ALTER TABLE without_key DISABLE ROW LEVEL SECURITY"
        )


def test_slices_that_are_next_to_each_other_are_of_different_tables() -> None:
    leaves = [Leaf(TableName("s", name), 1, 90, can_read_in_place=True) for name in "abc"]
    parts = list(stored_ranges(leaves, 9, None, 180000))
    tables = ["".join(piece["table"][1] for piece in part.bounds["pieces"]) for part in parts]
    assert tables == ["a", "b", "c"] * 3
    ends = [part.bounds["pieces"][0]["to"] for part in parts]
    assert ends == [30, 30, 30, 60, 60, 60, None, None, None]


def test_a_server_without_tid_range_scans_gets_whole_tables() -> None:
    leaves = [Leaf(TableName("s", name), 1, 90, can_read_in_place=True) for name in "abc"]
    parts = list(stored_ranges(leaves, 2, None, 130000))
    pieces = [
        [(piece["table"][1], piece["from"], piece["to"]) for piece in p.bounds["pieces"]] for p in parts
    ]
    assert pieces == [[("a", 0, None), ("c", 0, None)], [("b", 0, None)]]
