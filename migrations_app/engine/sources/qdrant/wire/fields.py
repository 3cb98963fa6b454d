"""Protobuf fields: the fields of many messages, read in parallel with numpy.

All messages are parts of one buffer. Their first fields are read at once, then their second ones, and so on:
the time depends on the message with the most fields. The format:
https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5
# A few messages with many more fields than the others would slow down the whole page: they are left to
# ``documents``.
MOST_FIELDS, FEW_MESSAGES = 256, 16
# The number of zero bytes after the last message, so that a read beyond its end is safe.
PADDING = 16


class Malformed(ValueError):
    """The bytes are not what Qdrant sends."""


def padded(answer: bytes) -> Array:
    return np.frombuffer(answer + bytes(PADDING), np.uint8)


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields of many messages, ordered by message and then as they were sent.

    ``owner`` is the position of the message. A field with a length has its value in ``start`` to ``end``; for
    a varint, ``start`` is the place of its first byte.
    """

    owner: Array
    number: Array
    wire: Array
    start: Array
    end: Array

    def of(self, number: int, wire: int = LENGTH_DELIMITED) -> Fields:
        """Return the fields with this number. Raises ``Malformed`` if one has another wire type."""
        chosen = self.number == number
        if (self.wire[chosen] != wire).any():
            raise Malformed("A field has an unexpected type.")
        return self.where(chosen)

    def where(self, chosen: Array) -> Fields:
        return Fields(
            self.owner[chosen], self.number[chosen], self.wire[chosen], self.start[chosen], self.end[chosen]
        )

    def ranges(self, starts: Array) -> tuple[Array, Array]:
        """Return the start and the end of the last field of each message; empty at the start of the message
        if it has none. ``starts`` are those of all messages."""
        start, end = starts.copy(), starts.copy()
        start[self.owner], end[self.owner] = self.start, self.end
        return start, end


def varints_at(buffer: Array, at: Array) -> tuple[Array, Array]:
    """Return the varints (uint64) that begin at the positions, and the positions after them."""
    byte = buffer[at]
    value = (byte & 0x7F).astype(np.uint64)
    after = at + 1
    more = np.flatnonzero(byte & 0x80)
    shift = 7
    while len(more):
        if shift > 63:
            raise Malformed("A number is too long.")
        byte = buffer[after[more]]
        value[more] |= (byte & 0x7F).astype(np.uint64) << np.uint64(shift)
        after[more] += 1
        more = more[(byte & 0x80) != 0]
        shift += 7
    return value, after


def fields_of(buffer: Array, starts: Array, ends: Array) -> tuple[Fields, Array]:
    """Return the fields of the messages at ``starts`` to ``ends``, which must ascend, and the positions of
    messages with too many of them, whose further fields are missing.

    Raises ``Malformed``.
    """
    rounds: list[tuple[Array, Array, Array, Array, Array]] = []
    owner = np.flatnonzero(starts < ends)
    at, end = starts[owner], ends[owner]
    while len(owner) and (len(rounds) < MOST_FIELDS or len(owner) > FEW_MESSAGES):
        tag, at = varints_at(buffer, at)
        wire = (tag & np.uint64(7)).astype(np.int64)
        start, after = _values(buffer, at, wire, end)
        rounds.append((owner, (tag >> np.uint64(3)).astype(np.int64), wire, start, after))
        left = np.flatnonzero(after < end)
        owner, at, end = owner[left], after[left], end[left]
    if len(rounds) == 1:
        return Fields(*rounds[0]), owner
    parts = [np.concatenate(part) for part in zip(*rounds, strict=True)] or [np.zeros(0, np.int64)] * 5
    # The messages ascend, and so do the values in them.
    order = np.argsort(parts[3], kind="stable")
    return Fields(*(part[order] for part in parts)), owner


def _values(buffer: Array, at: Array, wire: Array, ends: Array) -> tuple[Array, Array]:
    """Return the positions of the values after their tags: the first byte and the one after the last."""
    start, after = at, at.copy()
    sized = np.flatnonzero(wire == LENGTH_DELIMITED)
    if len(sized) == len(wire):
        length, start = varints_at(buffer, at)
        after = start + length.astype(np.int64)
    else:
        start = at.copy()
        if len(sized):
            length, start[sized] = varints_at(buffer, at[sized])
            after[sized] = start[sized] + length.astype(np.int64)
        numbers = np.flatnonzero(wire == VARINT)
        after[numbers] = varints_at(buffer, at[numbers])[1]
        after[wire == FIXED64] += 8
        after[wire == FIXED32] += 4
        if not np.isin(wire, (VARINT, FIXED64, LENGTH_DELIMITED, FIXED32)).all():
            raise Malformed("A field has an unknown type.")
    if (after > ends).any() or (after < start).any():
        raise Malformed("A field is longer than its message.")
    return start, after


def fixed(buffer: Array, at: Array, dtype: str) -> Array:
    """Return the numbers of a fixed width (``<f8``) at the positions."""
    width = np.dtype(dtype).itemsize
    return buffer[at[:, None] + np.arange(width)].reshape(-1).view(dtype)
