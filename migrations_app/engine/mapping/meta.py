"""The dynamic field: some columns of a row as one JSON object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.literals import MAX_JSON_BYTES
from migrations_app.engine.mapping.checks import rows_of_items, rows_where
from migrations_app.engine.mapping.findings import Finding
from migrations_app.engine.mapping.json_texts import check_json_text
from migrations_app.engine.schema import META

_EMPTY = pa.scalar("{}")


@dataclass(frozen=True, slots=True)
class MetaColumn:
    """A column on its way into the dynamic field, under the key ``key``. ``is_json``: it holds JSON text."""

    key: str
    values: pa.Array
    is_json: bool = False


def meta_column(columns: Sequence[MetaColumn], rows: int) -> tuple[pa.Array, tuple[Finding, ...]]:
    """``$meta`` of each of ``rows`` rows, and the rows that JSON or Milvus cannot hold.

    NULL stays null, integers are exact, JSON columns are put in as they are, byte for byte.
    """
    if not columns:
        return pa.repeat(_EMPTY, rows), ()
    texts = pa.array(list(_texts(columns)), pa.binary()).cast(pa.string())
    return texts, (*_not_finite(columns), *_unfit_json(columns), *_too_large(texts))


def _texts(columns: Sequence[MetaColumn]) -> Iterator[bytes]:
    keys = [column.key for column in columns]
    for values in zip(*(_plain(column) for column in columns), strict=True):
        yield orjson.dumps(dict(zip(keys, values, strict=True)))


def _plain(column: MetaColumn) -> list[Any]:
    values: list[Any] = column.values.to_pylist()
    if column.is_json:
        return [None if text is None else orjson.Fragment(text) for text in values]
    return values


def _not_finite(columns: Sequence[MetaColumn]) -> Iterator[Finding]:
    for column in columns:
        is_list = pa.types.is_list(column.values.type)
        numbers = pc.list_flatten(column.values) if is_list else column.values
        if not pa.types.is_floating(numbers.type):
            continue
        is_bad = pc.invert(pc.is_finite(numbers))
        if pc.any(is_bad).as_py():
            yield Finding(
                rows_of_items(column.values, is_bad) if is_list else rows_where(is_bad),
                "not_finite",
                partial(_has_no_number, column.key),
                column.key,
            )


def _unfit_json(columns: Sequence[MetaColumn]) -> Iterator[Finding]:
    for column in columns:
        if column.is_json:
            yield from check_json_text(column.values, column.key)


def _has_no_number(key: str, row: int) -> str:
    return f"“{key}” is NaN or infinite; the JSON of the dynamic field has no such number."


def _too_large(texts: pa.Array) -> Iterator[Finding]:
    sizes = pc.binary_length(texts)
    if (pc.max(sizes).as_py() or 0) > MAX_JSON_BYTES:
        yield Finding(
            rows_where(pc.greater(sizes, MAX_JSON_BYTES)),
            "dynamic_too_large",
            lambda row: (
                f"What goes into the dynamic field is {sizes[row].as_py():,} bytes of JSON; "
                f"Milvus takes {MAX_JSON_BYTES:,}."
            ),
            META,
        )
