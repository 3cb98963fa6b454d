"""Arrays of every element type: edge values are read exactly, as ARRAY and as JSON."""

import json
import math
from typing import Any

import pytest

from migrations_app.engine.model.types import MilvusType, TypeSpec
from tests.engines.postgres import Database
from tests.integration.postgresql.types.edges import Edge, array, as_float32, assert_arrives
from tests.integration.postgresql.types.test_times import iso

T = MilvusType
NAN = float("nan")
UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"


def texts(values: list[Any]) -> list[str | None]:
    return [None if value is None else str(value) for value in values]


def elements_of(text: str) -> list[str]:
    """The elements in the text of an array, which quotes elements that contain a blank."""
    return [item.strip('"') for item in text.strip("{}").split(",") if item]


def as_json(native: str, values: dict[str, str], **psycopg: Any) -> Edge:
    return Edge(native, TypeSpec(T.JSON), values, **psycopg)


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


EDGES = [
    array(
        "text[]",
        T.VARCHAR,
        {"{}": [], '{"", " ", "NULL", "a,b", "{}", "\\"", "\\\\"}': ["", " ", "NULL", "a,b", "{}", '"', "\\"],
         "[0:1]={a,b}": ["a", "b"], "[-5:-4]={a,b}": ["a", "b"], "{a,NULL}": ["a", None],
         "{" + ",".join(["x"] * 5000) + "}": ["x"] * 5000},
    ),
    array("varchar(2)[]", T.VARCHAR, {"{ab,漢字}": ["ab", "漢字"]}),
    array("char(3)[]", T.VARCHAR, {"{a,bcd}": ["a", "bcd"]}, value=lambda items: [t.strip() for t in items]),
    array("name[]", T.VARCHAR, {"{a,NULL}": ["a", None]}),
    array("smallint[]", T.INT16, {"{-32768,32767}": [-(2**15), 2**15 - 1]}),
    array("integer[]", T.INT32, {"{-2147483648}": [-(2**31)], "[7:8]={1,2}": [1, 2]}),
    array("bigint[]", T.INT64, {"{9223372036854775807}": [2**63 - 1]}),
    array("oid[]", T.INT64, {"{0,4294967295}": [0, 2**32 - 1]}),
    array("real[]", T.FLOAT, {"{-0,NaN,Infinity,0.1}": [-0.0, NAN, math.inf, 0.10000000149011612]},
          value=lambda items: [as_float32(item) for item in items]),
    array("double precision[]", T.DOUBLE, {"{0.1,5e-324}": [0.1, 5e-324]}),
    array("numeric[]", T.VARCHAR, {"{1.10,NaN,NULL}": ["1.10", "NaN", None]}, value=texts),
    array("boolean[]", T.BOOL, {"{t,f}": [True, False]}),
    array("date[]", T.VARCHAR, {"{2024-02-29,0044-03-15 BC,infinity}": ["2024-02-29", "0044-03-15 BC",
          "infinity"]}, text=elements_of),
    array("time[]", T.VARCHAR, {"{24:00,1:2:3.5}": ["24:00:00", "01:02:03.5"]}, text=elements_of),
    array("interval[]", T.VARCHAR, {"{P1Y,-1 day}": ["1 year", "-1 days"]}, text=elements_of),
    array(
        "timestamp[]",
        T.VARCHAR,
        {"{2024-01-01,0044-03-15 12:00 BC,infinity}": ["2024-01-01T00:00:00.000000", "0044-03-15 12:00:00 BC",
                                                      "infinity"],
         "{}": [], "[3:4]={2024-01-01,2024-01-01 00:00:00.5}": ["2024-01-01T00:00:00.000000",
                                                                "2024-01-01T00:00:00.500000"]},
        text=lambda text: [iso(item) for item in elements_of(text.split("=")[-1])],
    ),
    array(
        "timestamptz[]",
        T.VARCHAR,
        {"{2024-01-01 02:00+02,9999-12-31 23:59-10}": ["2024-01-01T00:00:00.000000+00:00",
                                                      "10000-01-01 09:59:00+00"]},
        text=lambda text: [iso(item) for item in elements_of(text)],
    ),
    array("timestamp[]", T.VARCHAR, {"{NULL,2024-01-01}": [None, "2024-01-01T00:00:00.000000"]},
          value=lambda items: [item and item.isoformat(timespec="microseconds") for item in items]),
    array("uuid[]", T.VARCHAR, {f"{{{UUID},NULL}}": [UUID, None]}, value=texts),
    array("odd_enum[]", T.VARCHAR, {'{"",it\'s}': ["", "it's"]}, text=elements_of),
    array("inet[]", T.VARCHAR, {"{10.0.0.1,10.0.0.1/8,NULL,::1}": ["10.0.0.1", "10.0.0.1/8", None, "::1"]},
          value=texts),
    array("cidr[]", T.VARCHAR, {"{10.0.0.0/8}": ["10.0.0.0/8"]}, value=texts),
    array("bit(3)[]", T.VARCHAR, {"{101,000}": ["101", "000"]}, text=elements_of),
    as_json("text[]", {'{a,NULL,"\\""}': '["a",null,"\\""]', "{{a},{b}}": '[["a"],["b"]]'}, value=compact),
    as_json("integer[]", {"[0:1][5:6]={{1,2},{3,4}}": "[[1,2],[3,4]]", "{}": "[]"}, value=compact),
    as_json("double precision[]", {"{0.1,1e300,NaN,-0}": '[0.1,1e+300,"NaN",-0]'},
            text=lambda text: '[0.1,1e+300,"NaN",-0]' if text == "{0.1,1e+300,NaN,-0}" else text),
    as_json("numeric[]", {"{1.10}": '["1.10"]'}, value=lambda items: compact(texts(items))),
    as_json("char(3)[]", {"{a}": '["a"]'}, value=lambda items: compact([item.strip() for item in items])),
    as_json("jsonb[]", {'{"{\\"a\\":1.50}",NULL}': '[{"a": 1.50},null]'},
            text=lambda text: '[{"a": 1.50},null]' if text == '{"{\\"a\\": 1.50}",NULL}' else text),
    as_json("timestamptz[]", {"{{2024-01-01 00:00+02}}": '[["2023-12-31T22:00:00+00:00"]]'},
            value=lambda rows: compact([[item.isoformat() for item in row] for row in rows])),
    as_json("int4range[]", {'{"[1,5)",empty}': '["[1,5)","empty"]'}, text=lambda text: compact(json.loads(
        "[" + text.strip("{}").replace("empty", '"empty"') + "]"))),
    as_json("point[]", {'{"(1,2)","(0.1,NaN)"}': '["(1,2)","(0.1,NaN)"]'},
            text=lambda text: "[" + text.strip("{}") + "]"),
]  # fmt: skip


@pytest.fixture(scope="module")
def database(pg: Database) -> Database:
    pg.execute("""CREATE TYPE odd_enum AS ENUM ('', 'a b', 'it''s', 'say "hi"', '漢')""")
    return pg


@pytest.mark.parametrize("edge", EDGES, ids=str)
def test_arrays_arrive_exactly(database: Database, edge: Edge) -> None:
    assert_arrives(database, edge)
