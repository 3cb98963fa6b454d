import numpy as np
import pyarrow as pa
from google.protobuf.internal.encoder import _VarintBytes
from hypothesis import given, settings
from hypothesis import strategies as st

from migrations_app.engine.milvus import protobuf as pb

untimed = settings(deadline=None)
INT64 = st.integers(-(2**63), 2**63 - 1)


@untimed
@given(st.integers(0, 2**64 - 1))
def test_one_number_is_encoded_as_the_protobuf_library_does(value):
    assert pb.varint(value) == _VarintBytes(value)


@untimed
@given(st.lists(INT64))
def test_a_column_of_numbers_is_the_numbers_one_after_another(values):
    expected = [_VarintBytes(value % 2**64) for value in values]

    encoded, lengths = pb.varints(np.array(values, dtype=np.int64))

    assert encoded.tobytes() == b"".join(expected)
    assert lengths.tolist() == [len(part) for part in expected]


@untimed
@given(st.lists(st.binary(max_size=300)), st.data())
def test_each_byte_string_gets_its_tag_and_length_also_in_a_slice(values, data):
    start = data.draw(st.integers(0, len(values)))
    column = pa.array(values, pa.binary())[start:]

    encoded = pb.repeated(1, column)

    assert encoded.to_pylist() == [b"\x0a" + _VarintBytes(len(v)) + v for v in values[start:]]
    assert bytes(pb.joined(encoded)) == b"".join(encoded.to_pylist())


def test_empty_byte_strings_leave_nothing_where_asked():
    column = pa.array([b"", b"x", b""], pa.binary())

    assert pb.repeated(3, column, skip_empty=True).to_pylist() == [b"", b"\x1a\x01x", b""]


@untimed
@given(st.lists(st.lists(st.binary(max_size=5), max_size=4)))
def test_neighbours_are_joined_by_group(groups):
    flat = pa.array([value for group in groups for value in group], pa.binary())
    ends = pb.ends_of(np.array([len(group) for group in groups], dtype=np.int64))

    assert pb.grouped(flat, ends).to_pylist() == [b"".join(group) for group in groups]


def test_nothing_is_written_for_what_proto3_leaves_out():
    assert pb.integer(7, 0) == []
    assert pb.text(2, "") == []
    assert pb.packed(1, memoryview(b"")) == []
    assert b"".join(pb.message(5, [])) == b"\x2a\x00"
