"""Families: the table of all type families, and functions that use it."""

from __future__ import annotations

from dataclasses import replace
from typing import LiteralString

import pyarrow as pa

from migrations_app.engine.model.limits import MAX_LENGTH
from migrations_app.engine.model.source_schema import TypeChoice
from migrations_app.engine.model.types import KEY_TYPES, MilvusType, TypeSpec
from migrations_app.engine.sources.postgresql.types.arrays import ARRAYS
from migrations_app.engine.sources.postgresql.types.bits import BITS
from migrations_app.engine.sources.postgresql.types.column import PostgresColumn
from migrations_app.engine.sources.postgresql.types.family import TEXT, Family, Reading
from migrations_app.engine.sources.postgresql.types.geometry import GEOMETRY
from migrations_app.engine.sources.postgresql.types.json import DOCUMENTS, RANGES
from migrations_app.engine.sources.postgresql.types.number_lists import (
    ARRAY_AS_VECTOR,
    AS_VECTOR,
    usual_dim,
)
from migrations_app.engine.sources.postgresql.types.numbers import NUMBERS
from migrations_app.engine.sources.postgresql.types.sparse import SPARSES
from migrations_app.engine.sources.postgresql.types.texts import AS_TEXT, TEXTS
from migrations_app.engine.sources.postgresql.types.times import TIMES
from migrations_app.engine.sources.postgresql.types.vectors import VECTORS

FAMILIES: dict[str, Family] = {
    **VECTORS,
    **SPARSES,
    **BITS,
    **NUMBERS,
    **TEXTS,
    **TIMES,
    **DOCUMENTS,
    **RANGES,
    **GEOMETRY,
    **ARRAYS,
}

BYTES = "Milvus has no type for raw bytes: choose VARCHAR to move them as hex or base64 text."
_NO_BYTES = (
    "Milvus has no type for raw bytes. To move them, read a view that turns them into text: "
    "“ARRAY(SELECT encode(b, 'hex') FROM unnest(COLUMN) b)”."
)
_NO_VECTORS = "Milvus has no arrays of vectors."
_WORDS = "It is made from a text for searching: use full-text search on the column of that text instead."
LEFT_OUT: dict[str, str] = {
    "bytea": BYTES,
    "bytea[]": _NO_BYTES,
    **{f"{name}[]": _NO_VECTORS for name in (*VECTORS, *SPARSES)},
    "tsvector": _WORDS,
    "money": "Its text depends on the server's language. To move it, read a view that casts it to numeric.",
}
_LENGTH_HEADER = 4
# The most bytes of a text that PostgreSQL writes for a type. A name and a label of an enum have at most 63
# bytes in the encoding of the database.
_MOST_BYTES: dict[str, int] = {
    "uuid": 36,
    "enum": 4 * 63,
    "name": 4 * 63,
    "date": 13,
    "time": 15,
    "timetz": 24,
    "timestamp": 32,
    "timestamptz": 32,
    "inet": 43,
    "cidr": 43,
    "macaddr": 17,
    "macaddr8": 23,
}


def readings_of(column: PostgresColumn) -> tuple[Reading, ...]:
    """The ways to read a column that the user can choose. Empty if the column is left out."""
    family = FAMILIES.get(column.family)
    if family is None or not column.readable:
        return ()
    return tuple(reading for reading in family.readings if reading.suits(column))


def can_be_key(column: PostgresColumn) -> bool:
    family = FAMILIES.get(column.family)
    return family is not None and family.can_be_key and column.readable


def metrics_of(column: PostgresColumn, operator_class: str) -> tuple[str, ...]:
    """Return the metric of an index with this operator class on a vector column; nothing if it
    compares something else, such as the bits of a quantized vector. Milvus may not support the metric."""
    family = FAMILIES.get(column.family)
    metric = family.metrics.get(operator_class) if family else None
    return (metric,) if metric else ()


def dims_of(column: PostgresColumn) -> LiteralString:
    """The SQL expression for the dimension of a vector. ``{vector_dims}`` is pgvector's function."""
    return FAMILIES[column.family].dims


def left_out(column: PostgresColumn) -> str:
    """The reason why a column has no target type, as a sentence."""
    if not column.readable:
        return "The user may not read this column (GRANT SELECT)."
    return LEFT_OUT.get(
        column.family,
        f"Milvus has no type for {column.native}: to move it, read a view that casts it to text.",
    )


def key_reading(column: PostgresColumn) -> Reading:
    """The reading of a column whose value names a row: the type it has as a key, or else its text."""
    family = FAMILIES.get(column.family, AS_TEXT)
    keyed = (reading for reading in family.readings if reading.type in KEY_TYPES and not reading.unreadable)
    return next(keyed, Reading(MilvusType.VARCHAR, TEXT))


def reading_as(column: PostgresColumn, spec: TypeSpec, encoding: str = "") -> Reading | None:
    """Return the reading that delivers ``spec`` (raw bytes in this encoding), or None if the column cannot be
    read as that type.

    Parts of keys and values of partitions have neither a length nor an encoding: raw bytes are read as hex.
    """
    family = FAMILIES.get(column.family)
    wanted = (spec.type, spec.element_type)
    is_any = not encoding and spec.max_length is None
    for reading in family.readings if family else ():
        if (reading.type, reading.element) == wanted and (is_any or reading.encoding == encoding):
            return reading
    return None


def may_hold_vectors(column: PostgresColumn) -> bool:
    """True if the column has another type than a vector, but its values may be lists of numbers."""
    family = FAMILIES.get(column.family)
    return family is not None and any(r in (AS_VECTOR, ARRAY_AS_VECTOR) for r in family.readings)


def vector_choice(column: PostgresColumn, sample: pa.Array) -> TypeChoice | None:
    """Return the choice of a vector for a column of another type, if most values in the sample are lists of
    as many numbers; else None."""
    values = len(sample) - sample.null_count
    dim, fitting = usual_dim(sample) if may_hold_vectors(column) else (0, 0)
    if 2 * fitting <= values:
        return None
    some = "All" if fitting == values else f"{fitting:,} of {values:,}"
    note = f"{some} sampled values are lists of {dim:,} numbers. Rows with any other value are rejected."
    return TypeChoice(TypeSpec(MilvusType.FLOAT_VECTOR, dim), note, is_proposed=False)


def choice_of(column: PostgresColumn, reading: Reading) -> TypeChoice:
    """Return the type choice that the mapping page offers for a reading."""
    has_dim = reading.type.is_vector and reading.type is not MilvusType.SPARSE_FLOAT_VECTOR
    dim = column.typmod if has_dim and column.typmod > 0 else None
    is_text = MilvusType.VARCHAR in (reading.type, reading.element)
    length = most_bytes(column) if is_text else None
    spec = TypeSpec(
        reading.type, dim, length if length and length <= MAX_LENGTH else None, element_type=reading.element
    )
    choice = TypeChoice(
        spec,
        reading.note,
        is_proposed=reading.is_proposed,
        is_distinct=reading.is_distinct,
        encoding=reading.encoding,
    )
    if is_text and (characters := _declared_characters(column)):
        limit = f"Declared for {characters:,} characters: at most {length:,} bytes."
        return replace(choice, note=f"{limit} {reading.note}".strip())
    return choice


def _declared_characters(column: PostgresColumn) -> int | None:
    """The ``n`` of a ``varchar(n)`` or ``char(n)``, or of the elements of an array of them."""
    is_limited = column.family.removesuffix("[]") in ("varchar", "bpchar")
    return column.typmod - _LENGTH_HEADER if is_limited and column.typmod > _LENGTH_HEADER else None


def most_bytes(column: PostgresColumn) -> int | None:
    """The most bytes that the type of a text, or of the elements of an array, allows; None if unlimited."""
    item = column.family.removesuffix("[]")
    if characters := _declared_characters(column):
        return 4 * characters
    if item in ("bit", "varbit"):
        return column.typmod if column.typmod > 0 else None
    return _MOST_BYTES.get(item)
