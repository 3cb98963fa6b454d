"""Geometric types, as JSON objects of exact float8 numbers.

A coordinate that is NaN or infinite becomes the text "NaN", "Infinity" or "-Infinity". Shapes without
functions for their parts are parsed from their text form, in which numbers are exact, too.
"""

from __future__ import annotations

from typing import LiteralString

from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.sources.postgresql.types.family import Family, Reading
from migrations_app.engine.sources.postgresql.types.json import unless_null


def _point(p: LiteralString) -> LiteralString:
    return "json_build_object('x', (" + p + ")[0], 'y', (" + p + ")[1])"


def _ends(first: LiteralString, second: LiteralString) -> LiteralString:
    """The object for an lseg or a box: each consists of two points."""
    return (
        "json_build_object('"
        + first
        + "', "
        + _point("({c})[0]")
        + ", '"
        + second
        + "', "
        + _point("({c})[1]")
        + ")"
    )


_LINE: LiteralString = (
    "(SELECT json_build_object('a', n[1], 'b', n[2], 'c', n[3]) FROM (SELECT {c}::text::float8[] AS n) AS l)"
)
_POINTS: LiteralString = (
    "(SELECT json_agg(json_build_object('x', n[2 * i - 1], 'y', n[2 * i]) ORDER BY i) FROM"
    " (SELECT string_to_array(translate({c}::text, '()[]', ''), ',')::float8[] AS n) AS numbers,"
    " generate_series(1, cardinality(n) / 2) AS i)"
)


def _shape(document: LiteralString, note: str) -> Family:
    return Family((Reading(MilvusType.JSON, unless_null(document), note=note),))


GEOMETRY: dict[str, Family] = {
    "point": _shape(_point("{c}"), "An object: x, y."),
    "line": _shape(_LINE, "An object: a, b, c of ax + by + c = 0."),
    "lseg": _shape(_ends("start", "end"), "An object: start and end, each x, y."),
    "box": _shape(_ends("high", "low"), "An object: the corners high and low, each x, y."),
    "path": _shape(
        "json_build_object('closed', isclosed({c}), 'points', " + _POINTS + ")",
        "An object: closed, and points, each x, y.",
    ),
    "polygon": _shape("json_build_object('points', " + _POINTS + ")", "An object: points, each x, y."),
    "circle": _shape(
        "json_build_object('center', " + _point("center({c})") + ", 'radius', radius({c}))",
        "An object: center (x, y), radius.",
    ),
}
