"""JSON documents: objects whose keys can be removed, without changing a digit of any number.

A document is read into ``Members``, its keys and values. If a key occurs twice, the last one counts, as in
``jsonb``. Values are plain Python. Only if writing the document back would change a number, all its numbers
are stored as their text (``Fragment``). ``to_json`` writes both forms as JSON text; ``plain`` turns both into
Python numbers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from orjson import Fragment

Members = dict[str, Any]

# The deepest nesting that orjson writes.
MAX_DEPTH = 254
MISSING = object()
_ALMOST_ZERO = Decimal("1e-999999")


class TooDeep(ValueError):
    """A document is nested more than ``MAX_DEPTH`` levels deep."""


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON.")


_DECODER = json.JSONDecoder(parse_float=Fragment, parse_int=Fragment, parse_constant=_no_constant)


def members(text: bytes) -> Members:
    """Return the keys and values of an object. ``text`` must not hold half a surrogate pair.

    Raises ``TooDeep``, or ``ValueError`` if the text is not JSON or not an object.
    """
    value = _read_if_exact(text)
    if value is None:
        value = _read_numbers_as_text(text)
    if not isinstance(value, dict):
        raise ValueError("It is not an object.")
    return value


def _read_if_exact(text: bytes) -> Any:
    """Return the value of a text if writing it back gives the same text (except for blanks), else None.

    orjson rounds numbers that do not fit a double or a 64-bit integer, and drops all equal keys except the
    last. Both change the text that it writes.
    """
    try:
        value = orjson.loads(text)
        is_same = orjson.dumps(value).replace(b" ", b"") == text.replace(b" ", b"")
    except (ValueError, TypeError):
        return None
    return value if is_same else None


def _read_numbers_as_text(text: bytes) -> Any:
    """Return the value with each number as its text."""
    try:
        value = _DECODER.decode(text.decode())
        orjson.dumps(value)
    except (RecursionError, orjson.JSONEncodeError):
        raise TooDeep from None
    return value


def to_json(value: Any) -> bytes:
    """Return the JSON text of a value, or of objects that hold such values."""
    return orjson.dumps(value)


def plain(value: Any) -> Any:
    """Return ``value`` with Python numbers: int, or Decimal if there is a point or an exponent."""
    if isinstance(value, Fragment):
        text = orjson.dumps(value).decode()
        return int(text) if text.lstrip("-").isdigit() else _decimal(text)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        # The exponent has 19 digits or more. A double can hold such a number only if it is (almost) zero.
        digits = Decimal(text.lower().partition("e")[0])
        return _ALMOST_ZERO.copy_sign(digits) if digits else digits


def find(document: Members, parts: Sequence[str], missing: Any = None) -> Any:
    """Return the value at a path, or ``missing`` if there is none. A JSON null is None."""
    parent = _parent(document, parts)
    return missing if parent is None else parent.get(parts[-1], missing)


def _parent(document: Members, parts: Sequence[str]) -> Members | None:
    """Return the object that holds the last part, or None if a part of the path is not an object."""
    for part in parts[:-1]:
        inner = document.get(part)
        if not isinstance(inner, dict):
            return None
        document = inner
    return document


def remove(document: Members, parts: Sequence[str]) -> None:
    """Remove the value at a path from a document, and the objects that become empty because of it."""
    parent = _parent(document, parts)
    if parent is None or parts[-1] not in parent:
        return
    del parent[parts[-1]]
    if not parent and len(parts) > 1:
        remove(document, parts[:-1])


def copied(value: Any) -> Any:
    """Return a copy of ``value`` and its objects. Removing a key from one does not change the other."""
    return {key: copied(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def place(document: Members, parts: Sequence[str], value: Any) -> None:
    """Put a value at a path. Each part before the last must be an object or missing."""
    for part in parts[:-1]:
        document = document.setdefault(part, {})
    document[parts[-1]] = value
