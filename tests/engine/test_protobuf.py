"""Protobuf encoder: the same bytes as the protobuf library."""

import numpy as np
import pyarrow as pa
from google.protobuf.internal.encoder import _VarintBytes
from hypothesis import given, settings
from hypothesis import strategies as st

from migrations_app.engine import protobuf as pb

without_deadline = settings(deadline=None)
INT64 = st.integers(-(2**63), 2**63 - 1)


@without_deadline
@given(st.integers(0, 2**64 - 1))
def test_a_number_is_encoded_as_the_protobuf_library_does(value):
    assert pb.varint(value) == _VarintBytes(value)


@without_deadline
@given(st.lists(INT64))
def test_a_column_of_numbers_is_encoded_as_consecutive_numbers(values):
    expected = [_VarintBytes(value % 2**64) for value in values]

    encoded, lengths = pb.varints(np.array(values, dtype=np.int64))

    assert encoded.tobytes() == b"".join(expected)
    assert lengths.tolist() == [len(part) for part in expected]


@without_deadline
@given(st.lists(st.binary(max_size=300)), st.data())
def test_each_byte_string_gets_its_tag_and_length_even_in_a_slice(values, data):
    start = data.draw(st.integers(0, len(values)))
    column = pa.array(values, pa.binary())[start:]

    encoded = pb.repeated(1, column)

    assert encoded.to_pylist() == [b"\x0a" + _VarintBytes(len(v)) + v for v in values[start:]]
    assert bytes(pb.joined(encoded)) == b"".join(encoded.to_pylist())


def test_empty_byte_strings_are_skipped_on_request():
    column = pa.array([b"", b"x", b""], pa.binary())

    assert pb.repeated(3, column, skip_empty=True).to_pylist() == [b"", b"\x1a\x01x", b""]


@without_deadline
@given(st.lists(st.lists(st.binary(max_size=5), max_size=4)))
def test_the_values_of_a_group_are_joined(groups):
    flat = pa.array([value for group in groups for value in group], pa.binary())
    ends = pb.ends_of(np.array([len(group) for group in groups], dtype=np.int64))

    assert pb.grouped(flat, ends).to_pylist() == [b"".join(group) for group in groups]


def test_values_that_proto3_leaves_out_are_not_written():
    assert pb.integer(7, 0) == []
    assert pb.text(2, "") == []
    assert pb.packed(1, memoryview(b"")) == []
    assert b"".join(pb.message(5, [])) == b"\x2a\x00"
