"""Ranges and multiranges, as JSON objects.

``{"empty": false, "lower": 1, "upper": 5, "lower_inclusive": true, "upper_inclusive": false}``. A null end is
unbounded. A multirange is ``{"ranges": [...]}``.
"""

from __future__ import annotations

from typing import LiteralString

from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.sources.postgresql.types.family import Family, Reading
from migrations_app.engine.sources.postgresql.types.json import unless_null


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
