"""Demo database: three tables to migrate, and two that show which tables cannot be selected and why."""

import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types import TypeInfo
from psycopg.types.enum import EnumInfo, register_enum
from psycopg.types.json import Jsonb

from migrations_app.demo.dataset import DocKind, Library, read_library
from migrations_app.demo.embedder import DIMENSIONS, embed

SCHEMA = f"""
CREATE EXTENSION vector;
CREATE TYPE kind AS ENUM ('module', 'class', 'function', 'method');
CREATE TABLE docs (
    id bigint PRIMARY KEY,
    module text NOT NULL,
    name varchar(250) NOT NULL,
    kind kind NOT NULL,
    signature text,
    text text NOT NULL,
    length integer NOT NULL,
    tags text[] NOT NULL,
    meta jsonb NOT NULL,
    changed_on date NOT NULL,
    embedding vector({DIMENSIONS}) NOT NULL
);
COMMENT ON TABLE docs IS 'The documentation of Python''s standard library';
CREATE TABLE lines (
    id bigint PRIMARY KEY,
    doc bigint NOT NULL REFERENCES docs,
    text text NOT NULL,
    embedding vector({DIMENSIONS}) NOT NULL
);
COMMENT ON TABLE lines IS 'The same texts line by line: enough rows to watch a job, and to cancel it';
CREATE TABLE examples (
    module text,
    line integer,
    typed text NOT NULL,
    answer text,
    embedding vector({DIMENSIONS}) NOT NULL,
    PRIMARY KEY (module, line)
);
COMMENT ON TABLE examples IS 'Examples from docstrings, with a key of two columns';
CREATE TABLE modules (name text PRIMARY KEY, lines integer NOT NULL, docs integer NOT NULL);
COMMENT ON TABLE modules IS 'A table without vectors: it cannot be migrated';
CREATE TABLE questions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    text text NOT NULL,
    embedding vector({DIMENSIONS})
);
COMMENT ON TABLE questions IS 'An empty table';
"""
INDEXES = """
CREATE INDEX ON docs USING ivfflat (embedding vector_cosine_ops) WITH (lists = 64);
ANALYZE;
"""
MAX_LINES = 80_000
MIN_CHARACTERS = 12
COLUMNS = {
    "docs": "int8 text varchar kind text text int4 text[] jsonb date vector",
    "lines": "int8 int8 text vector",
    "examples": "text int4 text text vector",
    "modules": "text int4 int4",
}


def fill(url: str) -> int:
    """Create and fill all tables in one transaction, unless they exist. Return the row count of `docs`."""
    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass('docs')").fetchone() == (None,):
            connection.execute(SCHEMA)
            _register_types(connection)
            library = read_library()
            _copy(connection, "docs", _docs(library))
            _copy(connection, "lines", _lines(library))
            _copy(connection, "examples", _examples(library))
            _copy(connection, "modules", _modules(library))
            connection.execute(INDEXES)
        return int(connection.execute("SELECT count(*) FROM docs").fetchone()[0])  # type: ignore[index]


def _docs(library: Library) -> Iterable[tuple[Any, ...]]:
    vectors = embed([f"{doc.name} {doc.text}" for doc in library.docs])
    for number, (doc, vector) in enumerate(zip(library.docs, vectors, strict=True), start=1):
        yield (
            number, doc.module, doc.name, doc.kind, doc.signature, doc.text, len(doc.text), doc.tags,
            Jsonb(doc.meta), doc.changed_on, vector,
        )  # fmt: skip


def _lines(library: Library) -> Iterable[tuple[Any, ...]]:
    lines = [
        (doc, line.strip())
        for doc, page in enumerate(library.docs, start=1)
        for line in page.text.splitlines()
        if len(line.strip()) >= MIN_CHARACTERS
    ][:MAX_LINES]
    vectors = embed([line for _, line in lines])
    for number, ((doc, line), vector) in enumerate(zip(lines, vectors, strict=True), start=1):
        yield number, doc, line, vector


def _examples(library: Library) -> Iterable[tuple[Any, ...]]:
    unique = {(example.module, example.line): example for example in library.examples}
    vectors = embed([f"{example.typed} {example.answer}" for example in unique.values()])
    for example, vector in zip(unique.values(), vectors, strict=True):
        yield example.module, example.line, example.typed, example.answer, vector


def _modules(library: Library) -> Iterable[tuple[Any, ...]]:
    for name, lines in library.lines_by_module.items():
        yield name, lines, sum(doc.module == name for doc in library.docs)


def _copy(connection: psycopg.Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT BINARY)".encode()) as copy:
        copy.set_types(COLUMNS[table].split())
        for row in rows:
            copy.write_row(row)


class VectorDumper(Dumper):
    """Writes a numpy row in pgvector's binary format: int16 dimensions, int16 0, then big-endian float32."""

    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        vector: bytes = obj.astype(">f4").tobytes()
        return struct.pack(">HH", len(obj), 0) + vector


def _register_types(connection: psycopg.Connection) -> None:
    """Register the types that PostgreSQL itself does not have, so that this connection can write them."""
    vector = TypeInfo.fetch(connection, "vector")
    kind = EnumInfo.fetch(connection, "kind")
    assert vector is not None
    assert kind is not None
    vector.register(connection)
    register_enum(kind, connection, DocKind, mapping={each: each.value for each in DocKind})
    dumper = type("VectorDumper", (VectorDumper,), {"oid": vector.oid})
    connection.adapters.register_dumper(np.ndarray, dumper)
