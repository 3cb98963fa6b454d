"""What becomes JSON as it is: json, jsonb, hstore and composite types.

PostgreSQL writes the JSON (``to_json``): numbers are exact, a float that is NaN or infinite is the text
"NaN", "Infinity" or "-Infinity", points in time are ISO 8601, anything that JSON has no form for is
PostgreSQL's own text. The driver takes json and jsonb for what they are: no cast.
"""

from __future__ import annotations

from typing import LiteralString

from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.sources.postgresql.types.family import Family, Reading

_JSON = Family((Reading(MilvusType.JSON),))

DOCUMENTS: dict[str, Family] = {
    "json": _JSON,
    "jsonb": _JSON,
    "hstore": Family((Reading(MilvusType.JSON, "{c}::json", note="An object of texts and nulls."),)),
    "composite": Family((Reading(MilvusType.JSON, "to_json({c})", note="An object with a key a column."),)),
}


def unless_null(document: LiteralString) -> LiteralString:
    """``document`` made of a column's parts, NULL where the column is."""
    return "CASE WHEN {c} IS NOT NULL THEN " + document + " END"
