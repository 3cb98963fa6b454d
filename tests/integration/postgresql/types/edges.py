"""Values at the edge of a type, written by a real PostgreSQL: what must arrive for them, and what psycopg
makes of them on its own.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from migrations_app.engine.model.batch import Batch, CollectionRef, ReadColumn, ReadPlan
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.sources.base import ReadContext
from migrations_app.engine.sources.postgresql import PostgresSource
from migrations_app.engine.sources.postgresql.connect.settings import PostgresSettings
from tests.engines.postgres import Database

SESSION = "SET timezone = 'UTC'; SET intervalstyle = 'postgres'; SET datestyle = 'ISO'"
Texts = list[str | None]


@dataclass(frozen=True)
class Edge:
    """``values``: what is read for what is written. psycopg must agree: with the text that PostgreSQL itself
    writes for the value, passed through ``text``, or else with the Python value it makes of it, passed
    through ``value``."""

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
    """These texts, written as ``native`` and read as ``spec``, in their order."""
    with database.connect() as connection:
        write(connection, native, texts)
    plan = ReadPlan((ReadColumn("x", spec),), ("n",))
    ref = CollectionRef("public.edge")
    with PostgresSource(PostgresSettings.model_validate(database.settings)) as source:
        (part,) = source.slices(ref, 1)
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
    """Every value arrives as the table says and as psycopg reads it, and NULL as NULL."""
    batches = read(database, edge.native, edge.spec, [*edge.values, None])
    expected = [told(value) for value in (*edge.values.values(), None)]
    assert [told(value) for value in column_of(batches)] == expected
    assert not any(batch.rejected for batch in batches)
    assert [told(value) for value in read_by_psycopg(database, edge)] == expected


def read_by_psycopg(database: Database, edge: Edge) -> list[Any]:
    with database.connect() as connection:
        connection.execute(SESSION)
        cursor = connection.execute("SELECT x FROM edge ORDER BY n")
        if edge.text is None:
            return [None if value is None else edge.value(value) for (value,) in cursor]
        assert cursor.pgresult is not None
        raw = [cursor.pgresult.get_value(row, 0) for row in range(cursor.pgresult.ntuples)]
        return [None if text is None else edge.text(text.decode()) for text in raw]


def told(value: Any) -> Any:
    """NaN equal to itself, −0.0 unequal to 0.0."""
    if isinstance(value, (list, tuple)):
        return [told(item) for item in value]
    return repr(value) if isinstance(value, float) else value


def as_float32(number: float) -> float:
    found: float = struct.unpack("f", struct.pack("f", number))[0]
    return found


def numbers_in(text: str) -> list[float]:
    """A vector's text as its float32 numbers."""
    return [as_float32(float(number)) for number in text.strip("[]").split(",")]
