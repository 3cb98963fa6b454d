"""Source schema: the fields and the key of a source collection, and the target types that fit its data."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from migrations_app.engine.model.names import ASK, NamingRule
from migrations_app.engine.model.target_schema import TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec


@dataclass(frozen=True, slots=True)
class TypeChoice:
    """One target type that can store a source field's data. ``note`` explains to the user what changes.

    ``is_proposed`` False: the source offers this type, but it is used only if the user chooses it. A field
    without a proposed type is left out unless the user adds it. ``is_distinct`` False: different values may
    become equal, so a key cannot have this type. ``encoding`` is the text form of raw bytes: “hex” or
    “base64”; empty for everything else.
    """

    spec: TypeSpec
    note: str = ""
    is_proposed: bool = True
    is_distinct: bool = True
    encoding: str = ""


@dataclass(frozen=True, slots=True)
class IndexHint:
    """The index of a vector in the source, as an index type of Milvus with its parameters."""

    type: str
    params: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        return ", ".join([self.type, *(f"{name} {value}" for name, value in self.params)])


@dataclass(frozen=True, slots=True)
class SourceField:
    """One field of a source collection.

    ``choices`` are the target types that can store its data, the default first. If there are none, or none
    that is proposed, ``left_out`` gives the reason. ``longest_bytes`` and ``longest_items`` are the longest
    value and the longest array in the sample. They inform the user and decide no limit. ``metric`` is the
    metric of the source's own index: Milvus's name, or the source's name if Milvus has no such metric. For
    such a field no index is proposed. ``metric_note`` says why the source does not tell the metric, as the
    rest of a sentence that begins with the field (“has no vector index”). A metric beside it is only one of
    several. ``index_hint`` is the source's own index.

    ``nullable`` is True unless the source guarantees a value in each row.

    ``can_be_key``: different values stay different as INT64 or VARCHAR (each of the two in ``choices`` that
    ``is_distinct``, or INT64 for a smaller integer), and the source can also deliver the field as VARCHAR.

    ``can_open``: the field holds JSON objects whose document keys can be moved one by one. Such a document
    key is also a ``SourceField``: ``opened_from`` is its column, ``share`` is the share of the sampled rows
    that have it, 0 to 1, and ``null_share`` the share in which it is null. ``kinds`` are the kinds of its
    values (“text”), each with the number of rows.

    ``key_types``, of a column that can be opened: types that an index of the source expects at some of its
    document keys, by the parts of their paths. They decide between types that the sample leaves open; values
    in other rows may still be of other types.

    ``is_sampled``: only a sample supports its types; other rows may have values that do not fit them. The
    source can also deliver the field as JSON, with values of any type.

    ``is_rest``: this is the rest field, the one field of the collection whose keys the source does not
    declare (a payload, metadata, the rest of a document). It can be opened, and is always opened.

    ``is_synthetic``: in the source, the field has no name (a point's id, its only vector). Its target name
    gives way to the names of other fields and of document keys.
    """

    name: str
    native_type: str
    choices: tuple[TypeChoice, ...] = ()
    left_out: str = ""
    nullable: bool = True
    can_be_key: bool = False
    metric: str | None = None
    metric_note: str = ""
    index_hint: IndexHint | None = None
    longest_bytes: int | None = None
    longest_items: int | None = None
    samples: tuple[str, ...] = ()
    description: str = ""
    can_open: bool = False
    opened_from: str = ""
    share: float | None = None
    null_share: float = 0.0
    kinds: tuple[tuple[str, int], ...] = ()
    key_types: tuple[tuple[tuple[str, ...], MilvusType], ...] = ()
    is_sampled: bool = False
    is_rest: bool = False
    is_synthetic: bool = False

    @property
    def is_vector(self) -> bool:
        return bool(self.choices) and self.choices[0].spec.type.is_vector

    @property
    def is_metric_known(self) -> bool:
        """True if the source says by which metric the vector is searched."""
        return self.metric is not None and not self.metric_note


@dataclass(frozen=True, slots=True)
class SourceKey:
    """The source's own key: its columns in order, and whether the source declares it unique.

    ``unique``: no two rows of the collection have the same key, also if they are in different partitions.
    A key of one column that is not unique is not proposed: the proposal is Auto ID. If the user chooses it as
    the key, its duplicates are counted.

    ``is_joined``: several columns are proposed as one joined key. Otherwise the proposal is Auto ID.
    """

    columns: tuple[str, ...]
    unique: bool = True
    is_joined: bool = False


@dataclass(frozen=True, slots=True)
class HiddenRows:
    """Why the source may hide rows of a collection from the user who reads it: a sentence, and what to ask
    for. It is also one of the notes of the collection."""

    sentence: str
    hint: str

    def __str__(self) -> str:
        return f"{self.sentence} {self.hint}"


@dataclass(frozen=True, slots=True)
class CollectionSchema:
    """The result of ``Source.describe``. ``key`` is None if the source declares no key; ``unique`` are other
    sets of fields that the source declares unique.

    ``sample`` is a batch of at most 100 rows with one column per field, each in the Arrow type of its first
    choice. ``size_bytes`` is the size in the source, None if unknown. ``label`` and ``group`` are those of
    its ``CollectionInfo``; they name the proposed target. ``rows_estimate`` is what pages show before a
    count; only for a source that can list values, or for a known small number of rows, they offer one
    partition per value. ``lists_values`` (that this is so) and ``naming_rule`` (of the source) are filled in
    by the engine.

    ``exact`` is the schema of the collection itself if the source is a Milvus. The target gets an exact copy
    of it: only the name, the description and additional full-text search may differ. Each of its fields that
    no function fills and that is not an Auto ID key is also one of ``fields``, under the same name.

    ``partitions``: the names of the partitions that the selected rows are in, as in ``Slice.partition``; one
    may be the empty text. Empty if the collection is not divided, None if the source cannot list them.
    ``keeps_partitions``: the default is to make each of them a partition of the target.

    ``facts`` say how the rows are read and what they become: plain information. ``notes`` are what the user
    should think about before the rows are moved.

    ``hidden_rows`` is None if the user sees all rows, as far as the source can tell.
    """

    name: str
    fields: tuple[SourceField, ...]
    key: SourceKey | None
    sample: pa.RecordBatch | None = None
    rows_estimate: int | None = None
    size_bytes: int | None = None
    facts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    label: str = ""
    group: str = ""
    unique: tuple[tuple[str, ...], ...] = ()
    lists_values: bool = True
    exact: TargetSchema | None = None
    partitions: tuple[str, ...] | None = ()
    keeps_partitions: bool = False
    hidden_rows: HiddenRows | None = None
    naming_rule: NamingRule = ASK

    def field(self, name: str) -> SourceField | None:
        return next((f for f in self.fields if f.name == name), None)
