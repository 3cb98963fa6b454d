"""JSON documents as objects whose keys can be taken out, every number kept to the digit.

A document is read into ``Members``: its keys, of equal ones the last, as ``jsonb`` keeps them. Values are
plain Python; but where writing a document again would change a number, all its numbers are ``Fragment``,
their text. ``written`` makes text of both, ``plain`` numbers of both.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from orjson import Fragment

Members = dict[str, Any]

# So many levels are written again (orjson).
MAX_DEPTH = 254
MISSING = object()
_NEXT_TO_ZERO = Decimal("1e-999999")


class TooDeep(ValueError):
    """A document is nested more than ``MAX_DEPTH`` levels deep."""


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON.")


_DECODER = json.JSONDecoder(parse_float=Fragment, parse_int=Fragment, parse_constant=_no_constant)


def members(text: bytes) -> Members:
    """The keys of an object, of a text without half a surrogate pair. Raises ``TooDeep``, and ``ValueError``
    for any other value and for what is no JSON."""
    found = _unchanged(text)
    if found is None:
        found = _with_texts(text)
    if not isinstance(found, dict):
        raise ValueError("It is no object.")
    return found


def _unchanged(text: bytes) -> Any:
    """The value of a text that is written again as it was read, but for blanks; else None.

    orjson rounds numbers that no double or 64-bit integer holds, and drops all but the last of equal keys:
    either is seen in what it writes.
    """
    try:
        found = orjson.loads(text)
        is_same = orjson.dumps(found).replace(b" ", b"") == text.replace(b" ", b"")
    except (ValueError, TypeError):
        return None
    return found if is_same else None


def _with_texts(text: bytes) -> Any:
    """The value with each number as its text."""
    try:
        found = _DECODER.decode(text.decode())
        orjson.dumps(found)
    except (RecursionError, orjson.JSONEncodeError):
        raise TooDeep from None
    return found


def written(value: Any) -> bytes:
    """The JSON text of a value, or of objects that hold such values."""
    return orjson.dumps(value)


def plain(value: Any) -> Any:
    """``value`` with numbers for their texts: int, or Decimal where they have a point or an exponent."""
    if isinstance(value, Fragment):
        text = orjson.dumps(value).decode()
        return int(text) if text.lstrip("-").isdigit() else _decimal(text)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # An exponent of 19 digits: what a double holds of such is zero, or next to it.
        digits = Decimal(text.lower().partition("e")[0])
        return _NEXT_TO_ZERO.copy_sign(digits) if digits else digits


def find(document: Members, parts: Sequence[str], missing: Any = None) -> Any:
    """The value at a path; ``missing`` where there is none. A null is None."""
    inner = _inner(document, parts)
    return missing if inner is None else inner.get(parts[-1], missing)


def _inner(document: Members, parts: Sequence[str]) -> Members | None:
    """The object that holds the last part; None where there is none on the way."""
    for part in parts[:-1]:
        inner = document.get(part)
        if not isinstance(inner, dict):
            return None
        document = inner
    return document


def remove(document: Members, parts: Sequence[str]) -> None:
    """Take a path out of a document, and the objects that become empty by it."""
    inner = _inner(document, parts)
    if inner is None or parts[-1] not in inner:
        return
    del inner[parts[-1]]
    if not inner and len(parts) > 1:
        remove(document, parts[:-1])


def copied(value: Any) -> Any:
    """``value`` with objects of its own, so that what is taken out of one stays in the other."""
    return {key: copied(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def place(document: Members, parts: Sequence[str], value: Any) -> None:
    """Put a value at a path. What stands on the way to it are objects, or nothing."""
    for part in parts[:-1]:
        document = document.setdefault(part, {})
    document[parts[-1]] = value
