"""Dense vectors of pgvector as Arrow, compared with a slow reading of the same bytes."""

import math
import struct

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.model.types import MilvusType, TypeSpec, arrow_type
from migrations_app.engine.sources.postgresql.types.arrow_buffers import Converter, plain
from migrations_app.engine.sources.postgresql.types.vectors import halfvec, halfvec_bytes, vector

Vectors = list[list[float] | None]

# The `struct` format of a number, and the converter that reads vectors of such numbers.
KINDS: dict[str, Converter] = {"f": vector, "e": halfvec}
KIND = st.sampled_from(sorted(KINDS))


def vectors(kind: str) -> st.SearchStrategy[Vectors]:
    width = 32 if kind == "f" else 16
    numbers = st.floats(width=width, allow_nan=False)  # type: ignore[arg-type]
    return st.lists(st.none() | st.lists(numbers, min_size=1, max_size=5), max_size=12)


KIND_AND_VECTORS = KIND.flatmap(lambda kind: st.tuples(st.just(kind), vectors(kind)))


def spec(dim: int | None) -> TypeSpec:
    return TypeSpec(MilvusType.FLOAT_VECTOR, dim)


def wire(kind: str, vectors: Vectors) -> pa.Array:
    """Return the vectors as `vector_send` and `halfvec_send` write them."""
    return pa.array([v and struct.pack(f">hh{len(v)}{kind}", len(v), 0, *v) for v in vectors], pa.binary())


@given(KIND_AND_VECTORS)
def test_vectors_of_any_dimension_arrive_with_the_same_bits(written: tuple[str, Vectors]) -> None:
    kind, vectors = written
    converted = KINDS[kind](wire(kind, vectors), spec(None))
    assert converted.values.type == arrow_type(spec(None))
    assert bits(converted.values.to_pylist()) == bits(vectors)
    assert converted.wrong_dims is None


@given(KIND_AND_VECTORS, st.integers(1, 5))
def test_vectors_of_another_dimension_are_type_mismatches(written: tuple[str, Vectors], dim: int) -> None:
    kind, vectors = written
    converted = KINDS[kind](wire(kind, vectors), spec(dim))
    assert converted.values.type == arrow_type(spec(dim))
    mismatches = [v is not None and len(v) != dim for v in vectors]
    found = [False] * len(vectors) if converted.wrong_dims is None else converted.wrong_dims.tolist()
    assert found == mismatches
    if converted.dims is not None:
        dims = [n for n, mismatch in zip(converted.dims, mismatches, strict=True) if mismatch]
        assert dims == [len(v or ()) for v, mismatch in zip(vectors, mismatches, strict=True) if mismatch]
    kept = [None if mismatch else v for v, mismatch in zip(vectors, mismatches, strict=True)]
    assert bits(converted.values.to_pylist()) == bits(kept)


@given(vectors("e"), st.integers(1, 5))
def test_half_vectors_become_little_endian_bytes(vectors: Vectors, dim: int) -> None:
    half = TypeSpec(MilvusType.FLOAT16_VECTOR, dim)
    converted = halfvec_bytes(wire("e", vectors), half)
    assert converted.values.type == arrow_type(half)
    expected = [None if v is None or len(v) != dim else struct.pack(f"<{dim}e", *v) for v in vectors]
    assert converted.values.to_pylist() == expected


def test_half_vectors_without_a_declared_dimension_are_read_as_numbers() -> None:
    half = TypeSpec(MilvusType.FLOAT16_VECTOR)
    converted = halfvec_bytes(wire("e", [[1.5], None, [0.0, -2.0]]), half)
    assert converted.values.type == arrow_type(half)
    assert converted.values.to_pylist() == [[1.5], None, [0.0, -2.0]]


@given(KIND_AND_VECTORS, st.integers(0, 12), st.integers(0, 12))
def test_a_slice_of_a_longer_column_is_read(written: tuple[str, Vectors], start: int, length: int) -> None:
    kind, vectors = written
    part = wire(kind, vectors).slice(min(start, len(vectors)), length)
    expected = vectors[start : start + length]
    assert bits(KINDS[kind](part, spec(None)).values.to_pylist()) == bits(expected)
    kept = [v if v and len(v) == 2 else None for v in expected]
    assert bits(KINDS[kind](part, spec(2)).values.to_pylist()) == bits(kept)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dim", [None, 3])
def test_a_column_of_nulls_stays_a_column_of_nulls(kind: str, dim: int | None) -> None:
    assert KINDS[kind](wire(kind, [None, None]), spec(dim)).values.to_pylist() == [None, None]


@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_vector_that_pgvector_accepts_is_read(kind: str) -> None:
    numbers = [float(n % 2048) for n in range(16_000)]
    converted = KINDS[kind](wire(kind, [numbers, numbers]), spec(16_000))
    assert converted.values.to_pylist() == [numbers, numbers]
    assert converted.wrong_dims is None


def test_integers_are_widened_for_a_key() -> None:
    converted = plain(pa.array([1, None, -(2**31)], pa.int32()), TypeSpec(MilvusType.INT64))
    assert converted.values.type == pa.int64()
    assert converted.values.to_pylist() == [1, None, -(2**31)]


def bits(vectors: Vectors) -> list[list[tuple[float, float]] | None]:
    """Return the vectors so that −0.0 and 0.0 differ."""
    return [v and [(number, math.copysign(1, number)) for number in v] for v in vectors]
