"""pgvector's bytes as Arrow, against a slow reading of the same bytes."""

import math
import struct

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.connectors.postgres.types.arriving import plain
from migrations_app.engine.connectors.postgres.types.vectors import vector
from migrations_app.engine.schema import MilvusType, TypeSpec, arrow_type

FLOATS = st.floats(width=32, allow_nan=False)
VECTORS = st.lists(st.none() | st.lists(FLOATS, min_size=1, max_size=5), max_size=12)


def spec(dim: int | None) -> TypeSpec:
    return TypeSpec(MilvusType.FLOAT_VECTOR, dim)


def wire(vectors: list[list[float] | None]) -> pa.Array:
    """As `vector_send` writes them."""
    return pa.array([v and struct.pack(f">hh{len(v)}f", len(v), 0, *v) for v in vectors], pa.binary())


@given(VECTORS)
def test_vectors_of_any_dimension_arrive_bit_by_bit(vectors: list[list[float] | None]) -> None:
    converted = vector(wire(vectors), spec(None))
    assert converted.values.type == arrow_type(spec(None))
    assert bits(converted.values.to_pylist()) == bits(vectors)
    assert converted.misfits is None


@given(VECTORS, st.integers(1, 5))
def test_vectors_of_another_dimension_are_misfits(vectors: list[list[float] | None], dim: int) -> None:
    converted = vector(wire(vectors), spec(dim))
    assert converted.values.type == arrow_type(spec(dim))
    misfits = [v is not None and len(v) != dim for v in vectors]
    found = [False] * len(vectors) if converted.misfits is None else converted.misfits.tolist()
    assert found == misfits
    kept = [None if misfit else v for v, misfit in zip(vectors, misfits, strict=True)]
    assert bits(converted.values.to_pylist()) == bits(kept)


@given(VECTORS, st.integers(0, 12), st.integers(0, 12))
def test_a_part_of_a_longer_column_is_read_alone(
    vectors: list[list[float] | None], start: int, length: int
) -> None:
    part = wire(vectors).slice(min(start, len(vectors)), length)
    expected = vectors[start : start + length]
    assert bits(vector(part, spec(None)).values.to_pylist()) == bits(expected)


@pytest.mark.parametrize("dim", [None, 3])
def test_a_column_of_nulls_stays_one(dim: int | None) -> None:
    assert vector(wire([None, None]), spec(dim)).values.to_pylist() == [None, None]


def test_the_largest_vector_pgvector_takes_is_read() -> None:
    numbers = [float(n) for n in range(16_000)]
    converted = vector(wire([numbers, numbers]), spec(16_000))
    assert converted.values.to_pylist() == [numbers, numbers]
    assert converted.misfits is None


def test_integers_are_widened_for_a_key() -> None:
    converted = plain(pa.array([1, None, -(2**31)], pa.int32()), TypeSpec(MilvusType.INT64))
    assert converted.values.type == pa.int64()
    assert converted.values.to_pylist() == [1, None, -(2**31)]


def bits(vectors: list[list[float] | None]) -> list[list[tuple[float, float]] | None]:
    """−0.0 and 0.0 told apart."""
    return [v and [(number, math.copysign(1, number)) for number in v] for v in vectors]
