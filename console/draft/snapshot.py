"""Snapshot of source and target, stored as JSON in a draft, so that the pages need not ask the servers again.

If another version wrote it in another format, it is read as None, and the server is asked again.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter, ValidationError

from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, SourceKey
from migrations_app.engine.sources.base import CollectionInfo

PREVIEW_ROWS = 5
SAMPLE_BYTES = 1_000_000

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """The facts about the target when it was chosen: server, capabilities, databases, names of its
    collections."""

    connection: int
    database: str
    server: str
    capabilities: Capabilities
    databases: tuple[str, ...]
    taken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SchemaFacts:
    """A ``CollectionSchema`` without its sample, which is Arrow."""

    name: str
    fields: tuple[SourceField, ...]
    key: SourceKey | None
    rows_estimate: int | None
    notes: tuple[str, ...]
    label: str = ""
    group: str = ""
    unique: tuple[tuple[str, ...], ...] = ()
    lists_values: bool = True
    sample: str = ""

    def schema(self) -> CollectionSchema:
        names = (f.name for f in fields(self) if f.name != "sample")
        return CollectionSchema(
            sample=_unpacked(self.sample), **{name: getattr(self, name) for name in names}
        )


_LISTING = TypeAdapter(tuple[CollectionInfo, ...])
_TARGET = TypeAdapter(TargetFacts)
_SCHEMA = TypeAdapter(SchemaFacts)


def listing_to_json(listing: tuple[CollectionInfo, ...]) -> Any:
    return _LISTING.dump_python(listing, mode="json")


def listing_from_json(data: Any) -> tuple[CollectionInfo, ...]:
    return _read(_LISTING, data) or ()


def target_to_json(facts: TargetFacts) -> Any:
    return _TARGET.dump_python(facts, mode="json")


def target_from_json(data: Any) -> TargetFacts | None:
    return _read(_TARGET, data)


def schema_to_json(schema: CollectionSchema) -> Any:
    """Return the schema with its sample, which is shortened if it is large."""
    facts = {f.name: getattr(schema, f.name) for f in fields(SchemaFacts)}
    return _SCHEMA.dump_python(SchemaFacts(**facts | {"sample": _packed(schema.sample)}), mode="json")


def schema_from_json(data: Any) -> CollectionSchema | None:
    facts = _read(_SCHEMA, data)
    return facts.schema() if facts else None


def _packed(sample: pa.RecordBatch | None) -> str:
    """Return the sample as a compressed Arrow stream in base64: with vectors only for the rows of the
    preview, and with fewer rows if they are large."""
    rows = sample.num_rows if sample else 0
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    while rows:
        slim = _slim(sample.slice(0, rows))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, slim.schema, options=options) as writer:
            writer.write_batch(slim)
        if sink.tell() <= SAMPLE_BYTES:
            return base64.b64encode(sink.getvalue()).decode()
        rows //= 2
    return ""


def _slim(sample: pa.RecordBatch) -> pa.RecordBatch:
    """Return the sample with NULL for the vectors that the preview does not show."""
    is_shown = pa.array([row < PREVIEW_ROWS for row in range(sample.num_rows)])
    columns = [
        pc.if_else(is_shown, column, pa.scalar(None, column.type)) if _is_vector(column.type) else column
        for column in sample.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=sample.schema.names)


def _is_vector(type_: pa.DataType) -> bool:
    is_list = pa.types.is_fixed_size_list(type_) or pa.types.is_list(type_)
    return pa.types.is_fixed_size_binary(type_) or (is_list and pa.types.is_floating(type_.value_type))


def _unpacked(text: str) -> pa.RecordBatch | None:
    if not text:
        return None
    try:
        return pa.ipc.open_stream(base64.b64decode(text)).read_next_batch()
    except (pa.ArrowInvalid, ValueError):
        return None


def _read(adapter: TypeAdapter[Value], data: Any) -> Value | None:
    try:
        return adapter.validate_python(data)
    except ValidationError:
        return None
