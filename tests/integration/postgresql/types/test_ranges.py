import json
from decimal import Decimal
from typing import Any

import pytest
from psycopg.types.range import Range

from migrations_app.engine.model.types import MilvusType, TypeSpec
from tests.engines.postgres import Database
from tests.integration.postgresql.types.edges import Edge, column_of, read, read_by_psycopg

JSON = TypeSpec(MilvusType.JSON)


def told(lower: Any, upper: Any, lower_inclusive: bool, upper_inclusive: bool) -> dict[str, Any]:
    return {
        "empty": False,
        "lower": lower,
        "upper": upper,
        "lower_inclusive": lower_inclusive,
        "upper_inclusive": upper_inclusive,
    }


EMPTY = {**told(None, None, False, False), "empty": True}

# What is written, and what is read.
RANGES: list[tuple[str, dict[str, dict[str, Any]]]] = [
    (
        "int4range",
        {"[1,5]": told(1, 6, True, False), "(,)": told(None, None, False, False), "empty": EMPTY,
         "[3,3)": EMPTY, "[-2147483648,2147483647)": told(-(2**31), 2**31 - 1, True, False)},
    ),
    ("int8range", {"[-9223372036854775808,)": told(-(2**63), None, True, False)}),
    (
        "numrange",
        {"[1.10,2.20]": told(Decimal("1.10"), Decimal("2.20"), True, True),
         "(0,NaN]": told(0, "NaN", False, True),
         "[-Infinity,Infinity)": told("-Infinity", "Infinity", True, False)},
    ),
    (
        "daterange",
        {"[2024-02-28,2024-02-29]": told("2024-02-28", "2024-03-01", True, False),
         "[0044-03-15 BC,infinity)": told("0044-03-15 BC", "infinity", True, False)},
    ),
    (
        "tsrange",
        {"[2024-01-01,2024-01-01 00:00:00.5]":
         told("2024-01-01T00:00:00", "2024-01-01T00:00:00.5", True, True)},
    ),
    ("tstzrange", {"(2024-01-01 02:00+02,)": told("2024-01-01T00:00:00+00:00", None, False, False)}),
    ("textrange", {'["a,""b",漢)': told('a,"b', "漢", True, False), '["",]': told("", None, True, False)}),
    ("int4range_domain", {"[1,5)": told(1, 5, True, False)}),
]  # fmt: skip

MULTIRANGES: list[tuple[str, dict[str, list[dict[str, Any]]]]] = [
    (
        "int4multirange",
        {"{}": [], "{[1,2),[5,)}": [told(1, 2, True, False), told(5, None, True, False)], "{empty}": []},
    ),
    ("nummultirange", {"{(1.5,2.5]}": [told(Decimal("1.5"), Decimal("2.5"), False, True)]}),
]


@pytest.fixture(scope="module")
def database(pg: Database) -> Database:
    pg.execute("CREATE TYPE textrange AS RANGE (subtype = text); CREATE DOMAIN int4range_domain AS int4range")
    return pg


def arrived(database: Database, native: str, values: list[str]) -> list[Any]:
    texts = column_of(read(database, native, JSON, [*values, None]))
    assert texts.pop() is None
    return [json.loads(text, parse_float=Decimal) for text in texts]


@pytest.mark.parametrize(("native", "values"), RANGES, ids=[row[0] for row in RANGES])
def test_ranges_are_objects_with_their_ends(
    database: Database, native: str, values: dict[str, dict[str, Any]]
) -> None:
    assert arrived(database, native, list(values)) == list(values.values())


@pytest.mark.parametrize(("native", "values"), MULTIRANGES, ids=[row[0] for row in MULTIRANGES])
def test_multiranges_are_objects_with_a_list(
    database: Database, native: str, values: dict[str, list[dict[str, Any]]]
) -> None:
    assert arrived(database, native, list(values)) == [{"ranges": ranges} for ranges in values.values()]


def test_psycopg_reads_the_same_ends(database: Database) -> None:
    values = ["[1,5]", "(,7)", "empty", "(,)", "[2,2]"]
    found = arrived(database, "int8range", values)
    theirs = read_by_psycopg(database, Edge("int8range", JSON, {}, value=as_object))
    assert found == theirs[:-1]


def as_object(value: Range[Any]) -> dict[str, Any]:
    return {**told(value.lower, value.upper, value.lower_inc, value.upper_inc), "empty": value.isempty}
