"""Edge values of PostgreSQL types: what the source must read for them, compared with what psycopg reads."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from migrations_app.engine.model.batch import Batch, CollectionRef, ReadColumn, ReadPlan
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.postgresql import PostgresSource
from migrations_app.engine.sources.postgresql.connect.settings import PostgresSettings
from tests.engines.postgres import Database

SESSION = "SET timezone = 'UTC'; SET intervalstyle = 'postgres'; SET datestyle = 'ISO'"
Texts = list[str | None]


@dataclass(frozen=True)
class Edge:
    """A native type, the type it is read as, and edge values.

    ``values``: the value that is read for each text that is written. psycopg must agree: either the text that
    PostgreSQL returns, passed through ``text``, or the Python value of psycopg, passed through ``value``.
    """

    native: str
    spec: TypeSpec
    values: dict[str, Any]
    text: Callable[[str], Any] | None = None
    value: Callable[[Any], Any] = lambda value: value

    def __str__(self) -> str:
        return f"{self.native} as {self.spec}"


def varchar(native: str, values: dict[str, Any], text: Callable[[str], Any] = str) -> Edge:
    return Edge(native, TypeSpec(MilvusType.VARCHAR), values, text)


def same(*texts: str) -> dict[str, Any]:
    return {text: text for text in texts}


def array(native: str, element: MilvusType, values: dict[str, Any], **psycopg: Any) -> Edge:
    return Edge(native, TypeSpec(MilvusType.ARRAY, element_type=element), values, **psycopg)


def read(database: Database, native: str, spec: TypeSpec, texts: Texts) -> list[Batch]:
    """Write the texts as ``native`` and read them as ``spec``, in order."""
    with database.connect() as connection:
        write(connection, native, texts)
    plan = ReadPlan((ReadColumn("x", spec),), ("n",))
    ref = CollectionRef("public.edge")
    with PostgresSource(PostgresSettings.model_validate(database.settings)) as source:
        (part,) = source.slices(ref, 1, ReadContext())
        return list(source.read(ref, part, None, plan, ReadContext()))


def write(connection: psycopg.Connection[Any], native: str, texts: Texts) -> None:
    connection.execute("DROP TABLE IF EXISTS edge")
    connection.execute(f"CREATE TABLE edge (n integer PRIMARY KEY, x {native})")  # type: ignore[arg-type]
    insert = sql.SQL("INSERT INTO edge VALUES (%s, %s::text::{})").format(sql.SQL(native))  # type: ignore[arg-type]
    connection.cursor().executemany(insert, list(enumerate(texts)))


def column_of(batches: list[Batch]) -> list[Any]:
    values: list[Any] = pa.Table.from_batches([batch.rows for batch in batches]).column("x").to_pylist()
    return values


def assert_arrives(database: Database, edge: Edge) -> None:
    """Each value is read as the edge states and as psycopg reads it, and NULL as NULL."""
    batches = read(database, edge.native, edge.spec, [*edge.values, None])
    expected = [comparable(value) for value in (*edge.values.values(), None)]
    assert [comparable(value) for value in column_of(batches)] == expected
    assert not any(batch.rejected for batch in batches)
    assert [comparable(value) for value in read_by_psycopg(database, edge)] == expected


def read_by_psycopg(database: Database, edge: Edge) -> list[Any]:
    with database.connect() as connection:
        connection.execute(SESSION)
        cursor = connection.execute("SELECT x FROM edge ORDER BY n")
        if edge.text is None:
            return [None if value is None else edge.value(value) for (value,) in cursor]
        assert cursor.pgresult is not None
        raw = [cursor.pgresult.get_value(row, 0) for row in range(cursor.pgresult.ntuples)]
        return [None if text is None else edge.text(text.decode()) for text in raw]


def comparable(value: Any) -> Any:
    """The value in a form in which NaN equals NaN and −0.0 does not equal 0.0."""
    if isinstance(value, (list, tuple)):
        return [comparable(item) for item in value]
    return repr(value) if isinstance(value, float) else value


def as_float32(number: float) -> float:
    found: float = struct.unpack("f", struct.pack("f", number))[0]
    return found


def numbers_in(text: str) -> list[float]:
    """A vector's text as its float32 numbers."""
    return [as_float32(float(number)) for number in text.strip("[]").split(",")]
