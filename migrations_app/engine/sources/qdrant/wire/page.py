"""Page: the points of one gRPC answer, read column by column."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from migrations_app.engine.sources.qdrant.wire import documents
from migrations_app.engine.sources.qdrant.wire.fields import (
    FIXED64,
    LENGTH_DELIMITED,
    VARINT,
    Array,
    Fields,
    Malformed,
    fields_of,
    padded,
    varints_at,
)
from migrations_app.engine.sources.qdrant.wire.payloads import Payloads, payload_texts
from migrations_app.engine.sources.qdrant.wire.texts import bytes_of, ends_of, pieces

# The number of the field with the points in a ``ScrollResponse`` and in a ``GetResponse``.
SCROLLED, GOT = 2, 1
# The fields of a ``RetrievedPoint``.
_ID, _PAYLOAD, _VECTORS = 1, 2, 4
_NUMBER, _UUID = 1, 2
_UNNAMED, _NAMED = 1, 2
# The fields of a ``VectorOutput``. Servers before 1.17 fill the first three.
_DATA, _INDICES, _COUNT, _DENSE, _SPARSE = 1, 2, 3, 101, 102


@dataclass(frozen=True, slots=True)
class Dense:
    """``floats`` (float32) are the vectors of the points ``rows``, one after another, ``sizes`` each."""

    rows: Array
    floats: Array
    sizes: Array


@dataclass(frozen=True, slots=True)
class Sparse:
    """``indices`` (uint64) and ``values`` (float32) of the points ``rows``, ``sizes`` each."""

    rows: Array
    indices: Array
    values: Array
    sizes: Array


class Page:
    """The points of an answer. Its methods raise ``Malformed`` for bytes that Qdrant does not send."""

    def __init__(self, answer: bytes, field: int = SCROLLED) -> None:
        self._answer = memoryview(answer)
        self.starts, self.ends, self.next_id = _outline(self._answer, field)
        self._buffer = padded(answer)

    def __len__(self) -> int:
        return len(self.starts)

    def document(self, row: int) -> documents.Document:
        return documents.point(self._answer[self.starts[row] : self.ends[row]])

    @property
    def size_bytes(self) -> int:
        return len(self._answer)

    @property
    def has_rounded_integers(self) -> bool:
        """True if a number of a payload may be an integer that the server had to round."""
        return self.payloads.may_be_rounded

    def id_list(self) -> list[int | str]:
        is_number, numbers, uuids = self.ids
        if is_number.all():
            return list(numbers.tolist())
        texts, values = iter(uuids.cast(pa.string()).to_pylist()), iter(numbers.tolist())
        return [next(values) if each else next(texts) for each in is_number.tolist()]

    @cached_property
    def _fields(self) -> tuple[Fields, Array]:
        return fields_of(self._buffer, self.starts, self.ends)

    @cached_property
    def ids(self) -> tuple[Array, Array, pa.Array]:
        """For each point whether its id is a number, the numbers (uint64), and the UUIDs (``binary``)."""
        start, end = self._fields[0].of(_ID).ranges(self.starts)
        if (start >= end).any():
            raise Malformed("A point has no id.")
        tag = self._buffer[start]
        is_number = tag == (_NUMBER << 3 | VARINT)
        if not (is_number | (tag == (_UUID << 3 | LENGTH_DELIMITED))).all():
            raise Malformed("The id of a point has an unknown type.")
        numbers, _ = varints_at(self._buffer, start[is_number] + 1)
        length, first = varints_at(self._buffer, start[~is_number] + 1)
        return is_number, numbers, pieces(self._buffer, first, first + length.astype(np.int64))

    @cached_property
    def payloads(self) -> Payloads:
        fields, too_many = self._fields
        entries = fields.of(_PAYLOAD)
        found = payload_texts(self._buffer, entries.owner, entries.start, entries.end, len(self))
        found.odd = np.union1d(found.odd, too_many)
        return found

    # ------------------------------------------------------------ vectors

    @cached_property
    def _vectors(self) -> tuple[pa.Array, Fields]:
        """All vectors of all points: their names, and their ``VectorOutput``s by point."""
        fields = self._fields[0].of(_VECTORS)
        inner, _ = fields_of(self._buffer, fields.start, fields.end)
        unnamed, named = inner.of(_UNNAMED), inner.of(_NAMED)
        if len(unnamed.owner) and len(named.owner):
            raise Malformed("Some points have named vectors, some an unnamed one.")
        if len(unnamed.owner):
            names = pa.array([b""], pa.binary()).take(pa.array(np.zeros(len(unnamed.owner), np.int64)))
            return names, _owned(unnamed, fields.owner)
        entries, _ = fields_of(self._buffer, named.start, named.end)
        parts, _ = fields_of(self._buffer, entries.start, entries.end)
        names = pieces(self._buffer, *parts.of(1).ranges(entries.start))
        start, end = parts.of(2).ranges(entries.start)
        owner = fields.owner[named.owner[entries.owner]]
        return names, Fields(owner, entries.number, entries.wire, start, end)

    def _outputs(self, name: str) -> tuple[Array, Array, Fields]:
        """Return the points that have the vector, where their ``VectorOutput``s begin, and the fields of
        these."""
        names, vectors = self._vectors
        chosen = np.flatnonzero(_equal(names, name))
        fields, too_many = fields_of(self._buffer, vectors.start[chosen], vectors.end[chosen])
        if len(too_many):
            raise Malformed("A vector has an unknown form.")
        return vectors.owner[chosen], vectors.start[chosen], fields

    def dense(self, name: str) -> Dense:
        rows, _, fields = self._outputs(name)
        data = fields.of(_DATA)
        if len(wrapped := fields.of(_DENSE).owner):
            outer = fields.of(_DENSE)
            inner, _ = fields_of(self._buffer, outer.start, outer.end)
            data = _owned(inner.of(1), wrapped)
        if len(data.owner) != len(rows):
            raise Malformed("A dense vector has an unknown form.")
        floats = bytes_of(pieces(self._buffer, data.start, data.end)).view("<f4")
        return Dense(rows, floats, (data.end - data.start) // 4)

    def sparse(self, name: str) -> Sparse:
        rows, base, fields = self._outputs(name)
        if len(fields.of(_SPARSE).owner):
            outer = fields.of(_SPARSE)
            base = outer.start
            inner, _ = fields_of(self._buffer, outer.start, outer.end)
            values, indices = inner.of(1).ranges(base), inner.of(2).ranges(base)
        else:
            values, outer = fields.of(_DATA).ranges(base), fields.of(_INDICES)
            inner, _ = fields_of(self._buffer, outer.start, outer.end)
            indices = _owned(inner.of(1), outer.owner).ranges(base)
        if len(values[0]) != len(rows):
            raise Malformed("A sparse vector has an unknown form.")
        weights = bytes_of(pieces(self._buffer, *values)).view("<f4")
        packed = pieces(self._buffer, *indices)
        numbers, sizes = _packed(bytes_of(packed), ends_of(packed))
        if (sizes * 4 != values[1] - values[0]).any():
            raise Malformed("A sparse vector has another number of indices than of values.")
        return Sparse(rows, numbers, weights, sizes)


def _outline(answer: memoryview, field: int) -> tuple[Array, Array, int | str | None]:
    """Return where the points of an answer are, and the id of the first point of the next page."""
    points = field << 3 | LENGTH_DELIMITED
    next_id: int | str | None = None
    starts: list[int] = []
    ends: list[int] = []
    at, size = 0, len(answer)
    while at < size:
        tag = answer[at]
        at += 1
        if tag & 7 == FIXED64:
            at += 8
            continue
        value = answer[at]
        at += 1
        if value & 0x80:
            value &= 0x7F
            shift = 7
            while True:
                byte = answer[at]
                at += 1
                value |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
        if tag & 7 != LENGTH_DELIMITED:
            if tag & 7 != VARINT:
                raise Malformed("The answer has an unknown form.")
            continue
        if tag == points:
            starts.append(at)
            ends.append(at + value)
        elif tag == (1 << 3 | LENGTH_DELIMITED) and field == SCROLLED:
            next_id = documents.point_id(answer[at : at + value])
        at += value
    if at != size:
        raise Malformed("The answer ends too early.")
    return np.array(starts, np.int64), np.array(ends, np.int64), next_id


def _owned(fields: Fields, owners: Array) -> Fields:
    """Return fields of messages that are themselves fields of ``owners``, with these as owners."""
    return Fields(owners[fields.owner], fields.number, fields.wire, fields.start, fields.end)


def _equal(names: pa.Array, name: str) -> Array:
    wanted = name.encode()
    encoded = names.dictionary_encode()
    codes = [code for code, known in enumerate(encoded.dictionary.to_pylist()) if known == wanted]
    return np.isin(encoded.indices.to_numpy(), codes)


def _packed(data: Array, ends: Array) -> tuple[Array, Array]:
    """Return the varints of packed lists, and how many each list has. ``ends`` are the offsets of the lists
    in ``data``."""
    last = np.flatnonzero(data < 0x80)
    starts = np.concatenate([[0], last[:-1] + 1]) if len(last) else last
    numbers, _ = varints_at(np.concatenate([data, np.zeros(1, np.uint8)]), starts)
    return numbers, np.diff(np.searchsorted(last, ends))
