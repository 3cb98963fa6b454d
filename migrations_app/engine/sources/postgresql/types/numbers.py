"""Integers, floats, numeric and boolean."""

from __future__ import annotations

from typing import LiteralString

from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.sources.postgresql.types.family import (
    TEXT,
    Family,
    Reading,
    UnreadableValues,
    only_for_keys,
)

T = MilvusType

# The largest DOUBLE (numbers close to it are rounded to it). PostgreSQL raises an error if a numeric is too
# large or too close to zero for a DOUBLE.
_TOO_LARGE: LiteralString = (
    "abs({c}) > 1.7976931348623158e308 AND {c}::text NOT IN ('NaN', 'Infinity', '-Infinity')"
)
_DOUBLE: LiteralString = (
    "CASE WHEN " + _TOO_LARGE + " THEN NULL"
    " WHEN {c} <> 0 AND abs({c}) < 4.9406564584124655e-324 THEN 0::float8"
    " ELSE {c}::float8 END"
)
_LONG = Reading(T.INT64, suits=only_for_keys)
_PART = Reading(T.VARCHAR, TEXT, suits=only_for_keys)

NUMBERS: dict[str, Family] = {
    "int8": Family((Reading(T.INT64), _PART), can_be_key=True),
    "int4": Family((Reading(T.INT32), _LONG, _PART), can_be_key=True),
    "int2": Family((Reading(T.INT16), _LONG, _PART), can_be_key=True),
    "oid": Family((Reading(T.INT64, "{c}::int8"), _PART)),
    "float8": Family((Reading(T.DOUBLE),)),
    "float4": Family((Reading(T.FLOAT),)),
    "bool": Family((Reading(T.BOOL), _PART)),
    "numeric": Family(
        (
            Reading(T.VARCHAR, TEXT, note="Exact, as text."),
            Reading(
                T.DOUBLE,
                _DOUBLE,
                unreadable=UnreadableValues(_TOO_LARGE, "out_of_range", "is outside the range of a DOUBLE"),
                note="Rounded to about 15 digits; a row with a number above 1.8e308 is rejected.",
            ),
        ),
        can_be_key=True,
    ),
}
