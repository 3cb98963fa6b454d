"""Which Milvus types a column may become, and the SQL that reads it so: one table, ``FAMILIES``.

``{c}`` in an expression is the column. The server casts what Arrow lacks; texts are exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import LiteralString

from migrations_app.engine.connectors.postgres.catalogue import Column
from migrations_app.engine.connectors.postgres.convert import Converter, plain, vector
from migrations_app.engine.schema import MilvusType, TypeChoice, TypeSpec

T = MilvusType


@dataclass(frozen=True, slots=True)
class Misfit:
    """Values that this reading cannot take: those for which ``condition`` holds are rejected. ``reason`` goes
    on after the column's name."""

    condition: LiteralString
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a column. ``offered`` is False for a type that only a key is read as."""

    type: MilvusType
    sql: LiteralString = "{c}"
    element: MilvusType | None = None
    convert: Converter = plain
    misfit: Misfit | None = None
    note: str = ""
    offered: bool = True


@dataclass(frozen=True, slots=True)
class Family:
    """One native type: its readings, the proposed one first, and whether it may be a key."""

    readings: tuple[Reading, ...]
    can_be_key: bool = False


TEXT: LiteralString = "{c}::text"

# The doubles end here; PostgreSQL raises an error for a numeric beyond either end.
_DOUBLE: LiteralString = (
    "CASE WHEN {c} = 'NaN'::numeric THEN 'NaN'::float8"
    " WHEN abs({c}) > 1.7976931348623158e308 THEN sign({c})::float8 * 'Infinity'::float8"
    " WHEN {c} <> 0 AND abs({c}) < 4.9406564584124655e-324 THEN 0::float8"
    " ELSE {c}::float8 END"
)


def _iso(value: LiteralString, zone: LiteralString) -> LiteralString:
    """ISO 8601 with microseconds; PostgreSQL's own text where ISO has none."""
    return (
        "CASE WHEN {c} >= '0001-01-01' AND {c} < '10000-01-01' THEN to_char("
        + value
        + """, 'YYYY-MM-DD"T"HH24:MI:SS.US')"""
        + zone
        + " ELSE {c}::text END"
    )


# Floored: date_trunc cuts towards the past on both sides of 1970.
_MILLISECONDS: LiteralString = (
    "CASE WHEN isfinite({c}) THEN (EXTRACT(epoch FROM date_trunc('milliseconds', {c})) * 1000)::bigint END"
)
_INFINITE = Misfit("NOT isfinite({c})", "not_finite", "is infinity, which is no point in time")
_ISO_NOTE = "ISO 8601 with microseconds; before year 1 and after 9999 as PostgreSQL writes it."
_MILLISECONDS_NOTE = "Milliseconds since 1970 UTC, rounded down; a row with infinity is rejected."

_TEXT = Family((Reading(T.VARCHAR),), can_be_key=True)
_AS_TEXT = Family((Reading(T.VARCHAR, TEXT),), can_be_key=True)
_JSON = Family((Reading(T.JSON, TEXT),))
_LONG = Reading(T.INT64, offered=False)

# The driver would read it as one flat list. A NULL in an array is left to the mapping to reject.
_NOT_FLAT = Misfit(
    "array_ndims({c}) > 1", "array_dimensions", "has more than one dimension; an ARRAY has one"
)


def _array(element: MilvusType, cast: LiteralString = "") -> Family:
    """An array. Cutting it out of itself makes it begin at 1, as the driver wants it."""
    column: LiteralString = "({c}" + cast + ")"
    return Family(
        (
            Reading(T.ARRAY, column + "[:]", element, misfit=_NOT_FLAT),
            Reading(T.JSON, "array_to_json" + column + "::text"),
        )
    )


FAMILIES: dict[str, Family] = {
    "vector": Family((Reading(T.FLOAT_VECTOR, convert=vector),)),
    "text": _TEXT,
    "varchar": _TEXT,
    "bpchar": Family(
        (Reading(T.VARCHAR, TEXT, note="The blanks that pad char(n) at its end are left off."),),
        can_be_key=True,
    ),
    "int8": Family((Reading(T.INT64),), can_be_key=True),
    "int4": Family((Reading(T.INT32), _LONG), can_be_key=True),
    "int2": Family((Reading(T.INT16), _LONG), can_be_key=True),
    "float8": Family((Reading(T.DOUBLE),)),
    "float4": Family((Reading(T.FLOAT),)),
    "bool": Family((Reading(T.BOOL),)),
    "date": _AS_TEXT,
    "time": _AS_TEXT,
    "uuid": _AS_TEXT,
    "enum": _AS_TEXT,
    "numeric": Family(
        (
            Reading(T.VARCHAR, TEXT, note="Exact, as text."),
            Reading(T.DOUBLE, _DOUBLE, note="Rounded to about 15 digits."),
        ),
        can_be_key=True,
    ),
    "timestamp": Family(
        (
            Reading(T.VARCHAR, _iso("{c}", ""), note=_ISO_NOTE),
            Reading(T.INT64, _MILLISECONDS, misfit=_INFINITE, note=_MILLISECONDS_NOTE + " Read as UTC."),
        ),
        can_be_key=True,
    ),
    "timestamptz": Family(
        (
            Reading(T.VARCHAR, _iso("{c} AT TIME ZONE 'UTC'", " || '+00:00'"), note=_ISO_NOTE),
            Reading(T.INT64, _MILLISECONDS, misfit=_INFINITE, note=_MILLISECONDS_NOTE),
        )
    ),
    "json": _JSON,
    "jsonb": _JSON,
    "text[]": _array(T.VARCHAR),
    "varchar[]": _array(T.VARCHAR),
    "bpchar[]": _array(T.VARCHAR, "::text[]"),
    "int8[]": _array(T.INT64),
    "int4[]": _array(T.INT32),
    "int2[]": _array(T.INT16),
    "float8[]": _array(T.DOUBLE),
    "float4[]": _array(T.FLOAT),
    "numeric[]": _array(T.VARCHAR, "::text[]"),
    "bool[]": _array(T.BOOL),
}

LEFT_OUT: dict[str, str] = {
    "bytea": "Milvus has no type for raw bytes.",
    "bytea[]": "Milvus has no type for raw bytes.",
    "halfvec": "Half-precision vectors are not read yet.",
    "sparsevec": "Sparse vectors are not read yet.",
    "bit": "Bit strings are not read yet.",
    "varbit": "Bit strings are not read yet.",
}

# pgvector's operator classes; L1 has no counterpart in Milvus.
METRICS: dict[str, str] = {
    "vector_cosine_ops": "COSINE",
    "vector_l2_ops": "L2",
    "vector_ip_ops": "IP",
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
    family = FAMILIES.get(column.family, _AS_TEXT)
    keyed = (r for r in family.readings if r.type in (T.INT64, T.VARCHAR) and family.can_be_key)
    return next(keyed, Reading(T.VARCHAR, TEXT))


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
