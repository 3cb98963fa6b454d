"""The dynamic field: several columns of a row as one JSON object."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.mapping.checks.column_checks import rows_of_items, rows_where
from migrations_app.engine.mapping.checks.findings import Finding, finding_of
from migrations_app.engine.mapping.checks.json_checks import check_json_text
from migrations_app.engine.model.json.documents import members, to_json
from migrations_app.engine.model.limits import MAX_JSON_BYTES
from migrations_app.engine.model.target_schema import META

EMPTY_OBJECT = b"{}"


@dataclass(frozen=True, slots=True)
class DynamicColumnValues:
    """A column that goes into the dynamic field under the key ``key``. ``is_json``: it holds JSON text."""

    key: str
    values: pa.Array
    is_json: bool = False


@dataclass(frozen=True, slots=True)
class DynamicObjects:
    """Keys and values that go into the dynamic field, from the column ``name``: the text of an object for
    each row. ``names`` are all keys that occur in them."""

    name: str
    texts: Sequence[bytes]
    names: Set[str]


def dynamic_field_column(
    parts: Sequence[DynamicColumnValues | DynamicObjects], rows: int, fields: Collection[str] = ()
) -> tuple[pa.Array, tuple[Finding, ...]]:
    """Return ``$meta`` of each of ``rows`` rows, and findings for the rows that JSON or Milvus cannot hold.

    NULL becomes null, integers stay exact, and JSON columns go in unchanged, byte for byte. A key with the
    name of one of ``fields``, or of another key of the row, would hide a value: such rows are a finding.
    """
    columns = [part for part in parts if isinstance(part, DynamicColumnValues)]
    objects = [part for part in parts if isinstance(part, DynamicObjects)]
    if not parts:
        return pa.repeat(pa.scalar(EMPTY_OBJECT.decode()), rows), ()
    texts = pa.array(_texts(columns, objects), pa.binary()).cast(pa.string())
    names = {META, *fields, *(column.key for column in columns)}
    return texts, (
        *_keys_taken(objects, names),
        *_not_finite(columns),
        *_bad_json(columns),
        *_too_large(texts),
    )


def _texts(columns: Sequence[DynamicColumnValues], objects: Sequence[DynamicObjects]) -> Sequence[bytes]:
    parts = [part.texts for part in objects]
    if columns:
        keys = [column.key for column in columns]
        rows = zip(*map(_json_values, columns), strict=True)
        parts.insert(0, [to_json(dict(zip(keys, values, strict=True))) for values in rows])
    return parts[0] if len(parts) == 1 else [*map(_merged, zip(*parts, strict=True))]


def _merged(texts: Sequence[bytes]) -> bytes:
    """Return several objects as one."""
    return b"{" + b",".join(text[1:-1] for text in texts if text != EMPTY_OBJECT) + b"}"


def _keys_taken(objects: Sequence[DynamicObjects], names: set[str]) -> Iterator[Finding]:
    """Yield findings for rows with a key whose name is already in use."""
    for number, part in enumerate(objects):
        earlier = [other for other in objects[:number] if part.names & other.names]
        if not (part.names & names or earlier):
            continue
        reasons: dict[int, str] = {}
        for row, text in enumerate(part.texts):
            keys = members(text).keys()
            used = names & keys
            for other in earlier:
                used = used or members(other.texts[row]).keys() & keys
            if used:
                reasons[row] = _KEY_TAKEN.format(min(used), part.name)
        if reasons:
            yield finding_of(reasons, "dynamic_key_taken", part.name)


_KEY_TAKEN = (
    "“{}” of “{}” cannot go into the dynamic field: a field or another key there has the same name, or the "
    "target reserves that name."
)


def _json_values(column: DynamicColumnValues) -> list[Any]:
    values: list[Any] = _shortest_doubles(column.values).to_pylist()
    if column.is_json:
        return [None if text is None else orjson.Fragment(text) for text in values]
    return values


def _shortest_doubles(values: pa.Array) -> pa.Array:
    """Return float32 values as the doubles with the shortest text: 0.1, not 0.10000000149011612."""
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
                partial(_not_finite_reason, column.key),
                column.key,
            )


def _bad_json(columns: Sequence[DynamicColumnValues]) -> Iterator[Finding]:
    for column in columns:
        if column.is_json:
            yield from check_json_text(column.values, column.key)


def _not_finite_reason(key: str, row: int) -> str:
    return f"“{key}” is NaN or infinite; JSON, and so the dynamic field, cannot hold such a number."


def _too_large(texts: pa.Array) -> Iterator[Finding]:
    sizes = pc.binary_length(texts)
    if (pc.max(sizes).as_py() or 0) > MAX_JSON_BYTES:
        yield Finding(
            rows_where(pc.greater(sizes, MAX_JSON_BYTES)),
            "dynamic_too_large",
            lambda row: (
                f"The dynamic field would hold {sizes[row].as_py():,} bytes of JSON; "
                f"Milvus takes at most {MAX_JSON_BYTES:,}."
            ),
            META,
        )
