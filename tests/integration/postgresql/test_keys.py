"""Keys of PostgreSQL tables: unique declarations, the order in which rows are read, and names of rows."""

import pytest

from migrations_app.engine.model.batch import CollectionRef, ReadColumn, ReadPlan
from migrations_app.engine.model.joined_key_text import PART
from migrations_app.engine.model.source_schema import SourceKey
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import KeyRows, MeasureRequest
from migrations_app.engine.sources.postgresql import PostgresSource
from tests.engines.postgres import Database
from tests.integration.postgresql.database import batches_of, locators_of, opened, plan_of

KEYED = CollectionRef("public.keyed")
# Two hundred texts that collations sort differently; some differ only in case or accent.
TEXTS = """(ARRAY['', 'a', 'A', 'ä', 'Ä', 'z', 'Z', '-', '_', ' ', E'\\\\', '''', '"', '%', '/', E'\\t',
    E'\\n', E'\\u0001', '漢', '😀'])[1 + g % 20] || CASE WHEN g < 20 THEN '' ELSE (g / 20)::text END"""
# A type with its own operators, which are found only if its schema is in the search path.
LOUD = """
    CREATE TYPE loud AS (t text);
    CREATE FUNCTION compared(loud, loud) RETURNS integer LANGUAGE sql IMMUTABLE
        AS $$ SELECT bttextcmp(lower($1.t), lower($2.t)) $$;
    CREATE FUNCTION less(loud, loud) RETURNS boolean LANGUAGE sql IMMUTABLE
        AS $$ SELECT lower($1.t) < lower($2.t) $$;
    CREATE FUNCTION less_or_same(loud, loud) RETURNS boolean LANGUAGE sql IMMUTABLE
        AS $$ SELECT lower($1.t) <= lower($2.t) $$;
    CREATE FUNCTION same(loud, loud) RETURNS boolean LANGUAGE sql IMMUTABLE
        AS $$ SELECT lower($1.t) = lower($2.t) $$;
    CREATE FUNCTION more_or_same(loud, loud) RETURNS boolean LANGUAGE sql IMMUTABLE
        AS $$ SELECT lower($1.t) >= lower($2.t) $$;
    CREATE FUNCTION more(loud, loud) RETURNS boolean LANGUAGE sql IMMUTABLE
        AS $$ SELECT lower($1.t) > lower($2.t) $$;
    CREATE OPERATOR < (LEFTARG = loud, RIGHTARG = loud, FUNCTION = less);
    CREATE OPERATOR <= (LEFTARG = loud, RIGHTARG = loud, FUNCTION = less_or_same);
    CREATE OPERATOR = (LEFTARG = loud, RIGHTARG = loud, FUNCTION = same);
    CREATE OPERATOR >= (LEFTARG = loud, RIGHTARG = loud, FUNCTION = more_or_same);
    CREATE OPERATOR > (LEFTARG = loud, RIGHTARG = loud, FUNCTION = more);
    CREATE OPERATOR CLASS loud_ops DEFAULT FOR TYPE loud USING btree AS OPERATOR 1 <, OPERATOR 2 <=,
        OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 compared(loud, loud);
"""
MIXED_CASE = "chr(20000 + g / 2) || CASE WHEN g % 2 = 0 THEN 'A' ELSE 'b' END"


@pytest.fixture(scope="module")
def database(pg: Database) -> Database:
    pg.execute(LOUD)
    pg.execute("CREATE DOMAIN code AS char(8); CREATE TYPE point3 AS (x integer, y text)")
    return pg


@pytest.fixture
def keyed(database):
    def make(columns, key, rows=200):
        database.execute("DROP TABLE IF EXISTS keyed")
        database.execute(f"CREATE TABLE keyed ({columns}, filler text)")
        database.execute(
            f"INSERT INTO keyed SELECT {key}, repeat('x', 60) FROM generate_series(0, {rows - 1}) g"
        )
        return database

    return make


@pytest.mark.parametrize("native", ['text COLLATE "C"', "text COLLATE pg_unicode_fast", "varchar(40)"])
def test_texts_of_any_collation_are_read_in_its_order(keyed, native):
    assert_resumes(keyed(f"k {native} PRIMARY KEY", TEXTS))


@pytest.mark.parametrize(
    ("native", "key"),
    [
        ("loud", f"ROW({MIXED_CASE})::loud"),
        ("code", "to_hex(g) || CASE WHEN g % 2 = 0 THEN '' ELSE '  ' END"),
        ("jsonb", "jsonb_build_object('a', g)"),
        ("inet", "inet '10.0.0.0' + g"),
        ("int4range", "int4range(g, g + 2)"),
        ("numeric", "CASE g WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' ELSE g * 1e3 ^ (g % 9 - 4) END"),
        ("bigint", "CASE g WHEN 0 THEN -9223372036854775808 WHEN 1 THEN 9223372036854775807 ELSE g - 99 END"),
    ],
)  # fmt: skip
def test_keys_that_compare_differently_from_their_texts_are_read_in_order(keyed, native, key):
    assert_resumes(keyed(f"k {native} PRIMARY KEY", key))


def assert_resumes(database, rows=200):
    """Each row is read once, and a read after each cursor returns exactly the rows that follow it."""
    with opened(database) as source:
        plan = plan_of(source, KEYED.name)
        batches = list(batches_of(source, KEYED.name, plan))
        names = locators_of(batches)
        assert len(batches) >= 4
        assert len(set(names)) == len(names) == rows
        for number, batch in enumerate(batches):
            rest = list(batches_of(source, KEYED.name, plan, batch.after))
            assert locators_of(rest) == locators_of(batches[number + 1 :])


def test_an_index_that_sorts_differently_from_its_column_gives_no_order(keyed):
    """The two may differ in which values are equal: rows that are equal for the column would be skipped."""
    database = keyed("k text COLLATE pg_unicode_fast NOT NULL", TEXTS)
    database.execute('CREATE UNIQUE INDEX ON keyed (k COLLATE "C")')
    with opened(database) as source:
        (part,) = source.slices(KEYED, 1, ReadContext())
        schema = source.describe(KEYED, 100, ReadContext())
        assert (part.resumable, schema.key) == (False, SourceKey(("k",)))
        assert len(set(locators_of(list(batches_of(source, KEYED.name))))) == 200
    database.execute("ALTER TABLE keyed ADD COLUMN id serial UNIQUE NOT NULL")
    assert_resumes(database)


@pytest.mark.parametrize(("index", "has_order"), [("(k text_pattern_ops)", False), ("(k varchar_ops)", True)])
def test_only_an_index_with_the_default_operators_gives_an_order(keyed, index, has_order):
    database = keyed("k text NOT NULL", TEXTS)
    database.execute(f"CREATE UNIQUE INDEX ON keyed {index}")
    with opened(database) as source:
        (part,) = source.slices(KEYED, 1, ReadContext())
        assert part.resumable == has_order
        assert source.describe(KEYED, 100, ReadContext()).unique == (("k",),)


def test_a_composite_type_gives_no_order(keyed):
    """Its text cannot be compared without naming the type."""
    database = keyed("k point3 PRIMARY KEY", "ROW(g / 3, g::text)::point3")
    with opened(database) as source:
        (part,) = source.slices(KEYED, 1, ReadContext())
        assert (part.resumable, source.describe(KEYED, 100, ReadContext()).key) == (False, SourceKey(("k",)))
        assert len(set(locators_of(list(batches_of(source, KEYED.name))))) == 200


def test_operators_outside_the_search_path_give_no_order(keyed):
    """A comparison would use other operators and skip rows."""
    database = keyed("k loud PRIMARY KEY", f"ROW({MIXED_CASE})::loud")
    user, name = database.settings["user"], database.settings["database"]
    database.execute(f'ALTER ROLE "{user}" IN DATABASE "{name}" SET search_path = pg_catalog')
    try:
        with opened(database) as source:
            (part,) = source.slices(KEYED, 1, ReadContext())
            assert not part.resumable
            notes = source.describe(KEYED, 100, ReadContext()).notes
            assert notes == (
                "The rows of the table cannot be read in the order of its key: "
                "rows that are changed while they are read may be missed or come twice.",
            )
            assert len(set(locators_of(list(batches_of(source, KEYED.name))))) == 200
    finally:
        database.execute(f'ALTER ROLE "{user}" IN DATABASE "{name}" RESET search_path')


def test_all_unique_declarations_are_reported(keyed):
    database = keyed("id integer, a text, b integer", "g, g::text, g")
    database.execute(
        "ALTER TABLE keyed ADD PRIMARY KEY (id), ADD UNIQUE (a, b);"
        "CREATE UNIQUE INDEX ON keyed (b) INCLUDE (a);"
        "CREATE UNIQUE INDEX ON keyed (a) WHERE b > 0; CREATE UNIQUE INDEX ON keyed (lower(a));"
        "CREATE INDEX ON keyed (a)"
    )
    with opened(database) as source:
        schema = source.describe(KEYED, 100, ReadContext())
    assert schema.key == SourceKey(("id",))
    assert schema.unique == (("id",), ("b",), ("a", "b"))


# ---------------------------------------------------------------- names of rows, other keys


def names_of(source: PostgresSource, key: tuple[str, ...]) -> list[str]:
    columns = (ReadColumn("id", TypeSpec(MilvusType.INT64)),)
    (part,) = source.slices(KEYED, 1, ReadContext())
    return locators_of(list(source.read(KEYED, part, None, ReadPlan(columns, key), ReadContext())))


def test_rows_are_named_by_the_columns_that_distinguish_them(keyed):
    database = keyed("id integer, t text", "g, CASE WHEN g = 1 THEN NULL ELSE 'same' END", rows=3)
    with opened(database) as source:
        assert names_of(source, ()) == ["row 1", "row 2", "row 3"]
        assert names_of(source, ("t",)) == ["same, row 1", "NULL, row 2", "same, row 3"]
        database.execute("ALTER TABLE keyed ADD PRIMARY KEY (id)")
    with opened(database) as source:
        assert names_of(source, ()) == names_of(source, ("t",)) == ["0", "1", "2"]
        assert names_of(source, ("t", "id")) == ["same/0", "NULL/1", "same/2"]


def test_a_key_part_of_any_kind_is_delivered_as_its_exact_text(keyed):
    database = keyed(
        "i smallint, b bigint, n numeric, c char(4), at timestamptz, net inet",
        "-1, -9223372036854775808, 1.50, 'ab', '2024-01-01 12:00+02', '10.0.0.1'",
        rows=1,
    )
    names = ("i", "b", "n", "c", "at", "net")
    plan = ReadPlan(tuple(ReadColumn(name, PART) for name in names), names)
    with opened(database) as source:
        (batch,) = batches_of(source, KEYED.name, plan)
    texts = [column[0].as_py() for column in batch.rows.columns]
    assert texts == [
        "-1",
        "-9223372036854775808",
        "1.50",
        "ab",
        "2024-01-01T10:00:00.000000+00:00",
        "10.0.0.1",
    ]
    assert locators_of([batch]) == ["/".join(texts) + ", row 1"]


# ---------------------------------------------------------------- equal keys


def duplicates(source, *columns, present=(), ref=KEYED):
    names = tuple(column.path for column in columns)
    wanted = MeasureRequest(duplicates_of=KeyRows(columns, (*names, *present)))
    return source.measure(ref, wanted, ReadContext()).duplicates


def text(name):
    return ReadColumn(name, TypeSpec(MilvusType.VARCHAR, max_length=9))


VALUES = """
    (1, 1.0, 'a', 'A', 'x', '{1}'), (1, 1.00, 'a', 'a ', 'y', NULL), (2, 'NaN', 'A', 'a', NULL, '{1}'),
    (2, 'NaN', 'b', 'b', 'x', '{1}'), (NULL, 2, '', '', 'x', '{1}')
"""


def test_keys_are_equal_if_their_moved_values_are_equal(keyed):
    """1.0 and 1.00 are different texts, although equal in PostgreSQL. The padding of char(n) is not moved."""
    columns = "i integer, n numeric, t text, c char(3), p text, q integer[]"
    database = keyed(columns, "1, 1, '', '', '', '{}'", rows=0)
    database.execute("INSERT INTO keyed (i, n, t, c, p, q) VALUES" + VALUES)
    with opened(database) as source:
        assert duplicates(source, ReadColumn("i", TypeSpec(MilvusType.INT64))) == 2
        assert duplicates(source, text("n")) == 1
        assert duplicates(source, text("t")) == 1
        assert duplicates(source, text("c")) == 1
        assert duplicates(source, text("p")) == 2
        assert duplicates(source, text("p"), present=("q",)) == 2
        assert duplicates(source, text("p"), present=("i",)) == 1
        assert duplicates(source, ReadColumn("i", PART), ReadColumn("t", PART)) == 1
        assert duplicates(source, ReadColumn("i", PART), ReadColumn("p", PART)) == 0
        chosen = CollectionRef(KEYED.name, {"where": "n = 'NaN'"})
        assert duplicates(source, text("n"), ref=chosen) == 1
        assert duplicates(source, text("t"), ref=chosen) == 0


def test_the_smallest_and_largest_values_of_a_column_are_measured(keyed):
    database = keyed(
        "b bigint, s smallint", "CASE g WHEN 0 THEN -9223372036854775808 WHEN 2 THEN 5 END, NULL", 3
    )
    with opened(database) as source:
        found = source.measure(KEYED, MeasureRequest(extremes_of=("b", "s")), ReadContext())
        assert found.extremes == {"b": (-(2**63), 5), "s": None}
