"""Document keys: the keys of opened columns that a sample shows, described as fields of the source.

The mapping is the part that removes these keys from the documents.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import pyarrow as pa

from migrations_app.engine.mapping.json_column import read_documents
from migrations_app.engine.mapping.values.convert import convert_values
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.model.json.documents import plain
from migrations_app.engine.model.json.values import fits, shown
from migrations_app.engine.model.key_paths import path_of, with_rest_field
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, TypeChoice
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.reading.measure import can_list_values
from migrations_app.engine.sources.base import Source

T = MilvusType
MAX_KEYS = 200
SAMPLE_ROWS = 100
_MAX_SAMPLES = 3

_WHOLE, _NUMBER, _TEXT, _BOOLEAN = (
    TypeSpec(T.INT64),
    TypeSpec(T.DOUBLE),
    TypeSpec(T.VARCHAR),
    TypeSpec(T.BOOL),
)
_JSON = TypeSpec(T.JSON)
_KIND_NAMES = {_WHOLE: "whole number", _NUMBER: "number", _TEXT: "text", _BOOLEAN: "true or false"}
# Scalar types, the narrowest first.
_SCALARS = (_BOOLEAN, _WHOLE, _NUMBER, _TEXT)


def describe_with_keys(
    source: Source, ref: CollectionRef, opened: Collection[str], ctx: ReadContext
) -> CollectionSchema:
    """Return the schema of a collection, with a field for each key of the columns ``opened`` and of its rest
    field.

    Raises the same errors as ``Source.describe``.
    """
    schema = source.describe(ref, SAMPLE_ROWS, ctx)
    schema = replace(schema, lists_values=can_list_values(source, schema))
    return with_document_keys(schema, opened)


def with_document_keys(schema: CollectionSchema, opened: Collection[str]) -> CollectionSchema:
    """Return ``schema`` with a field for each key that its sample shows in the columns ``opened`` and in the
    rest field.

    These fields come after the source's own fields. Each gets a column in the sample, in its first type. If a
    column has more than ``MAX_KEYS`` keys, only the most frequent ones are listed, and a note reports this.
    """
    keys: list[_Key] = []
    notes: list[str] = []
    own = {source.name for source in schema.fields}
    for name, column in _opened_columns(schema, opened):
        column_keys = _keys(name, column)
        keys += [key for key in column_keys[:MAX_KEYS] if key.path not in own]
        if len(column_keys) > MAX_KEYS:
            notes.append(_MORE_KEYS.format(name, len(column_keys), MAX_KEYS))
    if schema.sample is None or not keys:
        return schema
    fields, sample = list(schema.fields), schema.sample
    for key in keys:
        source, values = key.described()
        fields.append(source)
        sample = sample.append_column(source.name, values)
    return replace(schema, fields=tuple(fields), sample=sample, notes=(*schema.notes, *notes))


_MORE_KEYS = "“{}” has {:,} keys in the sample: the {} most frequent are listed."


def _opened_columns(schema: CollectionSchema, opened: Collection[str]) -> Iterator[tuple[str, pa.Array]]:
    """Yield the columns to open that can be opened, with their documents in the sample."""
    for name in dict.fromkeys(with_rest_field(schema, opened)):
        source = schema.field(name)
        if schema.sample is not None and source is not None and source.can_open:
            yield name, schema.sample.column(name)


@dataclass(slots=True)
class _Key:
    """A key in the sample. ``values`` has one value for each row, None if it is missing or null; ``rows`` is
    the number of rows that have the key."""

    column: str
    name: str
    values: list[Any]
    rows: int = 0

    @property
    def path(self) -> str:
        return path_of((self.column, self.name))

    def described(self) -> tuple[SourceField, pa.Array]:
        """Return the field, and its column of the sample in its first type."""
        values = [value for value in self.values if value is not None]
        kind, specs = _choices([plain(value) for value in values])
        texts = list(_texts(values))
        source = SourceField(
            name=self.path,
            native_type=kind,
            choices=tuple(map(TypeChoice, specs)),
            longest_bytes=max((len(text.encode(errors="replace")) for text in texts), default=None),
            longest_items=max((len(v) for v in map(plain, values) if isinstance(v, list)), default=None),
            samples=tuple(dict.fromkeys(map(_sample_text, values)))[:_MAX_SAMPLES],
            opened_from=self.column,
            share=self.rows / len(self.values),
        )
        return source, convert_values(self.values, specs[0], self.path)[0]


def _keys(name: str, column: pa.Array) -> list[_Key]:
    """Return the keys of the documents, the most frequent first."""
    documents, _ = read_documents(column, name)
    keys: dict[str, _Key] = {}
    for row, document in enumerate(documents):
        for part, value in document.items():
            key = keys.setdefault(part, _Key(name, part, [None] * len(documents)))
            key.values[row] = value
            key.rows += 1
    return sorted(keys.values(), key=lambda key: (-key.rows, key.name))


def _choices(values: Sequence[Any]) -> tuple[str, tuple[TypeSpec, ...]]:
    """Return the kind of these values and the types that can hold all of them, the proposed type first."""
    if not values:
        return "null", (_TEXT, _WHOLE, _NUMBER, _BOOLEAN, _JSON)
    if all(isinstance(value, list) for value in values):
        return _choices_of_lists(values)
    if all(isinstance(value, dict) for value in values):
        return "object", (_JSON,)
    specs = _scalars(values)
    return (_KIND_NAMES[specs[0]], specs) if specs else ("mixed", (_JSON,))


def _choices_of_lists(values: Sequence[list[Any]]) -> tuple[str, tuple[TypeSpec, ...]]:
    items = list(chain.from_iterable(values))
    specs = _scalars(items) if items else ()
    arrays = tuple(TypeSpec(T.ARRAY, element_type=spec.type) for spec in specs)
    return (f"list of {_KIND_NAMES[specs[0]]}", (*arrays, _JSON)) if specs else ("list", (_JSON,))


def _scalars(values: Sequence[Any]) -> tuple[TypeSpec, ...]:
    """Return the scalar types that can hold all values. If one is written with a point (1.0), INT64 is not
    among them, because later values may have fractions."""
    kinds = _SCALARS if all(isinstance(value, int) for value in values) else (_NUMBER, _TEXT)
    return tuple(spec for spec in kinds if all(fits(value, spec) for value in values))


def _texts(values: Sequence[Any]) -> Iterator[str]:
    """Yield the texts among the values and in their lists."""
    for value in map(plain, values):
        yield from (item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str))


def _sample_text(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= 60 else shown(value)
