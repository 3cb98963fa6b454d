"""Document keys: the keys of opened columns that a sample shows, described as fields of the source.

The mapping is the part that removes these keys from the documents.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from typing import Any

import pyarrow as pa

from migrations_app.engine.mapping.documents import read_documents
from migrations_app.engine.mapping.values.convert import convert_values
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.model.json.documents import Members, plain
from migrations_app.engine.model.json.values import shown
from migrations_app.engine.model.key_paths import path_of, with_rest_field
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, TypeChoice
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.planning.sampled_types import choices_of, kind_name, kinds_of
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.reading.measure import can_list_values
from migrations_app.engine.sources.base import Source

SAMPLE_ROWS = 100
MAX_KEYS = 500
# Keys inside objects are listed down to this level; deeper ones are part of an object above them.
MAX_LEVELS = 5
_MAX_SAMPLES = 3


def describe_with_keys(
    source: Source, ref: CollectionRef, opened: Collection[str], ctx: ReadContext
) -> CollectionSchema:
    """Return the schema of a collection, with a field for each key of the columns ``opened`` and of its rest
    field.

    Raises the same errors as ``Source.describe``.
    """
    schema = source.describe(ref, SAMPLE_ROWS, ctx)
    can_list = can_list_values(source, schema)
    schema = replace(schema, lists_values=can_list, naming_rule=source.naming_rule)
    return with_document_keys(schema, opened)


def with_document_keys(schema: CollectionSchema, opened: Collection[str]) -> CollectionSchema:
    """Return ``schema`` with a field for each key that its sample shows in the columns ``opened`` and in the
    rest field.

    These fields come after the source's own fields, and the keys inside an object after the object. Each gets
    a column in the sample, in its first type. If a column has more than ``MAX_KEYS`` keys, only the most
    frequent ones are listed, and a note reports this.
    """
    keys: list[_Key] = []
    notes: list[str] = []
    own = {source.name for source in schema.fields}
    for source, column in _opened_columns(schema, opened):
        name, column_keys = source.name, _keys(source.name, column)
        for parts, type_ in source.key_types:
            path = (name, *parts)
            # An indexed key that no row of the sample has is listed, too, unless its object is missing.
            if len(parts) == 1 or path[:-1] in column_keys:
                column_keys.setdefault(path, _Key(path)).expected = type_
        keys += [key for key in _listed(column_keys) if key.path not in own]
        if len(column_keys) > MAX_KEYS:
            notes.append(_MORE_KEYS.format(name, len(column_keys), MAX_KEYS))
    if schema.sample is None or not keys:
        return schema
    fields, sample = list(schema.fields), schema.sample
    for key in keys:
        source, values = key.described(sample.num_rows)
        fields.append(source)
        sample = sample.append_column(source.name, values)
    return replace(schema, fields=tuple(fields), sample=sample, notes=(*schema.notes, *notes))


_MORE_KEYS = (
    "“{}” has {:,} keys in the sample: the {} most frequent are listed. A plan file can make any other key a "
    "field."
)


def _opened_columns(
    schema: CollectionSchema, opened: Collection[str]
) -> Iterator[tuple[SourceField, pa.Array]]:
    """Yield the columns to open that can be opened, with their documents in the sample."""
    for name in dict.fromkeys(with_rest_field(schema, opened)):
        source = schema.field(name)
        if schema.sample is not None and source is not None and source.can_open:
            yield source, schema.sample.column(name)


@dataclass(slots=True)
class _Key:
    """A key in the sample: the parts of its path, and the values of the rows that have it, None for null.
    ``expected`` is the type that an index of the source expects, if there is one."""

    parts: tuple[str, ...]
    values: dict[int, Any] = dataclass_field(default_factory=dict)
    expected: MilvusType | None = None

    @property
    def path(self) -> str:
        return path_of(self.parts)

    def described(self, rows: int) -> tuple[SourceField, pa.Array]:
        """Return the field, and its column of the sample in its first type."""
        values = [value for value in self.values.values() if value is not None]
        bare = [plain(value) for value in values]
        texts = list(_texts(bare))
        choices = _expected_first(choices_of(bare), self.expected)
        source = SourceField(
            name=self.path,
            native_type=kind_name(bare),
            choices=choices,
            longest_bytes=max((len(text.encode(errors="replace")) for text in texts), default=None),
            longest_items=max((len(value) for value in bare if isinstance(value, list)), default=None),
            samples=tuple(dict.fromkeys(map(_sample_text, values)))[:_MAX_SAMPLES],
            opened_from=self.parts[0],
            share=len(self.values) / max(1, rows),
            null_share=(len(self.values) - len(values)) / max(1, rows),
            kinds=kinds_of(bare),
            is_sampled=True,
        )
        return source, convert_values(
            [self.values.get(row) for row in range(rows)], choices[0].spec, self.path
        )[0]


def _expected_first(choices: tuple[TypeChoice, ...], expected: MilvusType | None) -> tuple[TypeChoice, ...]:
    """Return the types that hold the sampled values, that of the index first if it is one of them."""
    return tuple(sorted(choices, key=lambda choice: choice.spec.type is not expected))


def _keys(name: str, column: pa.Array) -> dict[tuple[str, ...], _Key]:
    """Return the keys of the documents by the parts of their paths."""
    keys: dict[tuple[str, ...], _Key] = {}

    def add(document: Members, above: tuple[str, ...], row: int) -> None:
        for part, value in document.items():
            parts = (*above, part)
            keys.setdefault(parts, _Key(parts)).values[row] = value
            if isinstance(value, dict) and len(parts) <= MAX_LEVELS:
                add(value, parts, row)

    documents, _ = read_documents(column, name)
    for row, document in enumerate(documents):
        add(document, (name,), row)
    return keys


def _listed(keys: Mapping[tuple[str, ...], _Key]) -> list[_Key]:
    """Return the most frequent keys: each object before the keys in it, and a frequent key before a rare
    one."""

    def place(key: _Key) -> list[tuple[int, str]]:
        above = (key.parts[:level] for level in range(2, len(key.parts) + 1))
        return [(-len(keys[parts].values), parts[-1]) for parts in above]

    frequent = sorted(keys.values(), key=lambda key: (-len(key.values), len(key.parts), key.parts))
    return sorted(frequent[:MAX_KEYS], key=place)


def _texts(values: Sequence[Any]) -> Iterator[str]:
    """Yield the texts among the values and in their lists."""
    for value in values:
        yield from (item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str))


def _sample_text(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= 60 else shown(value)
