"""Truncate: shortens texts to the length of their field if the plan says ``too_long: truncate``."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.mapping.checks.column_checks import rows_of_items, rows_where
from migrations_app.engine.mapping.checks.findings import NO_ROWS, Rows
from migrations_app.engine.model.types import TypeSpec


def truncate(values: pa.Array, spec: TypeSpec) -> tuple[pa.Array, Rows]:
    """Return ``values`` (VARCHAR, or ARRAY of VARCHAR) with all texts truncated to ``spec.max_length`` bytes
    of UTF-8, and the rows with a truncated text.

    A character is never split. If no text is too long, nothing is copied.
    """
    assert spec.max_length is not None
    if not pa.types.is_list(values.type):
        texts, is_long = _truncate_texts(values, spec.max_length)
        return texts, NO_ROWS if is_long is None else rows_where(is_long)
    items, is_long = _truncate_texts(pc.list_flatten(values), spec.max_length)
    if is_long is None:
        return values, NO_ROWS
    # The offsets of a NULL list may be anything, but it has no items in the flattened array.
    ends = pc.cumulative_sum(pc.list_value_length(values).fill_null(0).cast(pa.int32()))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    lists = pa.ListArray.from_arrays(offsets, items, type=values.type, mask=values.is_null())
    return lists, rows_of_items(values, is_long)


def _truncate_texts(texts: pa.Array, limit: int) -> tuple[pa.Array, pa.Array | None]:
    """Return the texts, and a mask of those that were too long, or None if there were none."""
    sizes = pc.binary_length(texts)
    if (pc.max(sizes).as_py() or 0) <= limit:
        return texts, None
    is_long = pc.greater(sizes, limit).fill_null(False)
    short = [_truncate_text(text, limit) for text in texts.filter(is_long).cast(pa.binary()).to_pylist()]
    return pc.replace_with_mask(texts, is_long, pa.array(short, texts.type)), is_long


def _truncate_text(text: bytes, limit: int) -> str:
    # Only a character split by the limit is invalid UTF-8 here, so ignoring errors drops exactly that one.
    return text[:limit].decode(errors="ignore")
