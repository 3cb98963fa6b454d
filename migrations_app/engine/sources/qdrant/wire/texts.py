"""Byte strings: pieces of a buffer, and JSON texts made of pieces, without a loop over the rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import orjson
import pyarrow as pa

from migrations_app.engine.sources.qdrant.wire.fields import Array

# In JSON, these bytes cannot stand in a string as they are.
_ESCAPED = np.zeros(256, bool)
_ESCAPED[:0x20] = True
_ESCAPED[[ord('"'), ord("\\")]] = True
_COMMA = ord(",")


def strings(data: Array | bytes, ends: Array) -> pa.Array:
    """Return consecutive byte strings in ``data`` (``binary``). ``ends`` are their n + 1 offsets."""
    offsets = np.ascontiguousarray(ends, np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, buffers)


def pieces(data: Array | bytes, starts: Array, ends: Array) -> pa.Array:
    """Return the byte strings at ``starts`` to ``ends``, which must ascend, as an array of their own."""
    offsets = np.empty(2 * len(starts) + 1, np.int64)
    offsets[0] = 0
    offsets[1::2], offsets[2::2] = starts, ends
    # Every other string is one of those between the pieces.
    return strings(data, offsets).take(pa.array(np.arange(1, len(offsets), 2)[: len(starts)]))


def bytes_of(values: pa.Array) -> Array:
    """Return all bytes of an array of byte strings that has no offset."""
    data = values.buffers()[2]
    return np.frombuffer(data, np.uint8)[: ends_of(values)[-1]] if data else np.zeros(0, np.uint8)


def ends_of(values: pa.Array) -> Array:
    """Return the n + 1 offsets of the strings of an array that has no offset."""
    if not len(values):
        return np.zeros(1, np.int32)
    return np.frombuffer(values.buffers()[1], np.int32)[: len(values) + 1]


def numbers(values: Array) -> pa.Array:
    """Return the JSON texts of numbers, which must be finite."""
    if not len(values):
        return pa.array([], pa.binary())
    text = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    commas = np.flatnonzero(np.frombuffer(text, np.uint8) == _COMMA)
    starts = np.concatenate([[1], commas + 1])
    return pieces(text, starts, np.concatenate([commas, [len(text) - 1]]))


def escaped(values: pa.Array) -> pa.Array:
    """Return byte strings as they stand in JSON between the quotes."""
    ends = ends_of(values)
    filled = np.flatnonzero(ends[:-1] < ends[1:])
    if not len(filled):
        return values
    is_special = _ESCAPED[bytes_of(values)]
    rows = filled[np.logical_or.reduceat(is_special, ends[:-1][filled])]
    if not len(rows):
        return values
    texts = [orjson.dumps(text.decode())[1:-1] for text in values.take(pa.array(rows)).to_pylist()]
    replaced = pa.array(texts, pa.binary())
    if len(rows) == len(values):
        return replaced
    order = np.arange(len(values))
    order[rows] = len(values) + np.arange(len(rows))
    return pa.concat_arrays([values, replaced]).take(pa.array(order))


def joined(pool: Sequence[pa.Array], order: Array, counts: Array) -> pa.Array:
    """Put pieces together: the first ``counts[0]`` numbers of ``order`` name the pieces of the first text.

    The numbers count through all arrays of ``pool``.
    """
    flat = pa.concat_arrays(pool).take(pa.array(order))
    ends = np.concatenate([[0], np.cumsum(counts)])
    return strings(bytes_of(flat), ends_of(flat)[ends])
