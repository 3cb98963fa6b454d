"""Sparse vectors of pgvector as Arrow, compared with a slow reading of the same bytes."""

import struct

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.model.types import MilvusType, TypeSpec, arrow_type
from migrations_app.engine.sources.postgresql.types.sparse import sparsevec

SPEC = TypeSpec(MilvusType.SPARSE_FLOAT_VECTOR)
VALUES = st.floats(width=32, allow_nan=False, allow_infinity=False).filter(bool)
VECTORS = st.lists(st.none() | st.dictionaries(st.integers(0, 10**9 - 1), VALUES, max_size=5), max_size=12)

Vectors = list[dict[int, float] | None]


def wire(vectors: Vectors) -> pa.Array:
    """Return the vectors as `sparsevec_send` writes them."""
    return pa.array([None if v is None else _sent(v) for v in vectors], pa.binary())


def _sent(vector: dict[int, float]) -> bytes:
    n, entries = len(vector), dict(sorted(vector.items()))
    return struct.pack(f">iii{n}i{n}f", 10**9, n, 0, *entries, *entries.values())


def read(vectors: pa.Array) -> Vectors:
    converted = sparsevec(vectors, SPEC).values
    assert converted.type == arrow_type(SPEC)
    converted.validate(full=True)
    return [v and {e["index"]: e["value"] for e in v} if v else v for v in map(_plain, converted.to_pylist())]


def _plain(entries: list[dict[str, float]] | None) -> list[dict[str, float]] | None:
    if entries is not None:
        assert [e["index"] for e in entries] == sorted(e["index"] for e in entries)
    return entries


@given(VECTORS, st.integers(0, 12), st.integers(0, 12))
def test_indices_and_values_arrive_unchanged(vectors: Vectors, start: int, length: int) -> None:
    part = wire(vectors).slice(min(start, len(vectors)), length)
    expected = [[] if v == {} else v for v in vectors[start : start + length]]
    assert read(part) == expected


@pytest.mark.parametrize("vectors", [[], [None], [None, None], [{}], [None, {}, None]])
def test_vectors_without_entries_are_read(vectors: Vectors) -> None:
    assert read(wire(vectors)) == [[] if v == {} else v for v in vectors]


def test_the_largest_vector_that_pgvector_accepts_is_read() -> None:
    vector = {62_500 * n: float(n + 1) for n in range(16_000)}
    assert read(wire([vector, None, vector])) == [vector, None, vector]
