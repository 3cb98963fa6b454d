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
from migrations_app.engine.model.source_schema import CollectionSchema
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
class StoredSchema(CollectionSchema):
    """A ``CollectionSchema`` whose sample, which is Arrow, is stored as text."""

    sample: str = ""  # type: ignore[assignment]


_LISTING = TypeAdapter(tuple[CollectionInfo, ...])
_TARGET = TypeAdapter(TargetFacts)
_SCHEMA = TypeAdapter(StoredSchema)


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
    values = _values(schema) | {"sample": _packed(schema.sample)}
    return _SCHEMA.dump_python(StoredSchema(**values), mode="json")


def schema_from_json(data: Any) -> CollectionSchema | None:
    stored = _read(_SCHEMA, data)
    return CollectionSchema(**_values(stored) | {"sample": _unpacked(stored.sample)}) if stored else None


def _values(schema: CollectionSchema) -> dict[str, Any]:
    return {field.name: getattr(schema, field.name) for field in fields(CollectionSchema)}


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
