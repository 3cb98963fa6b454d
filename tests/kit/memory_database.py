"""Database of the memory target: its collections, and a channel that can fail on demand."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from typing import Any, ClassVar

import pyarrow as pa

from migrations_app.engine.errors import (
    RowsRefused,
    TargetBusy,
    TargetChanged,
    TargetUnavailable,
    UnknownOutcome,
)
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.partition_names import DEFAULT_PARTITION
from migrations_app.engine.model.target_schema import IndexSpec, TargetSchema
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.targets.base import Request

EVERYTHING = Capabilities(
    flavour="milvus",
    version="9.9.9",
    types=frozenset(MilvusType),
    nullable=True,
    default_values=True,
    full_text=True,
    null_vectors=True,
    max_vector_fields=4,
    max_fields=64,
    max_shards=16,
    max_partitions=1024,
    max_bits=262_144,
    single_writer=False,
    count_needs_load=True,
    flush_before_count=True,
    databases=True,
)


class Mishap(Enum):
    """What happens to one request."""

    BUSY = "the target asks to slow down"
    UNAVAILABLE = "the connection is refused"
    LOST = "the request is lost, and no answer comes"
    LOST_BUT_LANDED = "the rows are written, but the answer is lost"


@dataclass
class MemoryRows:
    """One collection: its rows by key, as Python values, and the number of rows ever sent.

    If a partition is named, it is part of the key. ``partition_of`` gives the partition of each row,
    ``sent_into`` the number of rows sent into each partition.
    """

    schema: TargetSchema
    rows: dict[Any, dict[str, Any]] = field(default_factory=dict)
    sent: int = 0
    indexes: dict[str, IndexSpec] = field(default_factory=dict)
    is_loaded: bool = False
    partitions: list[str] = field(default_factory=lambda: [DEFAULT_PARTITION])
    partition_of: dict[Any, str] = field(default_factory=dict)
    sent_into: Counter[str] = field(default_factory=Counter)


@dataclass
class MemoryDatabase:
    """The collections of a target, and what happens to its requests.

    Each of ``mishaps`` happens to one request, in order. ``refuse`` returns the reason why a row is always
    refused, or "". If more than ``max_in_flight`` requests are in flight, the target answers that it is busy.
    Requests wait for ``gate`` until they time out. ``on_request`` is called with the number of each request.
    The counters record what happened. ``aliases`` are other names of collections.
    ``server`` is the server that it is on, if a source may be on the same one.
    """

    token: str = ""
    capabilities: Capabilities = EVERYTHING
    collections: dict[str, MemoryRows] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    server: str = ""
    created_databases: list[str] = field(default_factory=list)
    mishaps: deque[Mishap] = field(default_factory=deque)
    retry_after_seconds: float | None = None
    refuse: Callable[[dict[str, Any]], str] = lambda row: ""
    max_in_flight: int | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    on_request: Callable[[int], None] = lambda number: None
    requests: int = 0
    in_flight: int = 0
    peak_in_flight: int = 0
    largest_request_bytes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.gate.set()


class MemoryChannel:
    """The ``Channel`` of ``MemoryTarget``; a request is an Arrow stream."""

    single_writer = False
    _new_keys: ClassVar[Iterator[int]] = count(1)

    def __init__(self, store: MemoryDatabase, name: str, upsert: bool) -> None:
        self._store = store
        self._name = name
        self._upsert = upsert

    def encode(self, rows: pa.RecordBatch, partition: str = "") -> Request:
        sink = pa.BufferOutputStream()
        sent = rows.replace_schema_metadata({"partition": partition})
        with pa.ipc.new_stream(sink, sent.schema) as stream:
            stream.write_batch(sent)
        return Request(sink.getvalue().to_pybytes(), rows)

    def send(self, request: Request, timeout_seconds: float) -> int:
        store = self._store
        with store.lock:
            store.requests += 1
            number = store.requests
            store.in_flight += 1
            store.peak_in_flight = max(store.peak_in_flight, store.in_flight)
            store.largest_request_bytes = max(store.largest_request_bytes, request.size_bytes)
            mishap = self._mishap()
        try:
            store.on_request(number)
            return self._answer(request, mishap, timeout_seconds)
        finally:
            with store.lock:
                store.in_flight -= 1

    def _mishap(self) -> Mishap | None:
        store = self._store
        if store.max_in_flight is not None and store.in_flight > store.max_in_flight:
            return Mishap.BUSY
        return store.mishaps.popleft() if store.mishaps else None

    def _answer(self, request: Request, mishap: Mishap | None, timeout_seconds: float) -> int:
        if not self._store.gate.wait(timeout_seconds):
            raise UnknownOutcome(f"No answer came within {timeout_seconds:g} s.")
        if mishap is Mishap.BUSY:
            raise TargetBusy("Too many requests.", retry_after_seconds=self._store.retry_after_seconds)
        if mishap is Mishap.UNAVAILABLE:
            raise TargetUnavailable("The connection was refused.")
        if mishap is Mishap.LOST:
            raise UnknownOutcome("The connection was cut.")
        sent = pa.ipc.open_stream(request.payload).read_all()
        accepted = self._write(sent.to_pylist(), sent.schema.metadata[b"partition"].decode())
        if mishap is Mishap.LOST_BUT_LANDED:
            raise UnknownOutcome("The connection was cut.")
        return accepted

    def _write(self, rows: list[dict[str, Any]], partition: str) -> int:
        with self._store.lock:
            collection = self._store.collections.get(self._name)
            if collection is None:
                raise TargetChanged(f"The collection “{self._name}” does not exist.")
            partition_name = partition or DEFAULT_PARTITION
            if partition_name not in collection.partitions:
                raise TargetChanged(f"The partition “{partition}” does not exist.")
            for row in rows:
                if reason := self._store.refuse(row):
                    raise RowsRefused(reason)
            for row in rows:
                slot = self._slot(collection.schema, row, partition)
                collection.rows[slot] = row
                collection.partition_of[slot] = partition_name
            collection.sent += len(rows)
            collection.sent_into[partition_name] += len(rows)
        return len(rows)

    def _slot(self, schema: TargetSchema, row: dict[str, Any], partition: str) -> Any:
        """Return where a row is stored. As in Milvus, an insert of an existing key adds a second row."""
        if not self._upsert or schema.key.auto_id:
            return "new", next(self._new_keys)
        key = row[schema.key.name]
        return (key, partition) if partition and self._store.capabilities.key_per_partition else key

    def close(self) -> None:
        pass
