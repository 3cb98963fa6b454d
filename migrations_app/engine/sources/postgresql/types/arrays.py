"""Arrays. A PostgreSQL array type does not fix the number of dimensions, so each value is checked.

Elements without a Milvus type become texts in an ARRAY. In JSON, each element is the result of ``to_json``.
"""

from __future__ import annotations

from typing import LiteralString

from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.sources.postgresql.types.family import Family, Reading
from migrations_app.engine.sources.postgresql.types.geometry import GEOMETRY
from migrations_app.engine.sources.postgresql.types.json import DOCUMENTS, RANGES
from migrations_app.engine.sources.postgresql.types.number_lists import ARRAY_AS_VECTOR, NOT_FLAT
from migrations_app.engine.sources.postgresql.types.times import iso, iso_utc

T = MilvusType

_JSON = Reading(T.JSON, "array_to_json({c})")
_OWN_TEXTS = "Each element as PostgreSQL writes it."


def _array(
    element: MilvusType,
    texts: LiteralString = "{c}",
    json: Reading = _JSON,
    note: str = "",
    vectors: tuple[Reading, ...] = (),
) -> Family:
    """``texts`` is the SQL for elements that the driver can read. The slice ``[:]`` makes the array begin at
    index 1, as the driver requires."""
    # The mapping rejects arrays with a NULL element.
    array = Reading(T.ARRAY, "(" + texts + ")[:]", element, unreadable=NOT_FLAT, note=note)
    return Family((array, json, *vectors))


def _texts(cast: LiteralString = "{c}::text[]", note: str = "") -> Family:
    return _array(T.VARCHAR, cast, note=note)


def _each(expression: LiteralString) -> LiteralString:
    """The array of ``expression`` for each element ``e``."""
    return "CASE WHEN {c} IS NOT NULL THEN ARRAY(SELECT " + expression + " FROM unnest({c}) AS e) END"


_EXACT_TEXTS = Reading(T.JSON, "array_to_json({c}::text[])")
# The text form of the array, read as an array of texts. For some types, a direct cast changes the elements.
_WRITTEN: LiteralString = "{c}::text::text[]"

ARRAYS: dict[str, Family] = {
    "text[]": _array(T.VARCHAR),
    "varchar[]": _array(T.VARCHAR),
    "name[]": _array(T.VARCHAR),
    "citext[]": _array(T.VARCHAR),
    "enum[]": _array(T.VARCHAR),
    "bpchar[]": _array(T.VARCHAR, "{c}::text[]", _EXACT_TEXTS),
    "int8[]": _array(T.INT64),
    "int4[]": _array(T.INT32),
    "int2[]": _array(T.INT16),
    "oid[]": _array(T.INT64, "{c}::int8[]"),
    "float8[]": _array(T.DOUBLE, vectors=(ARRAY_AS_VECTOR,)),
    "float4[]": _array(T.FLOAT, vectors=(ARRAY_AS_VECTOR,)),
    "bool[]": _array(T.BOOL),
    "numeric[]": _array(T.VARCHAR, "{c}::text[]", _EXACT_TEXTS, "Each element exact, as text."),
    "timestamp[]": _texts(_each(iso("e"))),
    "timestamptz[]": _texts(_each(iso_utc("e"))),
    "inet[]": _texts(_WRITTEN),
    "xml[]": _texts(_WRITTEN),
    **{
        f"{name}[]": _texts()
        for name in ("uuid", "date", "time", "timetz", "interval", "cidr", "macaddr", "macaddr8")
    },
    **{f"{name}[]": _texts() for name in ("bit", "varbit")},
    **{f"{name}[]": Family((_JSON,)) for name in DOCUMENTS},
    **{f"{name}[]": Family((Reading(T.JSON, _JSON.sql, note=_OWN_TEXTS),)) for name in (*RANGES, *GEOMETRY)},
}


def _as_json(family: Family) -> Reading:
    return next(reading for reading in family.readings if reading.type is T.JSON)


# Arrays of a domain over arrays.
ARRAYS |= {f"{name}[]": Family((_as_json(family),)) for name, family in ARRAYS.items()}
