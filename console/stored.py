"""What a draft remembers of its two ends, as JSON: so that no page asks a server again for what it knows.

Nothing here is trusted to be readable: what another version wrote comes back as None, and is asked for anew.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from migrations_app.engine.connectors.base import CollectionInfo
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.schema import CollectionSchema, SourceField, SourceKey

PREVIEW_ROWS = 5
PREVIEW_BYTES = 500_000

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What was learned of the target when it was chosen: who it is, what it can, which names are taken."""

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
    """The schema with the few rows of its sample that the preview shows."""
    known = {f.name: getattr(schema, f.name) for f in fields(SchemaFacts)}
    return _SCHEMA.dump_python(SchemaFacts(**known | {"sample": _packed(schema.sample)}), mode="json")


def schema_from_json(data: Any) -> CollectionSchema | None:
    facts = _read(_SCHEMA, data)
    return facts.schema() if facts else None


def _packed(sample: pa.RecordBatch | None) -> str:
    """The first rows as an Arrow stream in base64; fewer where they are large, perhaps none."""
    for rows in range(min(PREVIEW_ROWS, sample.num_rows if sample else 0), 0, -1):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, sample.schema) as writer:
            writer.write_batch(sample.slice(0, rows))
        if sink.tell() <= PREVIEW_BYTES:
            return base64.b64encode(sink.getvalue()).decode()
    return ""


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
