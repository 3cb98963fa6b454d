"""The table of all families, and what is asked of it."""

from __future__ import annotations

from dataclasses import replace
from typing import LiteralString

from migrations_app.engine.model.source_schema import TypeChoice
from migrations_app.engine.model.types import KEY_TYPES, MilvusType, TypeSpec
from migrations_app.engine.sources.postgresql.types.arrays import ARRAYS
from migrations_app.engine.sources.postgresql.types.bits import BITS
from migrations_app.engine.sources.postgresql.types.column import PostgresColumn
from migrations_app.engine.sources.postgresql.types.family import TEXT, Family, Reading
from migrations_app.engine.sources.postgresql.types.geometry import GEOMETRY
from migrations_app.engine.sources.postgresql.types.json import DOCUMENTS
from migrations_app.engine.sources.postgresql.types.numbers import NUMBERS
from migrations_app.engine.sources.postgresql.types.ranges import RANGES
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

_NO_BYTES = "Milvus has no type for raw bytes."
_NO_VECTORS = "Milvus has no arrays of vectors."
_WORDS = "It is made of a text for searching: full-text search makes its like of that text's column."
LEFT_OUT: dict[str, str] = {
    "bytea": _NO_BYTES,
    "bytea[]": _NO_BYTES,
    **{f"{name}[]": _NO_VECTORS for name in (*VECTORS, *SPARSES)},
    "tsvector": _WORDS,
    "money": "Its text depends on the server's language: a view that casts it to numeric takes it along.",
}
_LENGTH_HEADER = 4


def readings_of(column: PostgresColumn) -> tuple[Reading, ...]:
    """The offered ways to read a column; none where it is left out."""
    family = FAMILIES.get(column.family)
    if family is None or not column.readable:
        return ()
    return tuple(reading for reading in family.readings if reading.suits(column))


def can_be_key(column: PostgresColumn) -> bool:
    family = FAMILIES.get(column.family)
    return family is not None and family.can_be_key and column.readable


def metric_of(column: PostgresColumn) -> str | None:
    """The metric of the index over a vector column, in Milvus's name or one that Milvus has no counterpart
    of in that type."""
    family = FAMILIES.get(column.family)
    return family.metrics.get(column.operator_class or "") if family else None


def dims_of(column: PostgresColumn) -> LiteralString:
    """The expression that tells the dimension of a vector. ``{vector_dims}`` is pgvector's function."""
    return FAMILIES[column.family].dims


def left_out(column: PostgresColumn) -> str:
    """Why a column has no target type, in a sentence."""
    if not column.readable:
        return "The user may not read this column (GRANT SELECT)."
    return LEFT_OUT.get(
        column.family, f"Milvus has no type for {column.native}: a view that casts it to text takes it along."
    )


def key_reading(column: PostgresColumn) -> Reading:
    """How a column is read where it names a row: as the key it would become, else as its text."""
    family = FAMILIES.get(column.family, AS_TEXT)
    keyed = (reading for reading in family.readings if reading.type in KEY_TYPES and not reading.misfit)
    return next(keyed, Reading(MilvusType.VARCHAR, TEXT))


def reading_as(column: PostgresColumn, spec: TypeSpec) -> Reading | None:
    """The reading that delivers ``spec``; None where the column cannot be read so."""
    family = FAMILIES.get(column.family)
    wanted = (spec.type, spec.element_type)
    return next((r for r in family.readings if (r.type, r.element) == wanted), None) if family else None


def choice_of(column: PostgresColumn, reading: Reading) -> TypeChoice:
    """What the mapping page offers for a reading."""
    has_dim = reading.type.is_vector and reading.type is not MilvusType.SPARSE_FLOAT_VECTOR
    dim = column.typmod if has_dim and column.typmod > 0 else None
    choice = TypeChoice(TypeSpec(reading.type, dim, element_type=reading.element), reading.note)
    if column.family in ("varchar", "bpchar") and column.typmod > _LENGTH_HEADER:
        characters = column.typmod - _LENGTH_HEADER
        limit = f"Declared for {characters:,} characters: at most {4 * characters:,} bytes."
        return replace(choice, note=f"{limit} {reading.note}".strip())
    return choice
