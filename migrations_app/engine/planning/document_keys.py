"""What a sample tells of the keys of opened columns, and what a plan's path names.

The keys themselves are taken out of the documents by the mapping.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import pyarrow as pa

from migrations_app.engine.mapping.json_column import read_documents
from migrations_app.engine.mapping.json_documents import plain
from migrations_app.engine.mapping.values.convert import convert_values, fits, shown
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.model.paths import opened_columns, path_of
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, TypeChoice
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.sources.base import Source

T = MilvusType
MOST_KEYS = 200
_SHOWN = 3

_WHOLE, _NUMBER, _TEXT, _TRUTH = TypeSpec(T.INT64), TypeSpec(T.DOUBLE), TypeSpec(T.VARCHAR), TypeSpec(T.BOOL)
_JSON = TypeSpec(T.JSON)
_WORDS = {_WHOLE: "whole number", _NUMBER: "number", _TEXT: "text", _TRUTH: "true or false"}
# What kind of value a type takes, the narrowest first.
_SCALARS = (_TRUTH, _WHOLE, _NUMBER, _TEXT)


def describe_with_keys(source: Source, ref: CollectionRef) -> CollectionSchema:
    """What the source says of a collection, with a field for each key of the columns that ``ref`` opens.

    Raises what ``Source.describe`` raises.
    """
    return with_opened_keys(source.describe(ref), ref.selection)


def with_opened_keys(schema: CollectionSchema, select: Mapping[str, Any]) -> CollectionSchema:
    """``schema`` with a field for each key seen in its sample of the columns that ``select`` opens.

    They stand after the source's own fields, each with a column of the sample in its first type. Of a column
    with more keys the ``MOST_KEYS`` most frequent ones are listed, as a note says.
    """
    keys: list[_Key] = []
    notes: list[str] = []
    own = {source.name for source in schema.fields}
    for name, column in _opened_columns(schema, select):
        found = _keys(name, column)
        keys += [key for key in found[:MOST_KEYS] if key.path not in own]
        if len(found) > MOST_KEYS:
            notes.append(_CUT.format(name, len(found), MOST_KEYS))
    if schema.sample is None or not keys:
        return schema
    fields, sample = list(schema.fields), schema.sample
    for key in keys:
        source, values = key.described()
        fields.append(source)
        sample = sample.append_column(source.name, values)
    return replace(schema, fields=tuple(fields), sample=sample, notes=(*schema.notes, *notes))


_CUT = "“{}” has {:,} keys in the sample: the {} most frequent are listed."


def _opened_columns(schema: CollectionSchema, select: Mapping[str, Any]) -> Iterator[tuple[str, pa.Array]]:
    """The columns to be opened that can be, with their documents in the sample."""
    for name in dict.fromkeys(opened_columns(select)):
        source = schema.field(name)
        if schema.sample is not None and source is not None and source.can_open:
            yield name, schema.sample.column(name)


@dataclass(slots=True)
class _Key:
    """A key in the sample. ``values``, one a row, are what ``documents.find`` gives; ``rows`` have it."""

    column: str
    name: str
    values: list[Any]
    rows: int = 0

    @property
    def path(self) -> str:
        return path_of((self.column, self.name))

    def described(self) -> tuple[SourceField, pa.Array]:
        """The field, and its column of the sample in its first type."""
        found = [value for value in self.values if value is not None]
        kind, specs = _choices([plain(value) for value in found])
        texts = list(_texts(found))
        source = SourceField(
            name=self.path,
            native_type=kind,
            choices=tuple(map(TypeChoice, specs)),
            longest_bytes=max((len(text.encode(errors="replace")) for text in texts), default=None),
            longest_items=max((len(v) for v in map(plain, found) if isinstance(v, list)), default=None),
            samples=tuple(dict.fromkeys(map(_shown, found)))[:_SHOWN],
            opened_from=self.column,
            share=self.rows / len(self.values),
        )
        return source, convert_values(self.values, specs[0], self.path)[0]


def _keys(name: str, column: pa.Array) -> list[_Key]:
    """The keys of the documents, the most frequent first."""
    documents, _ = read_documents(column, name)
    keys: dict[str, _Key] = {}
    for row, document in enumerate(documents):
        for part, value in document.items():
            key = keys.setdefault(part, _Key(name, part, [None] * len(documents)))
            key.values[row] = value
            key.rows += 1
    return sorted(keys.values(), key=lambda key: (-key.rows, key.name))


def _choices(values: Sequence[Any]) -> tuple[str, tuple[TypeSpec, ...]]:
    """What kind of values these are, and the types that hold them all, the proposed one first."""
    if not values:
        return "null", (_TEXT, _WHOLE, _NUMBER, _TRUTH, _JSON)
    if all(isinstance(value, list) for value in values):
        return _choices_of_lists(values)
    if all(isinstance(value, dict) for value in values):
        return "object", (_JSON,)
    specs = _scalars(values)
    return (_WORDS[specs[0]], specs) if specs else ("mixed", (_JSON,))


def _choices_of_lists(values: Sequence[list[Any]]) -> tuple[str, tuple[TypeSpec, ...]]:
    items = list(chain.from_iterable(values))
    specs = _scalars(items) if items else ()
    arrays = tuple(TypeSpec(T.ARRAY, element_type=spec.type) for spec in specs)
    return (f"list of {_WORDS[specs[0]]}", (*arrays, _JSON)) if specs else ("list", (_JSON,))


def _scalars(values: Sequence[Any]) -> tuple[TypeSpec, ...]:
    """Of numbers only those without a point are proposed as whole ones: the next may have a fraction."""
    kinds = _SCALARS if all(isinstance(value, int) for value in values) else (_NUMBER, _TEXT)
    return tuple(spec for spec in kinds if all(fits(value, spec) for value in values))


def _texts(values: Sequence[Any]) -> Iterator[str]:
    """The texts among the values and in their lists."""
    for value in map(plain, values):
        yield from (item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str))


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= 60 else shown(value)
