"""The table of all families, and what is asked of it."""

from __future__ import annotations

from dataclasses import replace

from migrations_app.engine.connectors.postgres.catalogue import Column
from migrations_app.engine.connectors.postgres.types.arrays import ARRAYS
from migrations_app.engine.connectors.postgres.types.documents import DOCUMENTS
from migrations_app.engine.connectors.postgres.types.numbers import NUMBERS
from migrations_app.engine.connectors.postgres.types.reading import TEXT, Family, Reading
from migrations_app.engine.connectors.postgres.types.texts import AS_TEXT, TEXTS
from migrations_app.engine.connectors.postgres.types.times import TIMES
from migrations_app.engine.connectors.postgres.types.vectors import VECTORS
from migrations_app.engine.schema import MilvusType, TypeChoice, TypeSpec

FAMILIES: dict[str, Family] = {**VECTORS, **NUMBERS, **TEXTS, **TIMES, **DOCUMENTS, **ARRAYS}

LEFT_OUT: dict[str, str] = {
    "bytea": "Milvus has no type for raw bytes.",
    "bytea[]": "Milvus has no type for raw bytes.",
    "halfvec": "Half-precision vectors are not read yet.",
    "sparsevec": "Sparse vectors are not read yet.",
    "bit": "Bit strings are not read yet.",
    "varbit": "Bit strings are not read yet.",
}

_LENGTH_HEADER = 4


def readings_of(column: Column) -> tuple[Reading, ...]:
    """The offered ways to read a column; none where it is left out."""
    family = FAMILIES.get(column.family)
    if family is None or not column.readable:
        return ()
    return tuple(reading for reading in family.readings if reading.offered)


def can_be_key(column: Column) -> bool:
    family = FAMILIES.get(column.family)
    return family is not None and family.can_be_key and column.readable


def left_out(column: Column) -> str:
    """Why a column has no target type, in a sentence."""
    if not column.readable:
        return "The user may not read this column (GRANT SELECT)."
    return LEFT_OUT.get(column.family, f"The type {column.native} is not read yet.")


def key_reading(column: Column) -> Reading:
    """How a column is read where it names a row: as the key it would become, else as its text."""
    family = FAMILIES.get(column.family, AS_TEXT)
    keyed = (
        r for r in family.readings if r.type in (MilvusType.INT64, MilvusType.VARCHAR) and family.can_be_key
    )
    return next(keyed, Reading(MilvusType.VARCHAR, TEXT))


def reading_as(column: Column, spec: TypeSpec) -> Reading | None:
    """The reading that delivers ``spec``; None where the column cannot be read so."""
    family = FAMILIES.get(column.family)
    wanted = (spec.type, spec.element_type)
    return next((r for r in family.readings if (r.type, r.element) == wanted), None) if family else None


def choice_of(column: Column, reading: Reading) -> TypeChoice:
    """What the mapping page offers for a reading."""
    dim = column.typmod if reading.type.is_vector and column.typmod > 0 else None
    choice = TypeChoice(TypeSpec(reading.type, dim, element_type=reading.element), reading.note)
    if column.family in ("varchar", "bpchar") and column.typmod > _LENGTH_HEADER:
        characters = column.typmod - _LENGTH_HEADER
        limit = f"Declared for {characters:,} characters: at most {4 * characters:,} bytes."
        return replace(choice, note=f"{limit} {reading.note}".strip())
    return choice
