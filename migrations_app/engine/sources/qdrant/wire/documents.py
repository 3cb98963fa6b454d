"""Documents: points of an answer as plain Python, one by one.

For what is too rare to be read in parallel: multivectors, deeply nested payloads, values that do not fit.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import orjson

from migrations_app.engine.sources.qdrant.wire.fields import (
    FIXED32,
    FIXED64,
    LENGTH_DELIMITED,
    VARINT,
    Malformed,
)

Document = dict[str, Any]


def point(message: memoryview) -> Document:
    """Return a ``RetrievedPoint``: “id”, “payload” and “vectors” by name (“” is the unnamed one).

    Dense vectors are float32 arrays, multivectors lists of lists of numbers, sparse ones objects with
    “indices” and “values”. The keys of objects are sorted.
    """
    found: Document = {"id": None, "payload": {}, "vectors": {}}
    for number, value in _fields(message):
        if number == 1:
            found["id"] = point_id(value)
        elif number == 2:
            _add_member(found["payload"], value)
        elif number == 4:
            found["vectors"] = dict(_vectors(value))
    found["payload"] = _sorted(found["payload"])
    return found


def point_id(message: memoryview) -> int | str | None:
    """Return a ``PointId``: a number, or a UUID as text."""
    for number, value in _fields(message):
        return value if number == 1 else str(value, "utf-8")
    return None


def _fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """Yield the number and the value of each field: an int, or bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        wire = tag & 7
        if wire == VARINT:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if wire == LENGTH_DELIMITED:
            length, at = _varint(message, at)
        elif wire in (FIXED32, FIXED64):
            length = 4 if wire == FIXED32 else 8
        else:
            raise Malformed("A field has an unknown type.")
        if at + length > len(message):
            raise Malformed("A field is longer than its message.")
        yield tag >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise Malformed("A number is too long.")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _add_member(members: Document, entry: memoryview) -> None:
    parts = dict(_fields(entry))
    members[str(parts.get(1, b""), "utf-8")] = _value(parts.get(2, memoryview(b"")))


def _value(message: memoryview) -> Any:
    for number, value in _fields(message):
        if number in _VALUES:
            return _VALUES[number](value)
        raise Malformed("A value of a payload has an unknown type.")
    return None


def _integer(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _object(message: memoryview) -> Document:
    members: Document = {}
    for _, entry in _fields(message):
        _add_member(members, entry)
    return _sorted(members)


def _sorted(members: Document) -> Document:
    return dict(sorted(members.items()))


_VALUES: dict[int, Callable[[Any], Any]] = {
    1: lambda value: None,
    2: lambda value: struct.unpack("<d", value)[0],
    3: _integer,
    4: lambda value: str(value, "utf-8"),
    5: bool,
    6: _object,
    7: lambda value: [_value(item) for _, item in _fields(value)],
}


# ---------------------------------------------------------------- vectors


def _vectors(message: memoryview) -> Iterator[tuple[str, Any]]:
    for number, value in _fields(message):
        if number == 1:
            yield "", _vector(value)
        elif number == 2:
            for _, entry in _fields(value):
                parts = dict(_fields(entry))
                yield str(parts.get(1, b""), "utf-8"), _vector(parts.get(2, memoryview(b"")))


def _vector(message: memoryview) -> Any:
    parts = dict(_fields(message))
    if 101 in parts:
        return _dense(parts[101])
    if 102 in parts:
        inner = dict(_fields(parts[102]))
        return _sparse(inner.get(1, b""), inner.get(2, b""))
    if 103 in parts:
        return [_numbers(_dense(value)) for _, value in _fields(parts[103])]
    # Servers before 1.17.
    data = parts.get(1, b"")
    if 2 in parts:
        return _sparse(data, dict(_fields(parts[2])).get(1, b""))
    floats = np.frombuffer(data, "<f4")
    return _numbers(floats.reshape(parts[3], -1)) if parts.get(3) else floats


def _numbers(floats: Any) -> Any:
    """Return Python floats with the shortest text of the same float32, as by REST."""
    return orjson.loads(orjson.dumps(floats, option=orjson.OPT_SERIALIZE_NUMPY))


def _dense(message: memoryview) -> Any:
    return np.frombuffer(dict(_fields(message)).get(1, b""), "<f4")


def _sparse(values: memoryview | bytes, packed: memoryview | bytes) -> Document:
    indices, at, message = [], 0, memoryview(packed)
    while at < len(message):
        index, at = _varint(message, at)
        indices.append(index)
    return {"indices": indices, "values": np.frombuffer(values, "<f4").tolist()}
