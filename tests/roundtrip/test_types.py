"""Edge values of every PostgreSQL type: they are read back unchanged, or rejected with the reason."""

import json
from dataclasses import replace
from typing import Any

import pytest

from migrations_app.engine.model.types import MilvusType, TypeSpec
from tests.integration.postgresql.types import test_arrays, test_json, test_numbers, test_texts, test_times
from tests.integration.postgresql.types.edges import Edge
from tests.roundtrip.edges import as_integer, assert_all_arrived, make_table, move_edges, move_table, raw_json

T = MilvusType
TEXT = TypeSpec(T.VARCHAR)
TEXTS = TypeSpec(T.ARRAY, element_type=T.VARCHAR)
SETUP = """
    DROP TYPE IF EXISTS odd_enum CASCADE;
    CREATE TYPE odd_enum AS ENUM ('', 'a b', 'it''s', 'say "hi"', '漢')
"""
LONGEST = 9_000
UNFIT = frozenset({"1e999", "1e400", test_json.DEEP})


def fitting(edges: list[Edge], *kinds: MilvusType) -> list[Edge]:
    """The edges of ``kinds`` only, without the values that no field accepts, which other tests cover."""
    kept = [
        replace(edge, values={text: value for text, value in edge.values.items() if _fits(edge, text, value)})
        for edge in edges
        if edge.spec.type in kinds or not kinds
    ]
    return [edge for edge in kept if edge.values]


def _fits(edge: Edge, text: str, value: Any) -> bool:
    has_null = isinstance(value, list) and None in value
    return len(text) + len(str(value)) < LONGEST and not has_null and text not in UNFIT


NUMBERS = [
    '{"a":12345678901234567890123,"b":1.10,"c":1E5,"d":-0,"e":9223372036854775807,"a":2}',
    '{"n":0.1000000000000000055511151231257827}',
]


def test_json_numbers_keep_their_text(mover):
    """Milvus Lite rewrites JSON and rounds numbers that a double cannot hold exactly."""
    make_table(mover, ["json", "json"], [(text, text) for text in NUMBERS])
    fields = [{"source": "n"}, {"source": "v"}, {"source": "x0", "type": "JSON", "nullable": False}]
    moved = mover.move("public.edges", fields=[*fields, {"source": "x1", "dynamic": True, "type": "JSON"}])
    found = raw_json(moved, mover, "x0", "n >= 0"), raw_json(moved, mover, "$meta", "n >= 0")
    if mover.is_lite:
        expected = [json.loads(text, parse_int=as_integer) for text in NUMBERS]
        assert [json.loads(text) for text in found[0]] == expected
        assert [json.loads(text)["x1"] for text in found[1]] == expected
    else:
        assert found == (NUMBERS, [f'{{"x1":{text}}}' for text in NUMBERS])


def can_be_field(edge: Edge) -> bool:
    """False for INT64 from narrower integers, which is for keys only."""
    return not (edge.native in ("smallint", "integer") and edge.spec.type is T.INT64)


FIELDS = {
    "numbers": [edge for edge in fitting(test_numbers.EDGES) if can_be_field(edge)],
    "texts": fitting(test_texts.EDGES),
    "times": fitting(test_times.EDGES),
    "arrays": fitting(test_arrays.EDGES, T.ARRAY),
}
DYNAMIC_KEYS = {
    "texts": fitting(test_texts.EDGES),
    "times": fitting(test_times.EDGES),
    "arrays": [edge for edge in fitting(test_arrays.EDGES, T.ARRAY) if edge.spec.element_type is not T.FLOAT],
    "arrays as JSON": fitting(test_arrays.EDGES, T.JSON),
    "documents": fitting(test_json.EDGES),
}


@pytest.mark.parametrize("family", FIELDS)
def test_edge_values_in_fields_are_read_back_unchanged(mover, family):
    mover.postgres(SETUP)
    moved = move_edges(mover, FIELDS[family])
    assert_all_arrived(moved, FIELDS[family])


@pytest.mark.parametrize("family", DYNAMIC_KEYS)
def test_edge_values_in_the_dynamic_field_are_read_back_unchanged(mover, family):
    mover.postgres(SETUP)
    moved = move_edges(mover, DYNAMIC_KEYS[family], dynamic=True)
    assert_all_arrived(moved, DYNAMIC_KEYS[family])


# Native type, target type, a value that no field of that type accepts, the code and a part of the reason with
# which its row is rejected, and a value that is accepted.
REJECTED: list[tuple[str, TypeSpec, str, str, str, str]] = [
    (
        "text",
        TEXT,
        "x" * 10**6,
        "too_long",
        "1,000,000 bytes long; the field takes at most 65,535",
        "x" * 65_535,
    ),
    ("text", TEXT, "\U0010ffff" * 16_384, "too_long", "65,536 bytes", "\U0010ffff" * 16_383),
    (
        "numeric",
        TypeSpec(T.DOUBLE),
        "1e400",
        "out_of_range",
        "outside the range of a DOUBLE",
        "1.7976931348623157e308",
    ),
    ("numeric", TypeSpec(T.DOUBLE), "-1e309", "out_of_range", "outside the range of a DOUBLE", "-Infinity"),
    ("json", TypeSpec(T.JSON), '{"a":' + "1" * 250 + "e60}", "json_number", "too large for a double", "{}"),
    ("numeric", TEXT, "1e131071", "too_long", "131,072 bytes", "1e65534"),
    ("text[]", TEXTS, "{a,NULL}", "null_item", "NULL", "{a}"),
    ("text[]", TEXTS, "{{a},{b}}", "array_dimensions", "more than one dimension", "{a,b}"),
    ("text[]", TEXTS, "{" + ",".join(["x"] * 4_097) + "}", "too_many_items", "4,097 elements", "{}"),
    ("text[]", TEXTS, "{" + "x" * 65_536 + "}", "item_too_long", "65,536 bytes", "{a}"),
    ("timestamptz[]", TEXTS, "{NULL}", "null_item", "NULL", "{2024-01-01}"),
    ("timestamp", TypeSpec(T.INT64), "infinity", "not_finite", "not a point in time", "2024-01-01"),
    ("json", TypeSpec(T.JSON), "1", "json_not_object", "JSON value 1", "{}"),
    ("json", TypeSpec(T.JSON), '"a"', "json_not_object", "stores only objects and lists", "{}"),
    ("json", TypeSpec(T.JSON), '{"a":1e999}', "json_number", "too large for a double", '{"a":1e99}'),
    ("jsonb", TypeSpec(T.JSON), '{"a":-1e999}', "json_number", "too large for a double", '{"a":-1e99}'),
    (
        "json",
        TypeSpec(T.JSON),
        '{"a":"\\ud800"}',
        "json_surrogate",
        "half a surrogate",
        '{"a":"\\ud83d\\ude00"}',
    ),
    ("json", TypeSpec(T.JSON), '{"a":' + "[" * 800 + "]" * 800 + "}", "json_too_deep", "levels", "{}"),
    ("json", TypeSpec(T.JSON), '{"a":"' + "x" * 10**6 + '"}', "json_too_large", "bytes of JSON", "{}"),
    ("numrange", TypeSpec(T.JSON), "[1e999,)", "json_number", "too large for a double", "[1,)"),
]


def test_values_that_no_field_accepts_are_rejected_with_the_reason(mover):
    accepted = [row[5] for row in REJECTED]
    rows = [[*accepted[:n], REJECTED[n][2], *accepted[n + 1 :]] for n in range(len(REJECTED))]
    edges = [Edge(native, spec, {}) for native, spec, *_ in REJECTED]
    make_table(mover, [edge.native for edge in edges], [*rows, accepted])
    moved = move_table(mover, edges)
    assert moved.report["status"] == "Successful", moved.log
    assert moved.rows().keys() == {len(REJECTED)}
    found = {row["locator"]: row for row in moved.rejected}
    for number, (native, _, _, code, words, _) in enumerate(REJECTED):
        row = found[str(number)]
        assert (row["field"], row["code"]) == (f"x{number}", code), (native, row)
        assert words in row["reason"], (native, row["reason"])


def test_null_stays_null_in_the_dynamic_field_and_in_nullable_fields(mover):
    natives = ["text", "integer", "double precision", "boolean", "numeric", "timestamptz", "text[]", "jsonb",
               "interval", "int4range", "point", "odd_enum", "inet", "varbit"]  # fmt: skip
    mover.postgres(SETUP)
    make_table(mover, natives, [[None] * len(natives)])
    moved = mover.move("public.edges", key="n")
    assert moved.report["status"] == "Successful", moved.log
    (row,) = moved.rows().values()
    assert {name: value for name, value in row.items() if name not in ("n", "v")} == dict.fromkeys(
        f"x{n}" for n in range(len(natives))
    )
    fixed = moved.fields.keys() - {"n", "v"}
    assert bool(fixed) == mover.is_lite
