"""Types of contrib modules and xml, in the distribution's PostgreSQL, which is older than the wheel's."""

import json
from dataclasses import replace

import pytest
from psycopg.types import TypeInfo
from psycopg.types.hstore import register_hstore

from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.read_context import ReadContext
from tests.engines.postgres import Database
from tests.integration.postgresql.database import opened
from tests.integration.postgresql.types import test_arrays, test_numbers, test_texts, test_times
from tests.integration.postgresql.types.edges import (
    Edge,
    array,
    assert_arrives,
    column_of,
    read,
    same,
    varchar,
)

JSON = TypeSpec(MilvusType.JSON)
PLANES = "\u00e9漢\U0001f600\U0010ffff"
HSTORES: dict[str, dict[str, str | None]] = {
    "": {},
    'a=>1, b=>NULL, "c d"=>"x\\"y"': {"a": "1", "b": None, "c d": 'x"y'},
    f'""=>"", "{PLANES}"=>"{PLANES}\\\\"': {"": "", PLANES: PLANES + "\\"},
    '"n"=>"NULL", "t"=>"true", "one"=>"1.10"': {"n": "NULL", "t": "true", "one": "1.10"},
}
XMLS = {
    "<a/>": "<a/>",
    f"<a>{PLANES}&amp;&#1;</a>".replace("&#1;", ""): f"<a>{PLANES}&amp;</a>",
    "no markup": "no markup",
    "": "",
    '<?xml version="1.0" encoding="ISO-8859-1"?><a/>': "<a/>",
    '<?xml version="1.0" standalone="yes"?><a/>': '<?xml version="1.0" standalone="yes"?><a/>',
}


@pytest.fixture(scope="module")
def database(postgres_contrib: Database) -> Database:
    postgres_contrib.execute(
        "CREATE DOMAIN tags AS contrib.hstore; CREATE DOMAIN address AS citext CHECK (VALUE LIKE '%@%');"
        "CREATE TYPE tagged AS (tags contrib.hstore);"
        """CREATE TYPE odd_enum AS ENUM ('', 'a b', 'it''s', 'say "hi"', '漢')"""
    )
    return postgres_contrib


@pytest.mark.parametrize("native", ["contrib.hstore", "tags"])
def test_hstore_is_an_object_of_texts(database: Database, native: str) -> None:
    found = column_of(read(database, native, JSON, [*HSTORES, None]))
    assert found.pop() is None
    assert [json.loads(text) for text in found] == list(HSTORES.values())
    with database.connect() as connection:
        info = TypeInfo.fetch(connection, "contrib.hstore")
        assert info is not None
        register_hstore(info, connection)
        theirs = connection.execute("SELECT x::contrib.hstore FROM edge ORDER BY n").fetchall()
    assert [value for (value,) in theirs] == [*HSTORES.values(), None]


def test_hstore_in_arrays_and_composite_types_is_an_object_too(database: Database) -> None:
    assert column_of(read(database, "contrib.hstore[]", JSON, ['{"a=>1",NULL}'])) == ['[{"a": "1"},null]']
    assert column_of(read(database, "tagged", JSON, ['("a=>1")'])) == ['{"tags":{"a": "1"}}']


SINCE_17 = frozenset({"infinity", "-infinity"})
EDGES = [
    varchar("citext", same("", "ABC", "abc", PLANES, "x" * 10**6)),
    varchar("address", same("A@b")),
    array(
        "citext[]",
        MilvusType.VARCHAR,
        {"{A,b,NULL}": ["A", "b", None]},
        text={"{A,b,NULL}": ["A", "b", None]}.get,
    ),
    varchar("xml", XMLS),
    array(
        "xml[]", MilvusType.VARCHAR, {"{<a/>,NULL}": ["<a/>", None]}, text={"{<a/>,NULL}": ["<a/>", None]}.get
    ),
]


@pytest.mark.parametrize("edge", EDGES, ids=str)
def test_texts_arrive_exactly(database: Database, edge: Edge) -> None:
    assert_arrives(database, edge)


def test_contrib_types_are_offered_in_any_schema_of_their_extension(database: Database) -> None:
    database.execute(
        "DROP TABLE IF EXISTS offered;"
        "CREATE TABLE offered (h contrib.hstore, hs contrib.hstore[], c citext, cs citext[], x xml, t tags)"
    )
    with opened(database) as source:
        fields = source.describe(CollectionRef("public.offered"), 100, ReadContext()).fields
    assert {f.name: [str(choice.spec) for choice in f.choices] for f in fields} == {
        "h": ["JSON"],
        "hs": ["JSON"],
        "c": ["VARCHAR"],
        "cs": ["ARRAY<VARCHAR>", "JSON"],
        "x": ["VARCHAR"],
        "t": ["JSON"],
    }


# The edges without the values that PostgreSQL accepts only since version 17.
BEFORE_17 = [
    replace(edge, values={text: value for text, value in edge.values.items() if text not in SINCE_17})
    if edge.native == "interval"
    else edge
    for edge in (*test_numbers.EDGES, *test_texts.EDGES, *test_times.EDGES, *test_arrays.EDGES)
]


@pytest.mark.parametrize("edge", BEFORE_17, ids=str)
def test_an_older_server_gives_the_same_values(database: Database, edge: Edge) -> None:
    assert_arrives(database, edge)


def test_an_array_of_xml_with_a_null_is_described_like_any_other(database: Database) -> None:
    """Its elements cannot be compared."""
    database.execute("DROP TABLE IF EXISTS edge; CREATE TABLE edge (n int PRIMARY KEY, x xml[])")
    database.execute("INSERT INTO edge VALUES (1, ARRAY['<a/>'::xml, NULL]), (2, ARRAY['<b/>'::xml])")
    with opened(database) as source:
        field = source.describe(CollectionRef("public.edge"), 100, ReadContext()).field("x")
    assert field is not None
    assert field.choices[0].spec.type is MilvusType.JSON
