"""Row excerpt: a rejected row as JSON text, stored with the reason, so that it can be read and retried."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pyarrow as pa

# In a longer row, the longest values are cut and marked with their length.
MAX_ROW_BYTES = 256 * 1024
TEXT_CHARACTERS = 1000
LIST_ITEMS = 500


def row_excerpt(rows: pa.RecordBatch, row: int = 0) -> str:
    """Return row number ``row`` as a JSON object.

    JSON columns become their text, bytes become hex, NaN and infinity become words, dates get the ISO form.
    """
    (values,) = rows.slice(row, 1).to_pylist()
    text = orjson.dumps({name: _plain(value) for name, value in values.items()}, default=str)
    if len(text) > MAX_ROW_BYTES:
        text = orjson.dumps({name: _cut(_plain(value)) for name, value in values.items()}, default=str)
    return text.decode()


def _plain(value: Any) -> Any:
    """Return ``value`` in a form that JSON can store exactly."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > TEXT_CHARACTERS:
        return f"{value[:TEXT_CHARACTERS]}… ({len(value):,} characters)"
    if isinstance(value, list) and len(value) > LIST_ITEMS:
        return [*map(_cut, value[:LIST_ITEMS]), f"… ({len(value):,} items)"]
    return [_cut(item) for item in value] if isinstance(value, list) else value
