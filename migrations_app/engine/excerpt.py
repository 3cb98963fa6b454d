"""A row as JSON text for people: what stands beside the reason why it was rejected."""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow as pa

TEXT_CHARACTERS = 1000
LIST_ITEMS = 8


def row_excerpt(rows: pa.RecordBatch, row: int = 0) -> str:
    """Row number ``row`` as a JSON object. Long texts, lists and vectors are cut, and say so."""
    (values,) = rows.slice(row, 1).to_pylist()
    return orjson.dumps({name: _short(value) for name, value in values.items()}, default=str).decode()


def _short(value: Any) -> Any:
    if isinstance(value, bytes):
        value = value.hex()
    if isinstance(value, str):
        # A lone surrogate is no UTF-8: orjson would refuse the whole row.
        value = value.encode("utf-8", "replace").decode()
        rest = len(value) - TEXT_CHARACTERS
        return f"{value[:TEXT_CHARACTERS]}… ({rest:,} more characters)" if rest > 0 else value
    if isinstance(value, list):
        rest = len(value) - LIST_ITEMS
        items = [_short(item) for item in value[:LIST_ITEMS]]
        return [*items, f"… ({rest:,} more)"] if rest > 0 else items
    return value
