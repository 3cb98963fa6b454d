"""The schema of a source collection: its fields, its key, and the target types that keep its data."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from migrations_app.engine.model.types import TypeSpec


@dataclass(frozen=True, slots=True)
class TypeChoice:
    """One target type that keeps a source field's data. ``note`` says what a person should know of it."""

    spec: TypeSpec
    note: str = ""


@dataclass(frozen=True, slots=True)
class SourceField:
    """One field of a source collection.

    ``choices`` are the target types that keep its data, the proposed one first; empty when there is
    none, and then ``left_out`` says why. ``longest_bytes`` and ``longest_items`` are the largest value
    and array seen in the sample. ``metric`` is the one of the source's own index. ``can_be_key``: as INT64 or
    as VARCHAR, whichever it offers first, any two of its values differ; it is delivered as VARCHAR too.
    ``can_open``: it holds JSON objects, whose keys may be moved one by one. Such a key is a field too:
    ``opened_from`` is its column, ``share`` how many of the sampled rows have it, 0 to 1.
    """

    name: str
    native_type: str
    choices: tuple[TypeChoice, ...] = ()
    left_out: str = ""
    nullable: bool = True
    can_be_key: bool = False
    metric: str | None = None
    longest_bytes: int | None = None
    longest_items: int | None = None
    samples: tuple[str, ...] = ()
    description: str = ""
    can_open: bool = False
    opened_from: str = ""
    share: float | None = None

    @property
    def is_vector(self) -> bool:
        return bool(self.choices) and self.choices[0].spec.type.is_vector


@dataclass(frozen=True, slots=True)
class SourceKey:
    """The source's own key: its columns in order, and whether the source declares it unique."""

    columns: tuple[str, ...]
    unique: bool = True


@dataclass(frozen=True, slots=True)
class CollectionSchema:
    """What ``Source.describe`` found. ``key`` is None where the source declares none; ``unique`` are other
    sets of its fields that it declares unique.

    ``sample`` is a batch of at most 100 rows, a column a field, each in the Arrow type of its first choice.
    ``label`` and ``group`` are those of its ``CollectionInfo``; they name the proposed target.
    """

    name: str
    fields: tuple[SourceField, ...]
    key: SourceKey | None
    sample: pa.RecordBatch | None = None
    rows_estimate: int | None = None
    notes: tuple[str, ...] = ()
    label: str = ""
    group: str = ""
    unique: tuple[tuple[str, ...], ...] = ()

    def field(self, name: str) -> SourceField | None:
        return next((f for f in self.fields if f.name == name), None)
