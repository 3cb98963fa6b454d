"""Geometric types: they are read as JSON objects of their numbers."""

import json
import re
from typing import Any

import pytest

from migrations_app.engine.model.types import MilvusType, TypeSpec
from tests.engines.postgres import Database
from tests.integration.postgresql.types.edges import Edge, column_of, comparable, read, read_by_psycopg

JSON = TypeSpec(MilvusType.JSON)


def point(x: Any, y: Any) -> dict[str, Any]:
    return {"x": x, "y": y}


SHAPES: dict[str, dict[str, dict[str, Any]]] = {
    "point": {
        "(0.1,-2)": point(0.1, -2), "(5e-324,1.7976931348623157e308)": point(5e-324, 1.7976931348623157e308),
        "(NaN,-Infinity)": point("NaN", "-Infinity"),
    },
    "line": {"{1,-1,0.1}": {"a": 1, "b": -1, "c": 0.1}},
    "lseg": {"[(0.1,2),(3,4)]": {"start": point(0.1, 2), "end": point(3, 4)}},
    "box": {"(0.1,2),(3,4)": {"high": point(3, 4), "low": point(0.1, 2)}},
    "path": {
        "[(0,0),(0.1,1e300)]": {"closed": False, "points": [point(0, 0), point(0.1, 1e300)]},
        "((1,2),(NaN,4))": {"closed": True, "points": [point(1, 2), point("NaN", 4)]},
        "((1,2))": {"closed": True, "points": [point(1, 2)]},
    },
    "polygon": {"((0,0),(1,0),(0.5,5e-324))": {"points": [point(0, 0), point(1, 0), point(0.5, 5e-324)]}},
    "circle": {"<(0.1,2),3>": {"center": point(0.1, 2), "radius": 3}},
}  # fmt: skip


@pytest.fixture(scope="module")
def database(pg: Database) -> Database:
    pg.execute("CREATE DOMAIN place AS point; CREATE DOMAIN area AS polygon")
    return pg


@pytest.mark.parametrize("native", SHAPES)
def test_shapes_are_objects_of_their_numbers(database: Database, native: str) -> None:
    shapes = SHAPES[native]
    found = column_of(read(database, native, JSON, [*shapes, None]))
    assert found.pop() is None
    assert [json.loads(text) for text in found] == list(shapes.values())
    theirs = read_by_psycopg(database, Edge(native, JSON, {}, numbers_in))[:-1]
    assert [numbers_in(text) for text in found] == theirs


def numbers_in(text: str) -> list[str]:
    """The exact numbers of a shape in order. A JSON object contains them in the same order."""
    return [repr(float(n)) for n in re.findall(r"-?(?:Infinity|NaN|\d[\d.]*(?:e[+-]?\d+)?)", text)]


def test_a_negative_zero_stays_negative(database: Database) -> None:
    assert column_of(read(database, "point", JSON, ["(-0,0)"])) == ['{"x" : -0, "y" : 0}']


@pytest.mark.parametrize(("native", "shape"), [("place", "point"), ("area", "polygon")])
def test_domains_over_shapes_are_read_as_shapes(database: Database, native: str, shape: str) -> None:
    found = column_of(read(database, native, JSON, list(SHAPES[shape])))
    assert [comparable(json.loads(text)) for text in found] == [
        comparable(value) for value in SHAPES[shape].values()
    ]
