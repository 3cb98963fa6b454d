"""A row as JSON text: what stands beside the reason why it was rejected, to be read and to be retried."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pyarrow as pa

# Past this the longest values of a row are cut, and say so.
MAX_ROW_BYTES = 256 * 1024
TEXT_CHARACTERS = 1000
LIST_ITEMS = 500


def row_excerpt(rows: pa.RecordBatch, row: int = 0) -> str:
    """Row number ``row`` as a JSON object.

    JSON columns stand as their text, bytes as hex, NaN and infinity as words, dates in ISO form.
    """
    (values,) = rows.slice(row, 1).to_pylist()
    text = orjson.dumps({name: _plain(value) for name, value in values.items()}, default=str)
    if len(text) > MAX_ROW_BYTES:
        text = orjson.dumps({name: _cut(_plain(value)) for name, value in values.items()}, default=str)
    return text.decode()


def _plain(value: Any) -> Any:
    """``value`` as JSON can hold it exactly."""
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
