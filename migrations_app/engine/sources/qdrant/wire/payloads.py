"""Payloads: the payloads of a page as JSON texts.

A payload is a map from key to ``Value`` (``json_with_int.proto``). The values of one level of nesting are
read for all points at once. Each becomes tokens: pieces of the text, with their place in it. In the end, the
tokens of all points are sorted by their place, and the pieces put together.

The server sends the keys of an object in random order; the texts have them in alphabetical order.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import orjson
import pyarrow as pa

from migrations_app.engine.sources.qdrant.wire.fields import (
    FIXED64,
    LENGTH_DELIMITED,
    VARINT,
    Array,
    Malformed,
    fields_of,
    fixed,
    varints_at,
)
from migrations_app.engine.sources.qdrant.wire.texts import escaped, joined, numbers, pieces

# The field numbers of ``Value``, and the wire type of each.
NULL, DOUBLE, INTEGER, STRING, BOOL, STRUCT, LIST = range(1, 8)
_WIRES = np.array([-1, VARINT, FIXED64, VARINT, LENGTH_DELIMITED, VARINT, LENGTH_DELIMITED, LENGTH_DELIMITED])
_KEY, _VALUE = 1, 2
# More deeply nested payloads are left to ``documents``.
MOST_LEVELS = 16
# The tokens of one value: a key or comma, what opens, what is inside, what closes.
_TOKENS = 4
_BEFORE, _OPENS, _INSIDE, _CLOSES = range(_TOKENS)
_CONSTANTS = (b"{", b"}", b"[", b"]", b",", b'"', b"null", b"true", b"false")
_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST, _COMMA, _QUOTE, _NULL, _TRUE, _FALSE = range(9)
# An unsigned integer that does not fit 64 bits with a sign arrives as a double of this range.
_UNSIGNED, _UNSIGNED_END = 2.0**63, 2.0**64


@dataclass(slots=True)
class Payloads:
    """``texts`` (``binary``) has one object per point. Those of the points ``odd`` are not complete.
    ``may_be_rounded``: a double may stand for an integer of more than 63 bits."""

    texts: pa.Array
    odd: Array
    may_be_rounded: bool


@dataclass(slots=True)
class _Tokens:
    places: list[Array] = field(default_factory=list)
    pieces: list[Array] = field(default_factory=list)
    pool: list[pa.Array] = field(default_factory=lambda: [pa.array(_CONSTANTS, pa.binary())])
    size: int = len(_CONSTANTS)

    def add(self, places: Array, kind: int, numbers: Array | int) -> None:
        self.places.append(places * _TOKENS + kind)
        self.pieces.append(np.broadcast_to(np.asarray(numbers), places.shape))

    def stored(self, values: pa.Array) -> Array:
        """Add pieces to the pool, and return their numbers."""
        self.pool.append(values)
        first, self.size = self.size, self.size + len(values)
        return np.arange(first, self.size)


@dataclass(slots=True)
class _Nodes:
    """Values of one level. ``start`` and ``end`` are their bytes, ``place`` is the place of their text."""

    start: Array
    end: Array
    place: Array

    def only(self, chosen: Array) -> _Nodes:
        return _Nodes(self.start[chosen], self.end[chosen], self.place[chosen])


def payload_texts(buffer: Array, owner: Array, starts: Array, ends: Array, points: int) -> Payloads:
    """Return the payloads of ``points`` points. The entries of the point ``owner`` are at ``starts`` to
    ``ends``, in ascending order."""
    reader = _Reader(buffer, points)
    return reader.read(owner, starts, ends)


class _Reader:
    def __init__(self, buffer: Array, points: int) -> None:
        self._buffer = buffer
        self._points = points
        self._tokens = _Tokens()
        self._odd: list[Array] = []
        self._may_be_rounded = False
        # Each point has this many bytes of places for itself.
        self._room = np.int64(len(buffer) + 1)

    def read(self, owner: Array, starts: Array, ends: Array) -> Payloads:
        points = np.arange(self._points)
        self._tokens.add(points * self._room, _OPENS, _OPEN)
        self._tokens.add((points + 1) * self._room - 1, _CLOSES, _CLOSE)
        nodes = self._members(owner, owner * self._room, starts, ends)
        level = 1
        while len(nodes.start) and level < MOST_LEVELS:
            nodes = self._level(nodes)
            level += 1
        self._note_odd(nodes.place)
        return self._result()

    def _note_odd(self, places: Array) -> None:
        self._odd.append(places // self._room)

    def _members(self, owner: Array, parent_place: Array, starts: Array, ends: Array) -> _Nodes:
        """Read map entries, the members of objects; ``owner`` numbers the objects. Adds the tokens of the
        keys, and returns the values."""
        if not len(starts):
            return _Nodes(starts, starts, starts)
        entries, too_many = fields_of(self._buffer, starts, ends)
        self._note_odd(parent_place[too_many])
        key = entries.of(_KEY).ranges(starts)
        value = entries.of(_VALUE).ranges(starts)
        names = pieces(self._buffer, key[0], key[1]).dictionary_encode()
        known = names.dictionary.to_pylist()
        rank = np.empty(len(known), np.int64)
        rank[sorted(range(len(known)), key=known.__getitem__)] = np.arange(len(known))
        code = names.indices.to_numpy()
        order = np.lexsort((rank[code], owner))
        is_first, place = _children(owner[order], parent_place[order], (ends - starts)[order])
        texts = [orjson.dumps(name.decode()) + b":" for name in known]
        first = self._tokens.stored(pa.array(texts, pa.binary()))[0]
        self._tokens.stored(pa.array([b"," + text for text in texts], pa.binary()))
        self._tokens.add(place, _BEFORE, first + code[order] + np.where(is_first, 0, len(known)))
        return _Nodes(value[0][order], value[1][order], place)

    def _items(self, owner: Array, parent_place: Array, starts: Array, ends: Array) -> _Nodes:
        """Add the commas of lists, and return their items."""
        is_first, place = _children(owner, parent_place, ends - starts)
        self._tokens.add(place[~is_first], _BEFORE, _COMMA)
        return _Nodes(starts, ends, place)

    def _level(self, nodes: _Nodes) -> _Nodes:
        """Add the tokens of the values, and return those inside of them."""
        buffer, tokens = self._buffer, self._tokens
        is_empty = nodes.start >= nodes.end
        tokens.add(nodes.place[is_empty], _OPENS, _NULL)
        nodes = nodes.only(~is_empty)
        tag = buffer[nodes.start]
        kind = (tag >> 3).astype(np.int64)
        if (kind < NULL).any() or (kind > LIST).any() or (_WIRES[kind] != tag & 7).any():
            raise Malformed("A value of a payload has an unknown type.")
        inside = nodes.start + 1
        tokens.add(nodes.place[kind == NULL], _OPENS, _NULL)
        if len(found := np.flatnonzero(kind == BOOL)):
            is_true = buffer[inside[found]] != 0
            tokens.add(nodes.place[found], _OPENS, np.where(is_true, _TRUE, _FALSE))
        if len(found := np.flatnonzero(kind == INTEGER)):
            integers = varints_at(buffer, inside[found])[0].view(np.int64)
            tokens.add(nodes.place[found], _OPENS, tokens.stored(numbers(integers)))
        if len(found := np.flatnonzero(kind == DOUBLE)):
            self._doubles(fixed(buffer, inside[found], "<f8"), nodes.place[found])
        sized = np.flatnonzero(kind >= STRING)
        sized = sized[kind[sized] != BOOL]
        if not len(sized):
            return _Nodes(sized, sized, sized)
        length, start = varints_at(buffer, inside[sized])
        end = start + length.astype(np.int64)
        if (end != nodes.end[sized]).any():
            raise Malformed("A value of a payload has an unknown form.")
        place, kind = nodes.place[sized], kind[sized]
        if len(found := np.flatnonzero(kind == STRING)):
            self._strings(start[found], end[found], place[found])
        containers = np.flatnonzero(kind != STRING)
        return self._containers(
            kind[containers] == STRUCT, start[containers], end[containers], place[containers]
        )

    def _doubles(self, values: Array, places: Array) -> None:
        size = np.abs(values)
        self._may_be_rounded |= bool(((values >= _UNSIGNED) & (values < _UNSIGNED_END)).any())
        is_finite = np.isfinite(size)
        if not is_finite.all():
            self._note_odd(places[~is_finite])
            values = np.where(is_finite, values, 0.0)
        self._tokens.add(places, _OPENS, self._tokens.stored(numbers(values)))

    def _strings(self, starts: Array, ends: Array, places: Array) -> None:
        order = np.argsort(starts)
        texts = escaped(pieces(self._buffer, starts[order], ends[order]))
        self._tokens.add(places, _OPENS, _QUOTE)
        self._tokens.add(places[order], _INSIDE, self._tokens.stored(texts))
        self._tokens.add(places, _CLOSES, _QUOTE)

    def _containers(self, is_struct: Array, starts: Array, ends: Array, places: Array) -> _Nodes:
        if not len(starts):
            return _Nodes(starts, starts, starts)
        tokens = self._tokens
        tokens.add(places, _OPENS, np.where(is_struct, _OPEN, _OPEN_LIST))
        # The values inside have the places in between: one place for each byte is enough.
        after = places + (ends - starts) + 1
        tokens.add(after, _CLOSES, np.where(is_struct, _CLOSE, _CLOSE_LIST))
        order = np.argsort(starts)
        starts, ends, places, is_struct = starts[order], ends[order], places[order], is_struct[order]
        inner, too_many = fields_of(self._buffer, starts, ends)
        self._note_odd(places[too_many])
        inner = inner.of(1)
        in_struct = is_struct[inner.owner]
        found: list[_Nodes] = []
        for read, chosen in ((self._members, in_struct), (self._items, ~in_struct)):
            some = inner.where(chosen)
            found.append(read(some.owner, places[some.owner], some.start, some.end))
        members, items = found
        return _Nodes(
            np.concatenate([members.start, items.start]),
            np.concatenate([members.end, items.end]),
            np.concatenate([members.place, items.place]),
        )

    def _result(self) -> Payloads:
        tokens = self._tokens
        places = np.concatenate(tokens.places)
        order = np.argsort(places, kind="stable")
        owner = places[order] // (self._room * _TOKENS)
        counts = np.bincount(owner, minlength=self._points)
        texts = joined(tokens.pool, np.concatenate(tokens.pieces)[order], counts)
        odd = np.unique(np.concatenate(self._odd)) if self._odd else np.zeros(0, np.int64)
        return Payloads(texts, odd, self._may_be_rounded)


def _children(owner: Array, parent_place: Array, sizes: Array) -> tuple[Array, Array]:
    """Return which are the first in their parent, and their places, behind that of the parent. ``owner`` is
    sorted; ``sizes`` are in bytes."""
    is_first = np.ones(len(owner), bool)
    is_first[1:] = owner[1:] != owner[:-1]
    before = np.cumsum(sizes) - sizes
    first = np.flatnonzero(is_first)
    lengths = np.diff(first, append=len(owner))
    return is_first, parent_place + 1 + before - np.repeat(before[first], lengths)
