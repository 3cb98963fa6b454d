"""Values at the edge of each type, written by a real PostgreSQL: read exactly, or rejected by name."""

import json
import math
from typing import Any

import pyarrow as pa
import pytest
from psycopg import sql

from migrations_app.engine.batch import Batch, CollectionRef, ReadColumn, ReadPlan
from migrations_app.engine.connectors.base import ReadContext
from migrations_app.engine.connectors.postgres import PostgresSource
from migrations_app.engine.connectors.postgres.settings import PostgresSettings
from migrations_app.engine.schema import MilvusType, TypeSpec
from tests.engines.postgres import Database

T = MilvusType
NAN = float("nan")
LARGEST = 1.7976931348623157e308
UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
EVERY_PLANE = "".join(chr(plane << 16 | 0x0041) for plane in range(17)) + "\x01\x7f\u0085\u2028\ufffd"
TEXTS = ["", " ", "\t\r\n", "\\N", "NULL", "'; DROP TABLE x; --", '"', "e\u0301", EVERY_PLANE, "x" * 10**6]
JSONS = ['{"a":1, "a":2}', "  null", '"\\u0000"', "1e999", "[" * 500 + "]" * 500, '{"":{}}']

# A row each: native type, Milvus type, element type, and what is read for what is written.
EXACT: list[tuple[str, MilvusType, MilvusType | None, dict[str, Any]]] = [
    ("text", T.VARCHAR, None, {text: text for text in TEXTS}),
    ("varchar", T.VARCHAR, None, {text: text for text in TEXTS}),
    ("varchar(3)", T.VARCHAR, None, {"": "", "漢字\U0001f600": "漢字\U0001f600", "a  ": "a  "}),
    ("char(4)", T.VARCHAR, None, {"": "", "ab": "ab", "  a ": "  a", "漢": "漢"}),
    ("smallint", T.INT16, None, {str(n): n for n in (-(2**15), -1, 0, 2**15 - 1)}),
    ("smallint", T.INT64, None, {str(n): n for n in (-(2**15), 2**15 - 1)}),
    ("integer", T.INT32, None, {str(n): n for n in (-(2**31), -1, 0, 2**31 - 1)}),
    ("integer", T.INT64, None, {str(n): n for n in (-(2**31), 2**31 - 1)}),
    ("bigint", T.INT64, None, {str(n): n for n in (-(2**63), -1, 0, 2**63 - 1)}),
    (
        "real",
        T.FLOAT,
        None,
        {"-0": -0.0, "1.17549435e-38": 2.0**-126, "1e-45": 2.0**-149, "3.4028235e38": 3.4028234663852886e38,
         "NaN": NAN, "Infinity": math.inf, "-Infinity": -math.inf},
    ),
    (
        "double precision",
        T.DOUBLE,
        None,
        {"-0": -0.0, "5e-324": 5e-324, "1.7976931348623157e308": LARGEST, "0.1": 0.1, "NaN": NAN,
         "Infinity": math.inf, "-Infinity": -math.inf},
    ),
    ("boolean", T.BOOL, None, {"t": True, "f": False}),
    (
        "numeric",
        T.VARCHAR,
        None,
        {"0": "0", "-0.00": "0.00", "1e3": "1000", "NaN": "NaN",
         "Infinity": "Infinity", "-Infinity": "-Infinity",
         "9" * 200 + "." + "1" * 200: "9" * 200 + "." + "1" * 200},
    ),
    ("numeric(7,2)", T.VARCHAR, None, {"1.005": "1.01", "-12345.6": "-12345.60"}),
    (
        "numeric",
        T.DOUBLE,
        None,
        {"0": 0.0, "0.1": 0.1, "NaN": NAN, "Infinity": math.inf, "-Infinity": -math.inf, "1e400": math.inf,
         "-1e400": -math.inf, "1e-400": 0.0, "-1e-400": 0.0, "5e-324": 5e-324, "4.95e-324": 5e-324,
         "1.7976931348623157e308": LARGEST, "-1.7976931348623157e308": -LARGEST,
         "9007199254740993": 9007199254740992.0},
    ),
    (
        "date",
        T.VARCHAR,
        None,
        {"2024-02-29": "2024-02-29", "0044-03-15 BC": "0044-03-15 BC", "12024-01-01": "12024-01-01",
         "infinity": "infinity", "-infinity": "-infinity", "4713-01-01 BC": "4713-01-01 BC"},
    ),
    (
        "time",
        T.VARCHAR,
        None,
        {"00:00": "00:00:00", "24:00": "24:00:00", "12:34:56.789": "12:34:56.789",
         "1:2:3.000001": "01:02:03.000001"},
    ),
    (
        "timestamp",
        T.VARCHAR,
        None,
        {"1969-12-31 23:59:59.999999": "1969-12-31T23:59:59.999999",
         "0001-01-01": "0001-01-01T00:00:00.000000",
         "9999-12-31 23:59:59.999999": "9999-12-31T23:59:59.999999", "10000-01-01": "10000-01-01 00:00:00",
         "0044-03-15 12:00 BC": "0044-03-15 12:00:00 BC", "infinity": "infinity", "-infinity": "-infinity"},
    ),
    (
        "timestamptz",
        T.VARCHAR,
        None,
        {"2024-06-01 12:00:00.5+05:30": "2024-06-01T06:30:00.500000+00:00",
         "0001-01-01 00:00+00": "0001-01-01T00:00:00.000000+00:00",
         "9999-12-31 23:59:59.999999+00": "9999-12-31T23:59:59.999999+00:00",
         "9999-12-31 23:59-10": "10000-01-01 09:59:00+00",
         "0044-03-15 12:00+00 BC": "0044-03-15 12:00:00+00 BC", "infinity": "infinity"},
    ),
    (
        "timestamp",
        T.INT64,
        None,
        {"1970-01-01": 0, "1969-12-31 23:59:59.999999": -1, "1970-01-01 00:00:00.000999": 0,
         "1969-12-31 23:59:59.9985": -2, "294276-12-31 23:59:59.999999": 9224318015999999,
         "4714-11-24 BC": -210866803200000},
    ),
    ("timestamptz", T.INT64, None, {"1970-01-01 02:00+02": 0, "2024-06-01 12:00:00.0009+00": 1717243200000}),
    ("uuid", T.VARCHAR, None, {UUID.upper(): UUID, "0" * 32: "00000000-0000-0000-0000-000000000000"}),
    ("odd_enum", T.VARCHAR, None, {label: label for label in ("", "a b", "it's", 'say "hi"', "漢")}),
    (
        "json",
        T.JSON,
        None,
        {text: text for text in JSONS},
    ),
    (
        "jsonb",
        T.JSON,
        None,
        {'{"b":1, "a":2, "a":3}': '{"a": 3, "b": 1}', "12345678901234567890123": "12345678901234567890123",
         '"\\u00e9"': '"é"', "1.10": "1.10", "null": "null"},
    ),
    (
        "text[]",
        T.ARRAY,
        T.VARCHAR,
        {"{}": [], '{"", " ", "NULL", "a,b", "{}", "\\"", "\\\\"}': ["", " ", "NULL", "a,b", "{}", '"', "\\"],
         "[0:1]={a,b}": ["a", "b"], "[-5:-4]={a,b}": ["a", "b"], "{a,NULL}": ["a", None]},
    ),
    ("varchar(2)[]", T.ARRAY, T.VARCHAR, {"{ab,漢字}": ["ab", "漢字"]}),
    ("char(3)[]", T.ARRAY, T.VARCHAR, {"{a,bcd}": ["a", "bcd"]}),
    ("smallint[]", T.ARRAY, T.INT16, {"{-32768,32767}": [-(2**15), 2**15 - 1]}),
    ("integer[]", T.ARRAY, T.INT32, {"{-2147483648}": [-(2**31)], "[7:8]={1,2}": [1, 2]}),
    ("bigint[]", T.ARRAY, T.INT64, {"{9223372036854775807}": [2**63 - 1]}),
    ("real[]", T.ARRAY, T.FLOAT, {"{-0,NaN,Infinity}": [-0.0, NAN, math.inf]}),
    ("double precision[]", T.ARRAY, T.DOUBLE, {"{0.1,5e-324}": [0.1, 5e-324]}),
    ("numeric[]", T.ARRAY, T.VARCHAR, {"{1.10,NaN}": ["1.10", "NaN"]}),
    ("boolean[]", T.ARRAY, T.BOOL, {"{t,f}": [True, False]}),
    ("text[]", T.JSON, None, {'{a,NULL,"\\""}': '["a",null,"\\""]', "{{a},{b}}": '[["a"],["b"]]'}),
    ("double precision[]", T.JSON, None, {"{0.1,1e300}": "[0.1,1e+300]"}),
    ("numeric[]", T.JSON, None, {"{1.10}": '["1.10"]'}),
    ("char(3)[]", T.JSON, None, {"{a}": '["a"]'}),
    (
        "vector(2)",
        T.FLOAT_VECTOR,
        None,
        {"[-0,1e-45]": [-0.0, 2.0**-149], "[3.4028235e38,0.1]": [3.4028234663852886e38, 0.10000000149011612]},
    ),
    ("vector", T.FLOAT_VECTOR, None, {"[1]": [1.0], "[1,2,3]": [1.0, 2.0, 3.0]}),
]  # fmt: skip


@pytest.fixture(scope="module")
def database(pg: Database) -> Database:
    pg.execute("""CREATE TYPE odd_enum AS ENUM ('', 'a b', 'it''s', 'say "hi"', '漢')""")
    return pg


def read(database: Database, native: str, spec: TypeSpec, texts: list[str | None]) -> list[Batch]:
    """These texts, written as ``native`` and read as ``spec``, in their order."""
    with database.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS edge")
        connection.execute(f"CREATE TABLE edge (n integer PRIMARY KEY, x {native})")  # type: ignore[arg-type]
        insert = sql.SQL("INSERT INTO edge VALUES (%s, %s::text::{})").format(sql.SQL(native))  # type: ignore[arg-type]
        connection.cursor().executemany(insert, list(enumerate(texts)))
    plan = ReadPlan((ReadColumn("x", spec),), ("n",))
    ref = CollectionRef("public.edge")
    with PostgresSource(PostgresSettings.model_validate(database.settings)) as source:
        (part,) = source.slices(ref, 1)
        return list(source.read(ref, part, None, plan, ReadContext()))


@pytest.mark.parametrize(
    ("native", "kind", "element", "values"), EXACT, ids=[f"{row[0]} as {row[1]}" for row in EXACT]
)
def test_edge_values_arrive_exactly(
    database: Database, native: str, kind: MilvusType, element: MilvusType | None, values: dict[str, Any]
) -> None:
    dim = 2 if native == "vector(2)" else None
    batches = read(database, native, TypeSpec(kind, dim, element_type=element), [*values, None])
    rows = pa.Table.from_batches([batch.rows for batch in batches]).column("x").to_pylist()
    assert [told(value) for value in rows] == [told(value) for value in (*values.values(), None)]
    assert not any(batch.rejected for batch in batches)


MISFITS = [
    ("timestamp", TypeSpec(T.INT64), ["2024-01-01", "infinity", "-infinity"], "not_finite", "infinity"),
    ("timestamptz", TypeSpec(T.INT64), ["2024-01-01", "-infinity"], "not_finite", "-infinity"),
    ("integer[]", TypeSpec(T.ARRAY, element_type=T.INT32), ["{1}", "{{1,2},{3,4}}"], "array_dimensions",
     "{{1,2},{3,4}}"),
    ("text[]", TypeSpec(T.ARRAY, element_type=T.VARCHAR), ["{a}", "[2:2][3:3]={{a}}"], "array_dimensions",
     "[2:2][3:3]={{a}}"),
    ("vector", TypeSpec(T.FLOAT_VECTOR, 2), ["[1,2]", "[1,2,3]", "[1]"], "dimension_mismatch", "vector(3)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("native", "spec", "texts", "code", "shown"), MISFITS, ids=[f"{row[0]}: {row[3]}" for row in MISFITS]
)
def test_values_that_a_type_cannot_take_are_rejected_by_name(
    database: Database, native: str, spec: TypeSpec, texts: list[str], code: str, shown: str
) -> None:
    (batch,) = read(database, native, spec, [*texts, None])
    assert batch.locators.to_pylist() == ["0", str(len(texts))]
    assert batch.rows.column("x").null_count == 1
    assert [rejected.locator for rejected in batch.rejected] == [str(n) for n in range(1, len(texts))]
    assert {(rejected.code, rejected.field) for rejected in batch.rejected} == {(code, "x")}
    assert batch.rejected[0].reason.startswith("“x” ")
    assert json.loads(batch.rejected[0].row) == {"x": shown}
    assert batch.after == [str(len(texts))]


def told(value: Any) -> Any:
    """NaN equal to itself, −0.0 unequal to 0.0."""
    if isinstance(value, list):
        return [told(item) for item in value]
    return repr(value) if isinstance(value, float) else value
