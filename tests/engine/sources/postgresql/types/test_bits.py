"""Bit strings as Arrow, compared with a slow reading of the same bytes."""

import struct

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.model.types import MilvusType, TypeSpec, arrow_type
from migrations_app.engine.sources.postgresql.types.bits import bits

TEXTS = st.lists(
    st.none() | st.text("01", max_size=25) | st.text("01", min_size=16, max_size=16), max_size=12
)


def wire(texts: list[str | None]) -> pa.Array:
    """Return the bit strings as `bit_send` writes them."""
    return pa.array(
        [None if t is None else struct.pack(">i", len(t)) + packed(t) for t in texts], pa.binary()
    )


def packed(text: str) -> bytes:
    """Return the bits as bytes: highest bit first, the last byte filled with zeros."""
    return bytes(int(text[n : n + 8].ljust(8, "0"), 2) for n in range(0, len(text), 8))


@given(TEXTS, st.sampled_from([8, 16, 24]), st.integers(0, 12), st.integers(0, 12))
def test_bits_arrive_in_order_and_other_lengths_are_type_mismatches(
    texts: list[str | None], dim: int, start: int, length: int
) -> None:
    spec = TypeSpec(MilvusType.BINARY_VECTOR, dim)
    part = wire(texts).slice(min(start, len(texts)), length)
    expected = texts[start : start + length]
    converted = bits(part, spec)
    assert converted.values.type == arrow_type(spec)
    converted.values.validate(full=True)
    assert converted.values.to_pylist() == [packed(t) if t and len(t) == dim else None for t in expected]
    mismatches = [t is not None and len(t) != dim for t in expected]
    assert (
        converted.wrong_dims is None and not any(mismatches)
    ) or converted.wrong_dims.tolist() == mismatches
    if converted.dims is not None:
        assert converted.dims.tolist() == [len(t or "") for t in expected]


def test_many_rows_without_type_mismatches_are_read() -> None:
    spec = TypeSpec(MilvusType.BINARY_VECTOR, 1024)
    texts = [f"{n:01024b}" for n in range(500)]
    assert bits(wire(texts), spec).values.to_pylist() == [packed(text) for text in texts]
