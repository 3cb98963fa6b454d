"""The dynamic field: some columns of a row as one JSON object."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.mapping.checks.column_checks import rows_of_items, rows_where
from migrations_app.engine.mapping.checks.findings import Finding, found_at
from migrations_app.engine.mapping.checks.json_checks import check_json_text
from migrations_app.engine.mapping.json_documents import Members, written
from migrations_app.engine.model.limits import MAX_JSON_BYTES
from migrations_app.engine.model.target_schema import META

_EMPTY = pa.scalar("{}")


@dataclass(frozen=True, slots=True)
class DynamicColumnValues:
    """A column on its way into the dynamic field, under the key ``key``. ``is_json``: it holds JSON text."""

    key: str
    values: pa.Array
    is_json: bool = False


@dataclass(frozen=True, slots=True)
class DynamicObjects:
    """Keys with their values on their way into the dynamic field, an object a row; of the column ``name``."""

    name: str
    objects: Sequence[Members]


def dynamic_field_column(
    parts: Sequence[DynamicColumnValues | DynamicObjects], rows: int, fields: Collection[str] = ()
) -> tuple[pa.Array, tuple[Finding, ...]]:
    """``$meta`` of each of ``rows`` rows, and the rows that JSON or Milvus cannot hold.

    NULL stays null, integers are exact, JSON columns are put in as they are, byte for byte. A key that is
    one of ``fields``, or there already, would hide a value: such a row is found.
    """
    columns = [part for part in parts if isinstance(part, DynamicColumnValues)]
    objects = [part for part in parts if isinstance(part, DynamicObjects)]
    if not parts:
        return pa.repeat(_EMPTY, rows), ()
    texts = pa.array(list(_texts(columns, objects, rows)), pa.binary()).cast(pa.string())
    taken = _taken(objects, {META, *fields, *(column.key for column in columns)})
    return texts, (*taken, *_not_finite(columns), *_unfit_json(columns), *_too_large(texts))


def _texts(
    columns: Sequence[DynamicColumnValues], objects: Sequence[DynamicObjects], rows: int
) -> Iterator[bytes]:
    keys = [column.key for column in columns]
    values = zip(*map(_plain, columns), strict=True) if columns else repeat((), rows)
    for row, found in enumerate(values):
        whole = dict(zip(keys, found, strict=True))
        for part in objects:
            whole |= part.objects[row]
        yield written(whole)


def _taken(objects: Sequence[DynamicObjects], names: set[str]) -> Iterator[Finding]:
    """Rows with a key that has a name in use."""
    for number, part in enumerate(objects):
        reasons: dict[int, str] = {}
        for row, found in enumerate(part.objects):
            used = names.intersection(found) if found else ()
            for other in objects[:number]:
                used = used or other.objects[row].keys() & found.keys()
            if used:
                reasons[row] = _TAKEN.format(min(used), part.name)
        if reasons:
            yield found_at(reasons, "dynamic_key_taken", part.name)


_TAKEN = (
    "“{}” of “{}” cannot go into the dynamic field: a field, or another key there, is called so, or the "
    "target keeps that name to itself."
)


def _plain(column: DynamicColumnValues) -> list[Any]:
    values: list[Any] = _shortest(column.values).to_pylist()
    if column.is_json:
        return [None if text is None else orjson.Fragment(text) for text in values]
    return values


def _shortest(values: pa.Array) -> pa.Array:
    """float32 as the double that is written with the same few digits: 0.1, not 0.10000000149011612."""
    if pa.types.is_float32(values.type):
        return values.cast(pa.string()).cast(pa.float64())
    if pa.types.is_list(values.type) and pa.types.is_float32(values.type.value_type):
        return values.cast(pa.list_(pa.string())).cast(pa.list_(pa.float64()))
    return values


def _not_finite(columns: Sequence[DynamicColumnValues]) -> Iterator[Finding]:
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


def _unfit_json(columns: Sequence[DynamicColumnValues]) -> Iterator[Finding]:
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
