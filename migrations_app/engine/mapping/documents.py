"""JSON documents as objects whose keys can be taken out, every number kept to the digit.

A document is read into ``Members``: its keys, of equal ones the last, as ``jsonb`` keeps them. A value is
plain Python where writing it again gives the same text, else a ``Raw``. ``written`` makes text of both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

Members = dict[str, Any]

# An object's marks with the blanks around them; an object that ends at once is one mark.
_BEGIN = re.compile(r"[ \t\n\r]*\{[ \t\n\r]*(}?)[ \t\n\r]*")
_COLON = re.compile(r"[ \t\n\r]*(:)[ \t\n\r]*")
_COMMA_OR_END = re.compile(r"[ \t\n\r]*([,}])[ \t\n\r]*")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON.")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant)


@dataclass(frozen=True, slots=True)
class Raw:
    """A value with its ``text``, which may say more than ``value`` does: blanks, digits, equal keys."""

    text: str
    value: Any


def members(text: bytes) -> Members:
    """The keys of an object. Raises ``ValueError`` for any other value, and for what is no JSON."""
    found = _unchanged(text)
    return found if isinstance(found, dict) else _split(text.decode())


def _unchanged(text: bytes) -> Any:
    """The value of a text that is written again as it was read, but for blanks; else None.

    orjson rounds numbers that no double or 64-bit integer holds, drops all but the last of equal keys, and
    writes no more than 254 levels: each is seen in what it writes.
    """
    try:
        found = orjson.loads(text)
        is_same = orjson.dumps(found).replace(b" ", b"") == text.replace(b" ", b"")
    except (ValueError, TypeError):
        return None
    return found if is_same else None


def _split(text: str) -> Members:
    """The keys of an object, each value with the text it has."""
    found: Members = {}
    at, mark = _next(_BEGIN, text, 0)
    while mark != "}":
        key, at = _DECODER.raw_decode(text, at)
        if not isinstance(key, str):
            raise ValueError("A key is no text.")
        begin, _ = _next(_COLON, text, at)
        value, at = _DECODER.raw_decode(text, begin)
        found[key] = None if value is None else Raw(text[begin:at], value)
        at, mark = _next(_COMMA_OR_END, text, at)
    if at < len(text):
        raise ValueError("There is more after its end.")
    return found


def _next(mark: re.Pattern[str], text: str, at: int) -> tuple[int, str]:
    """Where it goes on after a mark and the blanks around it, and which mark that was."""
    found = mark.match(text, at)
    if found is None:
        raise ValueError("It is no object.")
    return found.end(), found[1]


MISSING = object()


def find(document: Members, parts: Sequence[str], missing: Any = None) -> Any:
    """The value at a path; ``missing`` where there is none. A null is None."""
    inner = _inner(document, parts)
    return missing if inner is None else inner.get(parts[-1], missing)


def _inner(document: Members, parts: Sequence[str]) -> Members | None:
    """The object that holds the last part, opened where it was not yet."""
    inner = document
    for part in parts[:-1]:
        child = inner.get(part)
        if isinstance(child, Raw) and isinstance(child.value, dict):
            child = inner[part] = _split(child.text)
        if not isinstance(child, dict):
            return None
        inner = child
    return inner


def remove(document: Members, parts: Sequence[str]) -> None:
    """Take a path out of a document, and the objects that become empty by it."""
    inner = _inner(document, parts)
    if inner is None or parts[-1] not in inner:
        return
    del inner[parts[-1]]
    if not inner and len(parts) > 1:
        remove(document, parts[:-1])


def place(document: Members, parts: Sequence[str], value: Any) -> None:
    """Put a value at a path. What stands on the way to it are objects, or nothing."""
    for part in parts[:-1]:
        document = document.setdefault(part, {})
    document[parts[-1]] = value


def written(value: Any) -> bytes:
    """The JSON text of a value, or of objects that hold such values."""
    return orjson.dumps(value, default=_fragment, option=orjson.OPT_PASSTHROUGH_DATACLASS)


def _fragment(value: Any) -> orjson.Fragment:
    if not isinstance(value, Raw):
        raise TypeError(f"{type(value)} is no JSON value")
    return orjson.Fragment(value.text)
