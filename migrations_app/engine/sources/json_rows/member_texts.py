"""Member texts: the text of a value inside the text of a JSON document, unchanged.

The document must be valid JSON, because these patterns only find where values end.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import orjson

_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_BLANKS = b" \t\r\n"


def _nested(inner: bytes) -> bytes:
    """The pattern of a list or object whose own lists and objects match ``inner``."""
    return rb'[\[{](?:[^"\[\]{}]++|' + _STRING + rb"|" + inner + rb")*+[\]}]"


# A list or object without another one inside, then one and two levels more. Deeper ones are counted.
_FLAT = rb'[\[{](?:[^"\[\]{}]++|' + _STRING + rb")*+[\]}]"
_VALUE = re.compile(_STRING + rb'|[^,\[\]{}"\s]++|' + _nested(_nested(_FLAT)), re.DOTALL)
_KEY = re.compile(rb"[\s{,]*+(" + _STRING + rb")\s*+:\s*+", re.DOTALL)
_BRACKET = re.compile(_STRING + rb"|[\[\]{}]", re.DOTALL)


def text_at(text: bytes, place: tuple[str, ...], without: Collection[str] = ()) -> bytes:
    """Return the text of the value at ``place``, which must exist. ``without``: keys to leave out if the
    value is an object. If a key occurs twice, the last one counts."""
    for key in place:
        value = slice(0)
        for name, _, start, end in _members(text):
            if name == key:
                value = slice(start, end)
        text = text[value]
    text = text.strip(_BLANKS)
    if not without or not text.startswith(b"{"):
        return text
    kept = [text[start:end] for name, start, _, end in _members(text) if name not in without]
    return b"{" + b",".join(kept) + b"}"


def _members(text: bytes) -> Iterator[tuple[str, int, int, int]]:
    """Yield the keys of an object, and the positions of the key, of its value and of the end."""
    position = 0
    while (match := _KEY.match(text, position)) is not None:
        key, start = match[1], match.end()
        name: str = orjson.loads(key) if b"\\" in key else key[1:-1].decode()
        position = _end_of_value(text, start)
        yield name, match.start(1), start, position


def _end_of_value(text: bytes, start: int) -> int:
    if text[start] == ord("["):
        # Most long values are lists of numbers. Looking for bytes is much faster than a pattern.
        end = text.find(b"]", start)
        if not any(text.find(byte, start + 1, end) >= 0 for byte in (b"[", b"{", b'"')):
            return end + 1
    match = _VALUE.match(text, start)
    return match.end() if match is not None else _end_of_deep_value(text, start)


def _end_of_deep_value(text: bytes, start: int) -> int:
    depth = 0
    for match in _BRACKET.finditer(text, start):
        if match[0] in (b"[", b"{"):
            depth += 1
        elif match[0] in (b"]", b"}"):
            depth -= 1
            if depth == 0:
                return match.end()
    raise ValueError("The text is not valid JSON.")
