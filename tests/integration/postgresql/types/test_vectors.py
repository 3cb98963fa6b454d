"""Vectors of pgvector and bit strings: edge values are read exactly."""

import struct

import pytest
from psycopg import DataError

from migrations_app.engine.model.types import MilvusType, TypeSpec
from tests.engines.postgres import Database
from tests.integration.postgresql.types.edges import Edge, assert_arrives, numbers_in, same, varchar

T = MilvusType
LARGEST = 3.4028234663852886e38


def halves(text: str) -> bytes:
    numbers = [float(number) for number in text.strip("[]").split(",")]
    return struct.pack(f"<{len(numbers)}e", *numbers)


def half(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}e", *numbers)


def entries(text: str) -> list[dict[str, float]]:
    """The entries of a text like `{1:0.5,9:2}/9`, whose indices start at 1."""
    pairs = [pair.split(":") for pair in text[1 : text.index("}")].split(",") if pair]
    return sparse({int(index) - 1: numbers_in(value)[0] for index, value in pairs})


def sparse(entries: dict[int, float]) -> list[dict[str, float]]:
    return [{"index": index, "value": value} for index, value in entries.items()]


def packed(text: str) -> bytes:
    return bytes(int(text[n : n + 8], 2) for n in range(0, len(text), 8))


def many(dim: int, number: str = "1") -> str:
    return f"[{','.join([number] * dim)}]"


EDGES = [
    Edge("vector(1)", TypeSpec(T.FLOAT_VECTOR, 1), {"[0]": [0.0], "[-1.5]": [-1.5]}, numbers_in),
    Edge(
        "vector(2)",
        TypeSpec(T.FLOAT_VECTOR, 2),
        {"[-0,1e-45]": [-0.0, 2.0**-149], "[3.4028235e38,0.1]": [LARGEST, 0.10000000149011612],
         "[0,0]": [0.0, 0.0]},
        numbers_in,
    ),
    Edge("vector(16000)", TypeSpec(T.FLOAT_VECTOR, 16_000), {many(16_000): [1.0] * 16_000}, numbers_in),
    Edge("vector", TypeSpec(T.FLOAT_VECTOR), {"[1]": [1.0], "[1,2,3]": [1.0, 2.0, 3.0]}, numbers_in),
    Edge(
        "halfvec(2)",
        TypeSpec(T.FLOAT16_VECTOR, 2),
        {"[-0,6e-8]": half(-0.0, 2.0**-24), "[65504,-65504]": half(65504, -65504),
         "[0.1,2049]": half(0.1, 2048), "[0,0]": bytes(4)},
        halves,
    ),
    Edge(
        "halfvec(3)",
        TypeSpec(T.FLOAT_VECTOR, 3),
        {"[-0,6e-8,65504]": [-0.0, 2.0**-24, 65504.0], "[0.1,1,2]": [0.0999755859375, 1.0, 2.0]},
        lambda text: list(struct.unpack("<3e", halves(text))),
    ),
    Edge("halfvec(16000)", TypeSpec(T.FLOAT16_VECTOR, 16_000), {many(16_000): half(1) * 16_000}, halves),
    Edge("halfvec", TypeSpec(T.FLOAT16_VECTOR, 1), {"[1]": half(1)}, halves),
    Edge(
        "sparsevec(5)",
        TypeSpec(T.SPARSE_FLOAT_VECTOR),
        {"{}/5": [], "{1:1.5,5:-2}/5": sparse({0: 1.5, 4: -2.0}), "{5:1e-45}/5": sparse({4: 2.0**-149}),
         "{1:3.4028235e38,2:0}/5": sparse({0: LARGEST})},
        entries,
    ),
    Edge(
        "sparsevec",
        TypeSpec(T.SPARSE_FLOAT_VECTOR),
        {"{1000000000:1}/1000000000": sparse({999_999_999: 1.0}), "{}/1": [],
         "{3:3,1:1}/3": sparse({0: 1.0, 2: 3.0}),
         "{" + ",".join(f"{n}:1" for n in range(1, 16_001)) + "}/16000":
         sparse(dict.fromkeys(range(16_000), 1.0))},
        entries,
    ),
    Edge("bit(8)", TypeSpec(T.BINARY_VECTOR, 8), {"00000000": b"\0", "10000001": b"\x81"}, packed),
    Edge(
        "bit(16)",
        TypeSpec(T.BINARY_VECTOR, 16),
        {"1" * 16: b"\xff\xff", "1".ljust(16, "0"): b"\x80\0"},
        packed,
    ),
    Edge("bit(64000)", TypeSpec(T.BINARY_VECTOR, 64_000), {"01" * 32_000: b"\x55" * 8_000}, packed),
    varchar("bit(3)", same("000", "101")),
    varchar("bit(8)", same("00000001")),
    varchar("varbit", same("", "1", "10" * 500)),
]  # fmt: skip


@pytest.mark.parametrize("edge", EDGES, ids=str)
def test_vectors_arrive_exactly(pg: Database, edge: Edge) -> None:
    assert_arrives(pg, edge)


@pytest.mark.parametrize("native", ["vector(1)", "halfvec(1)", "sparsevec(1)"])
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_pgvector_accepts_only_finite_numbers(pg: Database, native: str, number: str) -> None:
    written = f"{{1:{number}}}/1" if native.startswith("sparse") else f"[{number}]"
    with pg.connect() as connection, pytest.raises(DataError):
        connection.execute(f"SELECT '{written}'::{native}")  # type: ignore[arg-type]
