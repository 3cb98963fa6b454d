"""Source case: a source with known contents for ``SourceContract``, and helpers that read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from migrations_app.engine.errors import ConnectionFailed
from migrations_app.engine.log import silent
from migrations_app.engine.model.batch import Batch, CollectionRef, Cursor, ReadColumn, ReadPlan, Slice
from migrations_app.engine.model.joined_key_text import joined
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField
from migrations_app.engine.pacing.retry_policy import RetryPolicy
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.reading.slice_reader import SliceReader
from migrations_app.engine.sources.base import Source

QUICK = RetryPolicy(first_seconds=0.01, most_seconds=0.1)


@dataclass(frozen=True)
class BadSettings:
    """Settings that must be refused: what to ``change``, the expected error, and the field that it names."""

    change: Mapping[str, Any]
    error: type[ConnectionFailed]
    field: str


@dataclass(frozen=True)
class SourceCase:
    """One source with known contents.

    ``settings`` open it, in the form that its page sends; ``secrets`` are texts in them that must never be
    shown. ``full`` has a key, a vector field, and so many rows that ``batch_bytes`` cuts them into four or
    more batches; ``rows`` is their number. ``expected`` gives, by locator, exact values of some fields:
    include NULLs and text of every Unicode plane. ``empty`` has a vector field and no rows.
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
    # Listed names that cannot be selected.
    not_selectable: frozenset[str] = field(default_factory=frozenset)

    def open(self, change: Mapping[str, Any] | None = None) -> Source:
        return self.source_class(
            self.source_class.Settings.model_validate({**self.settings, **(change or {})})
        )


# ---------------------------------------------------------------- reading


def read_fields(schema: CollectionSchema) -> list[SourceField]:
    """Return the fields that a read delivers. It delivers a column of documents whole: the mapping opens it,
    and the keys of the documents are not asked of the source."""
    return [field for field in schema.fields if field.choices and not field.opened_from]


def plan_of(case: SourceCase, source: Source, ref: CollectionRef | None = None) -> ReadPlan:
    """Return a plan that reads all fields of a collection, each as its first choice. A field whose types are
    those of a sample is read as its last choice, which holds any value."""
    schema = source.describe(ref or case.full, 100, ReadContext())
    columns = tuple(
        ReadColumn(f.name, f.choices[-1 if f.is_sampled else 0].spec) for f in read_fields(schema)
    )
    return ReadPlan(columns, schema.key.columns if schema.key else (), case.batch_bytes)


def slices_of(
    case: SourceCase, source: Source, ref: CollectionRef | None = None, wanted: int = 1
) -> list[Slice]:
    """Return ``wanted`` slices if the source can make them, converted through JSON as a job stores them."""
    parts = list(source.slices(ref or case.full, wanted, ReadContext()))
    return [Slice(p.id, stored(p.bounds), p.rows_estimate, p.partition, p.resumable) for p in parts]


def read(
    case: SourceCase,
    source: Source,
    part: Slice,
    after: Cursor | None = None,
    plan: ReadPlan | None = None,
) -> list[Batch]:
    """Return the batches of one slice, after a cursor if one is given, with the retries of a job."""
    return read_slice(source, case.full, part, after, plan or plan_of(case, source))


def read_slice(
    source: Source, ref: CollectionRef, part: Slice, after: Cursor | None, plan: ReadPlan
) -> list[Batch]:
    """Return the batches of one slice after a cursor, with the retries of a job."""
    batches: list[Batch] = []
    reader = SliceReader(
        source, ref, part, plan, retry=QUICK, log=silent, start_over=lambda error: batches.clear()
    )
    for batch in reader.batches(after, ReadContext()):
        batches.append(batch)
    return batches


def read_all(case: SourceCase, source: Source, ref: CollectionRef) -> list[Batch]:
    """Return the batches of a collection that contain rows."""
    plan = plan_of(case, source, ref)
    parts = slices_of(case, source, ref)
    batches = [batch for part in parts for batch in read_slice(source, ref, part, None, plan)]
    return [batch for batch in batches if batch.rows.num_rows]


def keys_of(rows: pa.RecordBatch, plan: ReadPlan) -> pa.Array:
    """Return the keys of rows; a key of several columns is joined."""
    columns = [rows.column(name) for name in plan.key]
    return columns[0] if len(columns) == 1 else joined([column.cast(pa.string()) for column in columns])


def stored(value: Any) -> Any:
    """Return a cursor or bounds as they come back from the database."""
    return json.loads(json.dumps(value))


def locators_of(batches: list[Batch]) -> list[str]:
    """Return the locators of the rows, in order."""
    return [name for batch in batches for name in batch.locators.to_pylist()]


def table_of(batches: list[Batch], like: Batch) -> pa.Table:
    """Return all rows as one table; if there are none, ``like`` gives the columns."""
    return pa.Table.from_batches([batch.rows for batch in batches], like.rows.schema).combine_chunks()


def types_of(rows: pa.RecordBatch) -> dict[str, pa.DataType]:
    """Return the Arrow type of each column by name."""
    return {column.name: column.type for column in rows.schema}


def assert_silent(case: SourceCase, change: Mapping[str, Any], *texts: str) -> None:
    """Assert that ``texts`` contain no secret of the settings, including changed ones."""
    changed = tuple(str(change[name]) for name in change if str(case.settings.get(name, "")) in case.secrets)
    for secret in case.secrets + changed:
        assert not any(secret in text for text in texts), "a secret is shown"
