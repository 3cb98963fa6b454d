"""Filters: from Qdrant's JSON to those of the engine."""

from typing import Any

import qdrant_edge as edge

from migrations_app.demo.qdrant.refusals import bad_format, invalid
from migrations_app.demo.qdrant.releases import Release

Json = Any

NO_CONDITION = (
    'Expected some form of condition, which can be a field condition (like {"key": ..., "match": ... }), or '
    "some other mentioned in the documentation: "
    "https://qdrant.tech/documentation/concepts/filtering/#filtering-conditions"
)
CLAUSES = {"must", "should", "must_not", "min_should"}


def to_filter(json: Json, release: Release) -> edge.Filter | None:
    """Return the engine's filter; None if there is none."""
    if not json:
        return None
    try:
        return _filter(json, release)
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise bad_format(NO_CONDITION) from fault


def conditions_of(json: Json) -> list[Json]:
    """The conditions of a filter and of the filters inside it."""
    found: list[Json] = []
    for clause in CLAUSES & set(json or {}):
        given = json[clause]["conditions"] if clause == "min_should" else json[clause] or []
        for condition in given if isinstance(given, list) else [given]:
            inner = condition["nested"]["filter"] if "nested" in condition else condition
            found += conditions_of(inner) if CLAUSES & set(inner) else [condition]
    return found


def keys_of(conditions: list[Json]) -> list[str]:
    """The keys of the payload that the conditions ask for."""
    named = [condition["key"] for condition in conditions if "key" in condition]
    tests = ("is_empty", "is_null")
    return named + [
        each[test]["key"] for each in conditions for test in tests if isinstance(each.get(test), dict)
    ]


def values_of(condition: Json) -> int:
    """How many values a condition lists."""
    match = condition.get("match") or {}
    return len(condition.get("has_id") or match.get("any") or match.get("except") or ())


def _filter(json: Json, release: Release) -> edge.Filter:
    def conditions(name: str) -> list[Any] | None:
        given = json.get(name)
        if given is None:
            return None
        return [_condition(each, release) for each in (given if isinstance(given, list) else [given])]

    at_least = json.get("min_should")
    return edge.Filter(
        must=conditions("must"),
        should=conditions("should"),
        must_not=conditions("must_not"),
        min_should=None
        if at_least is None
        else edge.MinShould([_condition(x, release) for x in at_least["conditions"]], at_least["min_count"]),
    )


def _condition(json: Json, release: Release) -> Any:
    if "key" in json:
        return _field(json)
    if "is_empty" in json:
        return edge.IsEmptyCondition(json["is_empty"]["key"])
    if "is_null" in json:
        return edge.IsNullCondition(json["is_null"]["key"])
    if "has_id" in json:
        return edge.HasIdCondition(set(json["has_id"]))
    if "has_vector" in json and release.has_vector_filter:
        return edge.HasVectorCondition(json["has_vector"])
    if "slice" in json and release.has_slices:
        total, index = json["slice"]["total"], json["slice"]["index"]
        if index >= total > 0:
            raise invalid("slice", "Slice index must be less than the total number of slices")
        return edge.SliceCondition(total, index)
    if "nested" in json:
        return edge.NestedCondition(json["nested"]["key"], _filter(json["nested"]["filter"], release))
    if CLAUSES & set(json):
        return _filter(json, release)
    raise bad_format(NO_CONDITION)


def _field(json: Json) -> edge.FieldCondition:
    def made(name: str, make: Any) -> Any:
        return None if json.get(name) is None else make(json[name])

    return edge.FieldCondition(
        json["key"],
        match=made("match", _match),
        range=made("range", _range),
        geo_bounding_box=made(
            "geo_bounding_box",
            lambda x: edge.GeoBoundingBox(_point(x["top_left"]), _point(x["bottom_right"])),
        ),
        geo_radius=made("geo_radius", lambda x: edge.GeoRadius(_point(x["center"]), x["radius"])),
        values_count=made("values_count", lambda x: edge.ValuesCount(**_given(x))),
        is_empty=json.get("is_empty"),
        is_null=json.get("is_null"),
    )


MATCHES = {
    "value": edge.MatchValue,
    "text": edge.MatchText,
    "text_any": edge.MatchTextAny,
    "phrase": edge.MatchPhrase,
    "prefix": edge.MatchPrefix,
    "substring": edge.MatchSubstring,
    "any": edge.MatchAny,
    "except": edge.MatchExcept,
}


def _match(json: Json) -> Any:
    name = next(name for name in MATCHES if name in json)
    return MATCHES[name](json[name])


def _range(json: Json) -> Any:
    bounds = _given(json)
    is_time = any(isinstance(bound, str) for bound in bounds.values())
    return edge.RangeDateTime(**bounds) if is_time else edge.RangeFloat(**bounds)


def _point(json: Json) -> edge.GeoPoint:
    return edge.GeoPoint(json["lon"], json["lat"])


def _given(json: Json) -> dict[str, Any]:
    return {name: value for name, value in json.items() if value is not None}
