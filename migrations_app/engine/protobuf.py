"""Protocol Buffers encoder: encodes whole columns at once, directly from Arrow's buffers.

The format: https://protobuf.dev/programming-guides/encoding. A message is a list of buffers (``Chunks``) that
are joined once at the end. A column of byte strings is an Arrow ``binary`` array.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

VARINT, LENGTH_DELIMITED = 0, 2
# Longer than any VARCHAR or JSON value. The heads (tag and length) for all shorter lengths are cached.
KNOWN_LENGTHS = 65_537
Chunks: TypeAlias = list[bytes | memoryview]
Array: TypeAlias = npt.NDArray[Any]


def varint(value: int) -> bytes:
    """Encode ``value`` (0 or more) with seven bits per byte, the lowest bits first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number: int, wire_type: int) -> int:
    """Return the tag that precedes a field's value. For field numbers up to 15, it fits one byte; no higher
    numbers are encoded."""
    return number << 3 | wire_type


def size_bytes(chunks: Chunks) -> int:
    return sum(len(chunk) for chunk in chunks)


def message(number: int, body: Chunks) -> Chunks:
    """Encode ``body`` (a submessage, packed list, text or bytes) as field ``number``, even if it is empty."""
    return [bytes([tag(number, LENGTH_DELIMITED)]) + varint(size_bytes(body)), *body]


def integer(number: int, value: int) -> Chunks:
    """Encode a number of 0 or more, or a boolean, as field ``number``. As in proto3, 0 is left out."""
    return [bytes([tag(number, VARINT)]) + varint(value)] if value else []


def text(number: int, value: str) -> Chunks:
    """Encode a text as field ``number``. An empty text is left out."""
    return message(number, [value.encode()]) if value else []


def packed(number: int, data: memoryview) -> Chunks:
    """Encode a packed list as field ``number``. An empty list is left out."""
    return message(number, [data]) if len(data) else []


def raw(values: Array) -> memoryview:
    """Return the bytes of a numpy array, without a copy if it is contiguous."""
    flat: Any = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    return memoryview(flat)


def varints(values: Array) -> tuple[Array, Array]:
    """Return all ``values`` as consecutive varints (uint8), and the number of bytes of each. A negative value
    has ten bytes."""
    digits, used = _digits(values)
    return digits[used], np.count_nonzero(used, axis=1)


def _digits(values: Array) -> tuple[Array, Array]:
    """Return the varint of each value as a row of bytes (n × width), and a mask of the used bytes."""
    unsigned = values.astype(np.int64).view(np.uint64)
    width = max(1, -(-int(unsigned.max(initial=0)).bit_length() // 7))
    rest = unsigned[:, None] >> np.arange(0, 7 * width, 7, dtype=np.uint64)
    used = rest > 0
    used[:, 0] = True
    digits = (rest & np.uint64(0x7F)).astype(np.uint8)
    digits[:, :-1] |= used[:, 1:].astype(np.uint8) << 7
    return digits, used


def ends_of(lengths: Array) -> Array:
    """Return the n + 1 offsets of n consecutive items with these lengths."""
    ends = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=ends[1:])
    return ends


def strings(data: Array | memoryview, ends: Array) -> pa.Array:
    """Return consecutive byte strings in ``data`` as an array. ``ends`` are their n + 1 offsets in bytes."""
    offsets = np.ascontiguousarray(ends, np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, buffers)


def repeated(number: int, values: pa.Array, *, skip_empty: bool = False) -> pa.Array:
    """Encode each of ``values`` (binary or string, no nulls) as field ``number``: tag, length, bytes.

    ``skip_empty``: an empty value becomes an empty byte string, as proto3 does with an empty packed list.
    """
    lengths = pc.binary_length(values)
    is_known = len(values) > 0 and pc.max(lengths).as_py() < KNOWN_LENGTHS
    heads = _known_heads(number).take(lengths) if is_known else _heads(number, lengths.to_numpy())
    if skip_empty:
        heads = pc.if_else(pc.greater(lengths, 0), heads, b"")
    # ``take`` is the fastest way to interleave heads and values.
    order = np.arange(2 * len(values)).reshape(2, -1).T.reshape(-1)
    interleaved = pa.concat_arrays([heads, values.cast(pa.binary())]).take(pa.array(order))
    return strings(joined(interleaved), _inner_ends(interleaved)[::2])


@cache
def _known_heads(number: int) -> pa.Array:
    return _heads(number, np.arange(KNOWN_LENGTHS))


def _heads(number: int, lengths: Array) -> pa.Array:
    """Return the bytes that precede values of these lengths: tag and length."""
    digits, used = _digits(lengths)
    heads = np.insert(digits, 0, tag(number, LENGTH_DELIMITED), axis=1)
    used = np.insert(used, 0, True, axis=1)
    return strings(heads[used], ends_of(np.count_nonzero(used, axis=1)))


def joined(values: pa.Array) -> memoryview:
    """Return the bytes of all values of a binary array, without a copy."""
    if len(values) == 0 or values.buffers()[2] is None:
        return memoryview(b"")
    ends = _inner_ends(values)
    return memoryview(values.buffers()[2])[ends[0] : ends[-1]]


def grouped(values: pa.Array, ends: Array) -> pa.Array:
    """Join consecutive byte strings: group i is ``values[ends[i]:ends[i + 1]]``."""
    if len(values) == 0:
        return strings(memoryview(b""), np.zeros_like(ends))
    return strings(memoryview(values.buffers()[2] or b""), _inner_ends(values)[ends])


def _inner_ends(values: pa.Array) -> Array:
    ends = np.frombuffer(values.buffers()[1], np.int32)
    return ends[values.offset : values.offset + len(values) + 1]
