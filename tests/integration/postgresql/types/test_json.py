"""JSON and composite types: they are read as JSON text."""

import json

import pytest

from migrations_app.engine.model.types import MilvusType, TypeSpec
from tests.engines.postgres import Database
from tests.integration.postgresql.types.edges import (
    Edge,
    assert_arrives,
    column_of,
    read,
    read_by_psycopg,
    same,
)

JSON = TypeSpec(MilvusType.JSON)
BIG = "12345678901234567890123"
DEEP = "[" * 500 + "]" * 500
JSONS = ['{"a":1, "a":2}', "  null", '"\\u0000"', "1e999", DEEP, '{"":{}}', BIG, '{"a":-0,"b":1.10,"c":1E5}',
         '"\U0010ffff\\ud83d\\ude00"', '{"t":"' + "x" * 10**6 + '"}']  # fmt: skip

EDGES = [
    Edge("json", JSON, same(*JSONS), str),
    Edge(
        "jsonb",
        JSON,
        {'{"b":1, "a":2, "a":3}': '{"a": 3, "b": 1}', '"\\u00e9"': '"é"', "1e400": "1" + "0" * 400,
         **same(BIG, "1.10", "null", "true", "[]", "{}", DEEP, '"\U0010ffff"')},
        str,
    ),
]  # fmt: skip

TYPES = """
    CREATE TYPE mood AS ENUM ('it''s "ok"', '');
    CREATE DOMAIN positive AS numeric CHECK (VALUE > 0);
    CREATE TYPE inner_row AS ("a b" integer, "it's" text);
    CREATE TYPE outer_row AS (
        i bigint, f double precision, n numeric, t text, b boolean, m mood, d date, ts timestamp,
        tz timestamptz, j json, jb jsonb, a integer[], r inner_row, rs inner_row[], p positive, raw bytea,
        v vector(2), rg int4range, pt point, span interval);
    CREATE TABLE row_of_table (id integer, name text);
    CREATE DOMAIN member AS row_of_table;
    CREATE TYPE hollow AS ()
"""
FULL = (
    """ROW(-9223372036854775808, 0.1, 1.10, E'\\u0001"\\U0010ffff', true, 'it''s "ok"', '2024-02-29',"""
    " '2024-01-01 00:00:00.5', '2024-01-01 02:00+02', '{\"a\":1, \"a\":2}', '{\"a\":1.50}', '[5:6]={1,2}',"
    " ROW(1, NULL), ARRAY[ROW(2, 'x')::inner_row, NULL], 7, '\\x00ff', '[1,2]', '[1,5)', '(1,2)', '1 day')"
)
ODD = (
    "ROW(NULL, 'NaN', 'Infinity', '', NULL, '', 'infinity', '0044-03-15 BC', '12024-01-01 00:00+00'"
    f"{', NULL' * 11})"
)


@pytest.fixture(scope="module")
def database(pg: Database) -> Database:
    pg.execute(TYPES)
    return pg


@pytest.mark.parametrize("edge", EDGES, ids=str)
def test_json_arrives_character_by_character(database: Database, edge: Edge) -> None:
    assert_arrives(database, edge)


def read_as_json(database: Database, native: str, value: str) -> str:
    """The JSON that is read for an expression of a composite type."""
    ((text,),) = database.execute(f"SELECT ({value})::{native}::text")  # type: ignore[arg-type]
    (found,) = column_of(read(database, native, JSON, [text]))
    return str(found)


def test_a_composite_value_is_an_object_with_a_key_for_each_column(database: Database) -> None:
    full = read_as_json(database, "outer_row", FULL)
    assert '"n":1.10,' in full
    assert '"j":{"a":1, "a":2},' in full
    assert json.loads(full) == {
        "i": -(2**63), "f": 0.1, "n": 1.1, "t": '\x01"\U0010ffff', "b": True, "m": 'it\'s "ok"',
        "d": "2024-02-29", "ts": "2024-01-01T00:00:00.5", "tz": "2024-01-01T00:00:00+00:00", "j": {"a": 2},
        "jb": {"a": 1.5}, "a": [1, 2], "r": {"a b": 1, "it's": None},
        "rs": [{"a b": 2, "it's": "x"}, None], "p": 7, "raw": "\\x00ff", "v": "[1,2]", "rg": "[1,5)",
        "pt": "(1,2)", "span": "1 day",
    }  # fmt: skip


def test_values_that_json_has_no_number_for_are_read_as_text(database: Database) -> None:
    odd = read_as_json(database, "outer_row", ODD)
    kept = {name: value for name, value in json.loads(odd).items() if value is not None}
    assert kept == {
        "f": "NaN", "n": "Infinity", "t": "", "m": "", "d": "infinity", "ts": "0044-03-15T00:00:00 BC",
        "tz": "12024-01-01T00:00:00+00:00",
    }  # fmt: skip


def test_null_and_a_row_of_nulls_are_distinguished(database: Database) -> None:
    texts = ["(,)", None, "(1,)"]
    assert column_of(read(database, "inner_row", JSON, texts)) == [
        '{"a b":null,"it\'s":null}', None, '{"a b":1,"it\'s":null}',
    ]  # fmt: skip


def test_psycopg_reads_the_same_columns(database: Database) -> None:
    texts = ["(-1,漢)", '(,"a ""b"" \\\\")', "(2147483647,)"]
    edge = Edge("row_of_table", JSON, {}, str)
    for native in ("row_of_table", "member"):
        found = column_of(read(database, native, JSON, list(texts)))
        with database.connect() as connection:
            theirs = connection.execute("SELECT (x).id, (x).name FROM edge ORDER BY n").fetchall()
        assert [tuple(json.loads(value).values()) for value in found] == theirs
    assert read_by_psycopg(database, edge) == texts


def test_a_composite_type_without_columns_is_an_empty_object(database: Database) -> None:
    assert column_of(read(database, "hollow", JSON, ["()", None])) == ["{}", None]


def test_arrays_of_composite_values_are_lists_of_objects(database: Database) -> None:
    found = column_of(read(database, "inner_row[]", JSON, ['{"(1,a)",NULL}', "{}", '{{"(1,)"}}']))
    assert [json.loads(value) for value in found] == [
        [{"a b": 1, "it's": "a"}, None], [], [[{"a b": 1, "it's": None}]],
    ]  # fmt: skip
