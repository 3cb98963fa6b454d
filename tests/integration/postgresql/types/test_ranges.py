"""Ranges and multiranges: they are read as JSON objects."""

import json
from decimal import Decimal
from typing import Any

import pytest
from psycopg.types.range import Range

from migrations_app.engine.model.types import MilvusType, TypeSpec
from tests.engines.postgres import Database
from tests.integration.postgresql.types.edges import Edge, column_of, read, read_by_psycopg

JSON = TypeSpec(MilvusType.JSON)


def span(lower: Any, upper: Any, lower_inclusive: bool, upper_inclusive: bool) -> dict[str, Any]:
    return {
        "empty": False,
        "lower": lower,
        "upper": upper,
        "lower_inclusive": lower_inclusive,
        "upper_inclusive": upper_inclusive,
    }


EMPTY = {**span(None, None, False, False), "empty": True}

# The native type, and the object that is read for each text that is written.
RANGES: list[tuple[str, dict[str, dict[str, Any]]]] = [
    (
        "int4range",
        {"[1,5]": span(1, 6, True, False), "(,)": span(None, None, False, False), "empty": EMPTY,
         "[3,3)": EMPTY, "[-2147483648,2147483647)": span(-(2**31), 2**31 - 1, True, False)},
    ),
    ("int8range", {"[-9223372036854775808,)": span(-(2**63), None, True, False)}),
    (
        "numrange",
        {"[1.10,2.20]": span(Decimal("1.10"), Decimal("2.20"), True, True),
         "(0,NaN]": span(0, "NaN", False, True),
         "[-Infinity,Infinity)": span("-Infinity", "Infinity", True, False)},
    ),
    (
        "daterange",
        {"[2024-02-28,2024-02-29]": span("2024-02-28", "2024-03-01", True, False),
         "[0044-03-15 BC,infinity)": span("0044-03-15 BC", "infinity", True, False)},
    ),
    (
        "tsrange",
        {"[2024-01-01,2024-01-01 00:00:00.5]":
         span("2024-01-01T00:00:00", "2024-01-01T00:00:00.5", True, True)},
    ),
    ("tstzrange", {"(2024-01-01 02:00+02,)": span("2024-01-01T00:00:00+00:00", None, False, False)}),
    ("textrange", {'["a,""b",漢)': span('a,"b', "漢", True, False), '["",]': span("", None, True, False)}),
    ("int4range_domain", {"[1,5)": span(1, 5, True, False)}),
]  # fmt: skip

MULTIRANGES: list[tuple[str, dict[str, list[dict[str, Any]]]]] = [
    (
        "int4multirange",
        {"{}": [], "{[1,2),[5,)}": [span(1, 2, True, False), span(5, None, True, False)], "{empty}": []},
    ),
    ("nummultirange", {"{(1.5,2.5]}": [span(Decimal("1.5"), Decimal("2.5"), False, True)]}),
]


@pytest.fixture(scope="module")
def database(pg: Database) -> Database:
    pg.execute("CREATE TYPE textrange AS RANGE (subtype = text); CREATE DOMAIN int4range_domain AS int4range")
    return pg


def read_objects(database: Database, native: str, values: list[str]) -> list[Any]:
    texts = column_of(read(database, native, JSON, [*values, None]))
    assert texts.pop() is None
    return [json.loads(text, parse_float=Decimal) for text in texts]


@pytest.mark.parametrize(("native", "values"), RANGES, ids=[row[0] for row in RANGES])
def test_ranges_are_objects_with_their_ends(
    database: Database, native: str, values: dict[str, dict[str, Any]]
) -> None:
    assert read_objects(database, native, list(values)) == list(values.values())


@pytest.mark.parametrize(("native", "values"), MULTIRANGES, ids=[row[0] for row in MULTIRANGES])
def test_multiranges_are_objects_with_a_list(
    database: Database, native: str, values: dict[str, list[dict[str, Any]]]
) -> None:
    assert read_objects(database, native, list(values)) == [{"ranges": ranges} for ranges in values.values()]


def test_psycopg_reads_the_same_ends(database: Database) -> None:
    values = ["[1,5]", "(,7)", "empty", "(,)", "[2,2]"]
    found = read_objects(database, "int8range", values)
    theirs = read_by_psycopg(database, Edge("int8range", JSON, {}, value=as_object))
    assert found == theirs[:-1]


def as_object(value: Range[Any]) -> dict[str, Any]:
    return {**span(value.lower, value.upper, value.lower_inc, value.upper_inc), "empty": value.isempty}
