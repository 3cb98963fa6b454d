"""Hostile names in a real PostgreSQL: no part of a name is ever run as SQL."""

import pyarrow as pa
import pytest
from psycopg import sql

from migrations_app.engine.errors import SourceChanged
from migrations_app.engine.model.batch import CollectionRef, ReadColumn, ReadPlan
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import MeasureRequest
from migrations_app.engine.sources.postgresql.catalogue.names import TableName
from tests.engines.postgres import Database
from tests.integration.postgresql.database import batches_of, locators_of, opened, plan_of

NAMES = [
    'a"b',
    "a'b",
    "a\\b",
    "a.b",
    " a ",
    "{c}",
    "{}",
    "%s %(x)s %",
    "$1 ?",
    "t",
    "c0",
    "select",
    'x"; DROP TABLE witness; --',
    "x'); DROP TABLE witness; --",
    "line\nbreak\ttab",
    "漢字" * 10,
    "\U0001f600",
    "e\u0301",
    "CamelCase",
    "x" * 63,
]


@pytest.fixture(scope="module")
def database(pg: Database) -> Database:
    pg.execute("CREATE TABLE witness (n integer)")
    return pg


@pytest.mark.parametrize("name", NAMES)
def test_no_part_of_a_name_is_run_as_sql(database: Database, name: str) -> None:
    """The name is that of a schema, table, column, key and enum label at once."""
    table = TableName(name, name)
    make(database, table, name)
    ref = CollectionRef(str(table))
    with opened(database) as source:
        listed = {info.name: info for info in source.collections(ReadContext())}
        assert listed[ref.name].rows == 40
        schema = source.describe(ref, 100, ReadContext())
        assert [f.name for f in schema.fields] == [name, other(name), "label"]
        assert schema.key is not None
        assert schema.key.columns == (name,)
        plan = plan_of(source, ref.name, 512)
        batches = list(batches_of(source, ref.name, plan))
        assert sorted(locators_of(batches), key=int) == [str(n) for n in range(1, 41)]
        assert batches[0].rows.column("label").to_pylist()[0] == name
        rest = list(batches_of(source, ref.name, plan, after=batches[0].after))
        assert locators_of(rest) == locators_of(batches[1:])
        assert source.fetch(ref, pa.array([7, 9], pa.int64()), plan, ReadContext()).num_rows == 2
        assert source.count(ref, ReadContext()).rows == 40
        found = source.measure(ref, MeasureRequest((other(name),), (name,)), ReadContext())
        assert (found.dims, found.nulls) == ({other(name): {2: 40}}, {name: 0})
    assert database.execute("SELECT count(*) FROM witness") == [(0,)]


def other(name: str) -> str:
    """Another name of the same kind that is not longer."""
    return name[:0:-1] + "v"


def make(database: Database, table: TableName, name: str) -> None:
    parts = {
        "schema": sql.Identifier(name),
        "table": table.identifier,
        "label": sql.Literal(name),
        "key": sql.Identifier(name),
        "vector": sql.Identifier(other(name)),
    }
    statements = (
        "CREATE SCHEMA {schema}",
        "CREATE TYPE {schema}.mood AS ENUM ({label})",
        "CREATE TABLE {table} ({key} bigint PRIMARY KEY, {vector} vector(2), label {schema}.mood)",
        "INSERT INTO {table} SELECT g, '[1,2]', {label} FROM generate_series(1, 40) g",
    )
    with database.connect() as connection:
        for statement in statements:
            connection.execute(sql.SQL(statement).format(**parts))


@pytest.mark.parametrize(
    "value",
    ["'", "\\", '"', "{}", ",", "NULL", "", " ", "'); DROP TABLE witness; --", "\\'", "漢", "%s", "{c}"],
)
def test_no_part_of_a_key_is_run_as_sql(database: Database, value: str) -> None:
    """The value is used in a cursor and in a fetch."""
    database.execute("DROP TABLE IF EXISTS valued; CREATE TABLE valued (k text PRIMARY KEY, v vector(2))")
    database.execute("INSERT INTO valued VALUES (%s, '[1,2]'), (%s, '[1,2]')", (value, value + "z"))
    ref = CollectionRef("public.valued")
    with opened(database) as source:
        plan = plan_of(source, ref.name)
        (part,) = source.slices(ref, 1, ReadContext())
        rest = list(source.read(ref, part, [value], plan, ReadContext()))
        assert locators_of(rest) == [value + "z"]
        assert source.fetch(ref, pa.array([value]), plan, ReadContext()).column("k").to_pylist() == [value]
    assert database.execute("SELECT count(*) FROM witness") == [(0,)]


@pytest.mark.parametrize(
    "name",
    ["nowhere", "", "a.b.c", "public.items; DROP TABLE witness", 'public."', "public.\0", "public.\ud800"],
)
def test_an_invalid_table_name_is_reported_as_missing(database: Database, name: str) -> None:
    with opened(database) as source, pytest.raises(SourceChanged):
        source.describe(CollectionRef(name), 100, ReadContext())


def test_an_invalid_column_name_is_reported_as_missing(database: Database) -> None:
    database.execute("DROP TABLE IF EXISTS valued; CREATE TABLE valued (k text PRIMARY KEY, v vector(2))")
    column = ReadColumn('k"; DROP TABLE witness; --', TypeSpec(MilvusType.VARCHAR))
    with opened(database) as source, pytest.raises(SourceChanged):
        list(batches_of(source, "public.valued", ReadPlan((column,))))
