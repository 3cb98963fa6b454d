"""A source with known contents, and short ways to read it: what ``SourceContract`` works with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from migrations_app.engine.errors import ConnectionFailed
from migrations_app.engine.model.batch import Batch, CollectionRef, Cursor, ReadColumn, ReadPlan, Slice
from migrations_app.engine.model.key_text import joined
from migrations_app.engine.sources.base import ReadContext, Source


@dataclass(frozen=True)
class BadSettings:
    """Settings that must be refused: what to ``change``, the error expected and the field it names."""

    change: Mapping[str, Any]
    error: type[ConnectionFailed]
    field: str


@dataclass(frozen=True)
class SourceCase:
    """One source with known contents.

    ``settings`` open it as its form would send them; ``secrets`` are texts in them that may show nowhere.
    ``full`` has a key and a vector field, and so many rows that ``batch_bytes`` cuts them into four batches
    or more; ``rows`` is their number. ``expected`` gives, by locator, exact values of some fields: let NULLs
    and text of every Unicode plane be among them. ``empty`` has a vector field and no rows.
    """

    source_class: type[Source]
    settings: Mapping[str, Any]
    full: CollectionRef
    rows: int
    empty: CollectionRef
    missing: CollectionRef
    bad: tuple[BadSettings, ...]
    expected: Mapping[str, Mapping[str, Any]]
    secrets: tuple[str, ...] = ()
    batch_bytes: int = 4096
    wanted_slices: tuple[int, ...] = (1, 3)
    # Names in the listing that may not be selected.
    not_selectable: frozenset[str] = field(default_factory=frozenset)

    def open(self, change: Mapping[str, Any] | None = None) -> Source:
        return self.source_class(
            self.source_class.Settings.model_validate({**self.settings, **(change or {})})
        )


# ---------------------------------------------------------------- reading


def plan_of(case: SourceCase, source: Source, ref: CollectionRef | None = None) -> ReadPlan:
    """All fields of a collection, each as its first choice."""
    schema = source.describe(ref or case.full)
    columns = tuple(ReadColumn(f.name, f.choices[0].spec) for f in schema.fields if f.choices)
    return ReadPlan(columns, schema.key.columns if schema.key else (), case.batch_bytes)


def slices_of(case: SourceCase, source: Source, ref: CollectionRef | None = None) -> list[Slice]:
    """One slice where the source can, as a job stores it: through JSON."""
    parts = list(source.slices(ref or case.full, 1))
    return [Slice(p.id, stored(p.bounds), p.rows_estimate, p.partition, p.resumable) for p in parts]


def read(case: SourceCase, source: Source, part: Slice, after: Cursor | None = None) -> list[Batch]:
    """The batches of one slice, after a cursor where one is given."""
    return list(source.read(case.full, part, after, plan_of(case, source), ReadContext()))


def read_all(case: SourceCase, source: Source, ref: CollectionRef) -> list[Batch]:
    """The batches of a collection that hold rows."""
    plan = plan_of(case, source, ref)
    parts = slices_of(case, source, ref)
    batches = [batch for part in parts for batch in source.read(ref, part, None, plan, ReadContext())]
    return [batch for batch in batches if batch.rows.num_rows]


def keys_of(rows: pa.RecordBatch, plan: ReadPlan) -> pa.Array:
    """The keys of rows, those of several columns joined."""
    columns = [rows.column(name) for name in plan.key]
    return columns[0] if len(columns) == 1 else joined([column.cast(pa.string()) for column in columns])


def stored(value: Any) -> Any:
    """A cursor or bounds as they come back from the database."""
    return json.loads(json.dumps(value))


def locators_of(batches: list[Batch]) -> list[str]:
    """What names the rows, in the order they came."""
    return [name for batch in batches for name in batch.locators.to_pylist()]


def table_of(batches: list[Batch], like: Batch) -> pa.Table:
    """All rows as one table; ``like`` gives its columns where there are none."""
    return pa.Table.from_batches([batch.rows for batch in batches], like.rows.schema).combine_chunks()


def types_of(rows: pa.RecordBatch) -> dict[str, pa.DataType]:
    """The Arrow type of each column."""
    return {column.name: column.type for column in rows.schema}


def assert_silent(case: SourceCase, change: Mapping[str, Any], *texts: str) -> None:
    """No secret of the settings, changed ones included, stands in ``texts``."""
    changed = tuple(str(change[name]) for name in change if str(case.settings.get(name, "")) in case.secrets)
    for secret in case.secrets + changed:
        assert not any(secret in text for text in texts), "a secret shows"
