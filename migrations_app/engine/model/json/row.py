"""Row JSON: a rejected row as JSON text, stored with the reason, so that it can be read and retried."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pyarrow as pa

# In a longer row, the longest values are cut and marked with their length.
MAX_ROW_BYTES = 256 * 1024
TEXT_CHARACTERS = 1000
LIST_ITEMS = 500


def row_json(rows: pa.RecordBatch, row: int = 0) -> str:
    """Return row number ``row`` as a JSON object.

    JSON columns become their text, bytes become hex, NaN and infinity become words, dates get the ISO form.
    """
    (values,) = rows.slice(row, 1).to_pylist()
    return document_excerpt(values)


def document_excerpt(document: Any) -> str:
    """Return a decoded document as JSON, like ``row_json``."""
    try:
        plain = _plain(document)
        text = _dumped(plain)
        return (text if len(text) <= MAX_ROW_BYTES else _dumped(_cut(plain))).decode()
    except RecursionError:
        return '"… (too deeply nested)"'


def text_excerpt(text: bytes) -> str:
    """Return the text of a document. If it is long, its longest values are cut, or the text itself if it is
    not JSON."""
    if len(text) <= MAX_ROW_BYTES:
        return text.decode(errors="backslashreplace")
    try:
        return document_excerpt(orjson.loads(text))
    except orjson.JSONDecodeError:
        return str(_cut(text.decode(errors="backslashreplace")))


def _dumped(value: Any) -> bytes:
    try:
        return orjson.dumps(value, default=str)
    except TypeError:  # an integer of more than 64 bits, or half a surrogate pair
        return json.dumps(value, default=str).encode()


def _plain(value: Any) -> Any:
    """Return ``value`` in a form that JSON can store exactly."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > TEXT_CHARACTERS:
        return f"{value[:TEXT_CHARACTERS]}… ({len(value):,} characters)"
    if isinstance(value, list) and len(value) > LIST_ITEMS:
        return [*map(_cut, value[:LIST_ITEMS]), f"… ({len(value):,} items)"]
    if isinstance(value, dict):
        return {key: _cut(item) for key, item in value.items()}
    return [_cut(item) for item in value] if isinstance(value, list) else value
