"""JSON types: json, jsonb, hstore, composite types, ranges and multiranges.

PostgreSQL writes the JSON (``to_json``): numbers are exact, a float that is NaN or infinite is the text
"NaN", "Infinity" or "-Infinity", timestamps are ISO 8601, and a type without a JSON form is PostgreSQL's
text. The driver can read json and jsonb without a cast.

A range is ``{"empty": false, "lower": 1, "upper": 5, "lower_inclusive": true, "upper_inclusive": false}``. A
null end is unbounded. A multirange is ``{"ranges": [...]}``.
"""

from __future__ import annotations

from typing import LiteralString

from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.sources.postgresql.types.family import Family, Reading
from migrations_app.engine.sources.postgresql.types.number_lists import AS_VECTOR

_JSON = Family((Reading(MilvusType.JSON), AS_VECTOR))

DOCUMENTS: dict[str, Family] = {
    "json": _JSON,
    "jsonb": _JSON,
    "hstore": Family((Reading(MilvusType.JSON, "{c}::json", note="An object of texts and nulls."),)),
    "composite": Family(
        (Reading(MilvusType.JSON, "to_json({c})", note="An object with one key per column."),)
    ),
}


def unless_null(document: LiteralString) -> LiteralString:
    """Return ``document``, the SQL for an object of a column's parts, but NULL if the column is NULL."""
    return "CASE WHEN {c} IS NOT NULL THEN " + document + " END"


def _range(r: LiteralString) -> LiteralString:
    pairs: tuple[LiteralString, ...] = (
        "'empty', isempty(" + r + ")",
        "'lower', lower(" + r + ")",
        "'upper', upper(" + r + ")",
        "'lower_inclusive', lower_inc(" + r + ")",
        "'upper_inclusive', upper_inc(" + r + ")",
    )
    return "json_build_object(" + ", ".join(pairs) + ")"


_MULTIRANGE: LiteralString = (
    "json_build_object('ranges', COALESCE((SELECT json_agg("
    + _range("r")
    + ") FROM unnest({c}) AS r), '[]'))"
)
_NOTE = "An object: empty, lower, upper, lower_inclusive, upper_inclusive; a null end is unbounded."

RANGES: dict[str, Family] = {
    "range": Family((Reading(MilvusType.JSON, unless_null(_range("{c}")), note=_NOTE),)),
    "multirange": Family(
        (Reading(MilvusType.JSON, unless_null(_MULTIRANGE), note="An object with its ranges as a list."),)
    ),
}
