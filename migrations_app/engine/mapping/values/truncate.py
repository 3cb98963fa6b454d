"""Texts cut to the length of their field, where the plan says ``too_long: truncate``."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.mapping.checks.column_checks import rows_of_items, rows_where
from migrations_app.engine.mapping.checks.findings import NO_ROWS, Rows
from migrations_app.engine.model.types import TypeSpec


def truncate(values: pa.Array, spec: TypeSpec) -> tuple[pa.Array, Rows]:
    """``values`` (VARCHAR, or ARRAY of it) with no text longer than ``spec.max_length`` bytes of UTF-8, and
    the rows that had one. No character is cut in two. Where nothing is too long nothing is copied."""
    assert spec.max_length is not None
    if not pa.types.is_list(values.type):
        texts, is_long = _truncate_texts(values, spec.max_length)
        return texts, NO_ROWS if is_long is None else rows_where(is_long)
    items, is_long = _truncate_texts(pc.list_flatten(values), spec.max_length)
    if is_long is None:
        return values, NO_ROWS
    # NULL lists have no items, whatever their offsets say.
    ends = pc.cumulative_sum(pc.list_value_length(values).fill_null(0).cast(pa.int32()))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    lists = pa.ListArray.from_arrays(offsets, items, type=values.type, mask=values.is_null())
    return lists, rows_of_items(values, is_long)


def _truncate_texts(texts: pa.Array, limit: int) -> tuple[pa.Array, pa.Array | None]:
    """The texts, and which of them were too long; None where none was."""
    sizes = pc.binary_length(texts)
    if (pc.max(sizes).as_py() or 0) <= limit:
        return texts, None
    is_long = pc.greater(sizes, limit).fill_null(False)
    short = [_truncate_text(text, limit) for text in texts.filter(is_long).cast(pa.binary()).to_pylist()]
    return pc.replace_with_mask(texts, is_long, pa.array(short, texts.type)), is_long


def _truncate_text(text: bytes, limit: int) -> str:
    # What is left of a character that the limit goes through is no UTF-8, and the only thing that is not.
    return text[:limit].decode(errors="ignore")
