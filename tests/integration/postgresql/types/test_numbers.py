"""Numbers and booleans: edge values are read exactly."""

import math
from decimal import Decimal

import pytest

from migrations_app.engine.model.types import MilvusType, TypeSpec
from tests.engines.postgres import Database
from tests.integration.postgresql.types.edges import Edge, as_float32, assert_arrives, same, varchar

T = MilvusType
NAN = float("nan")
LARGEST = 1.7976931348623157e308
LONG = "9" * 200 + "." + "1" * 200


def as_double(value: Decimal) -> float:
    return float(value)


EDGES = [
    Edge("smallint", TypeSpec(T.INT16), {str(n): n for n in (-(2**15), -1, 0, 2**15 - 1)}),
    Edge("smallint", TypeSpec(T.INT64), {str(n): n for n in (-(2**15), 2**15 - 1)}),
    Edge("integer", TypeSpec(T.INT32), {str(n): n for n in (-(2**31), -1, 0, 2**31 - 1)}),
    Edge("integer", TypeSpec(T.INT64), {str(n): n for n in (-(2**31), 2**31 - 1)}),
    Edge("bigint", TypeSpec(T.INT64), {str(n): n for n in (-(2**63), -1, 0, 2**63 - 1)}),
    Edge("oid", TypeSpec(T.INT64), {str(n): n for n in (0, 2**31, 2**32 - 1)}),
    Edge(
        "real",
        TypeSpec(T.FLOAT),
        {"-0": -0.0, "1.17549435e-38": 2.0**-126, "1e-45": 2.0**-149, "3.4028235e38": 3.4028234663852886e38,
         "NaN": NAN, "Infinity": math.inf, "-Infinity": -math.inf},
        value=as_float32,
    ),
    Edge(
        "double precision",
        TypeSpec(T.DOUBLE),
        {"-0": -0.0, "5e-324": 5e-324, "1.7976931348623157e308": LARGEST, "0.1": 0.1, "NaN": NAN,
         "Infinity": math.inf, "-Infinity": -math.inf},
    ),
    Edge("boolean", TypeSpec(T.BOOL), {"t": True, "f": False}),
    varchar(
        "numeric",
        {"-0.00": "0.00", "1e3": "1000", **same("0", "NaN", "Infinity", "-Infinity", LONG, f"-{LONG}")},
    ),
    varchar("numeric", {"1e131071": "1" + "0" * 131_071, "1e-16383": "0." + "0" * 16_382 + "1"}),
    varchar("numeric(7,2)", {"1.005": "1.01", "-12345.6": "-12345.60"}),
    Edge(
        "numeric",
        TypeSpec(T.DOUBLE),
        {"0": 0.0, "0.1": 0.1, "NaN": NAN, "Infinity": math.inf, "-Infinity": -math.inf, "1e-400": 0.0,
         "5e-324": 5e-324, "4.95e-324": 5e-324,
         "1.7976931348623157e308": LARGEST, "-1.7976931348623157e308": -LARGEST,
         "9007199254740993": 9007199254740992.0},
        value=as_double,
    ),
]  # fmt: skip


@pytest.mark.parametrize("edge", EDGES, ids=str)
def test_numbers_arrive_exactly(pg: Database, edge: Edge) -> None:
    assert_arrives(pg, edge)
