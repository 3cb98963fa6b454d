"""A target that lives in memory, with all that can go wrong at will.

with memory_database(MemoryDatabase()) as settings:
    target = MemoryTarget(settings)
    target.store.mishaps += [Mishap.BUSY, Mishap.LOST_BUT_LANDED]
"""

from __future__ import annotations

import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field, SecretStr

from migrations_app.engine.cancel import StopToken
from migrations_app.engine.connectors.base import ServerInfo, SettingsModel
from migrations_app.engine.errors import (
    AuthRefused,
    DatabaseMissing,
    HostUnknown,
    RowsRefused,
    TargetBusy,
    TargetChanged,
    TargetError,
    TargetUnavailable,
    UnknownOutcome,
)
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.schema import IndexSpec, MilvusType, TargetSchema
from migrations_app.engine.target import Channel, IndexState, LoadState, Request, Target

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
    single_writer=False,
    count_needs_load=True,
    flush_before_count=True,
    databases=True,
)


class Mishap(Enum):
    """What happens to one request."""

    BUSY = "the target asks to slow down"
    UNAVAILABLE = "it does not get there"
    LOST = "it does not get there, and nobody knows"
    LOST_BUT_LANDED = "it lands, but its answer is lost"


@dataclass
class MemoryRows:
    """One collection: its rows by key, as Python values, and how many were ever sent."""

    schema: TargetSchema
    rows: dict[Any, dict[str, Any]] = field(default_factory=dict)
    sent: int = 0
    indexes: dict[str, IndexSpec] = field(default_factory=dict)
    is_loaded: bool = False


@dataclass
class MemoryDatabase:
    """What a target holds, and what its requests are to meet.

    ``mishaps`` befall the next requests in turn. ``refuse`` says of a row why it is always refused, or "".
    More than ``most_at_once`` requests in flight are told to slow down. Requests wait for ``gate``, and time
    out there. ``on_request`` is called with the number of each request. The counters say what went on.
    ``aliases`` are other names of collections.
    """

    token: str = ""
    capabilities: Capabilities = EVERYTHING
    collections: dict[str, MemoryRows] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    mishaps: deque[Mishap] = field(default_factory=deque)
    retry_after_seconds: float | None = None
    refuse: Callable[[dict[str, Any]], str] = lambda row: ""
    most_at_once: int | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    on_request: Callable[[int], None] = lambda number: None
    requests: int = 0
    in_flight: int = 0
    peak_in_flight: int = 0
    largest_request_bytes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.gate.set()


class MemoryTargetSettings(SettingsModel):
    store: str = Field(title="Store", description="The name under which a test put it.")
    token: SecretStr = Field(default=SecretStr(""), title="Token")


class MemoryTarget(Target):
    kind: ClassVar[str] = "memory"
    title: ClassVar[str] = "Memory"
    Settings: ClassVar[type[SettingsModel]] = MemoryTargetSettings
    stores: ClassVar[dict[str, MemoryDatabase]] = {}

    settings: MemoryTargetSettings

    @property
    def store(self) -> MemoryDatabase:
        """What it holds. Raises ``ConnectionFailed`` where the settings do not open it."""
        found = self.stores.get(self.settings.store)
        if found is None:
            raise HostUnknown(
                f"There is no store named “{self.settings.store}”.", "Check its name.", field="store"
            )
        if found.token != self.settings.token.get_secret_value():
            raise AuthRefused("The store refused the token.", "Type it again.", field="token")
        if self.database not in self.databases():
            raise DatabaseMissing(f"There is no database “{self.database}”.", "Choose another one.")
        return found

    def _held(self, name: str) -> MemoryRows:
        found = self.store.collections.get(name)
        if found is None:
            raise TargetChanged(f"The collection “{name}” is gone.", "Somebody dropped it meanwhile.")
        return found

    def check(self) -> ServerInfo:
        return ServerInfo("Memory", self.store.capabilities.version)

    def hosts(self) -> tuple[str, ...]:
        return (self.settings.store,)

    def capabilities(self) -> Capabilities:
        return self.store.capabilities

    def databases(self) -> tuple[str, ...]:
        return ("default",)

    def collections(self) -> tuple[str, ...]:
        return tuple(sorted(self.store.collections))

    def aliases(self, name: str) -> tuple[str, ...]:
        return tuple(alias for alias, meant in sorted(self.store.aliases.items()) if meant == name)

    def describe(self, name: str) -> TargetSchema | None:
        found = self.store.collections.get(self.store.aliases.get(name, name))
        return found.schema if found else None

    def create(self, schema: TargetSchema) -> None:
        if schema.name in (*self.store.collections, *self.store.aliases):
            raise TargetError(f"There is a collection “{schema.name}” already.", "Choose another name.")
        self.store.collections[schema.name] = MemoryRows(schema)

    def drop(self, name: str) -> None:
        if aliases := self.aliases(name):
            raise TargetError(f"“{name}” has aliases: {', '.join(aliases)}.", "Drop them first.")
        self.store.collections.pop(name, None)

    def channel(self, schema: TargetSchema, *, upsert: bool) -> Channel:
        return MemoryChannel(self.store, schema.name, upsert)

    def flush(self, name: str, stop: StopToken | None = None) -> None:
        self._held(name)

    def row_statistics(self, name: str) -> int:
        return self._held(name).sent

    def count(self, name: str) -> int:
        held = self._held(name)
        if self.store.capabilities.count_needs_load and not held.is_loaded:
            raise TargetError(f"The collection “{name}” is not loaded.", "Load it first.")
        return len(held.rows)

    def count_keys(self, name: str, field: str, keys: pa.Array) -> int:
        self.count(name)
        asked = set(keys.to_pylist())
        return sum(row[field] in asked for row in self._held(name).rows.values())

    def indexes(self, name: str) -> tuple[IndexState, ...]:
        held = self._held(name)
        rows = len(held.rows)
        return tuple(IndexState(spec, rows, rows, is_finished=True) for spec in held.indexes.values())

    def create_index(self, name: str, index: IndexSpec) -> None:
        self._held(name).indexes[index.field] = index

    def drop_index(self, name: str, field: str) -> None:
        self._held(name).indexes.pop(field, None)

    def load_state(self, name: str) -> LoadState:
        return LoadState("loaded", 100) if self._held(name).is_loaded else LoadState("not_loaded")

    def load(self, name: str) -> None:
        held = self._held(name)
        if self.store.capabilities.count_needs_load and not held.indexes:
            raise TargetError(f"The collection “{name}” has no index.", "Create an index first.")
        held.is_loaded = True

    def release(self, name: str) -> None:
        self._held(name).is_loaded = False


class MemoryChannel:
    """The ``Channel`` of ``MemoryTarget``; a request is an Arrow stream."""

    _new_keys: ClassVar[Iterator[int]] = count(1)

    def __init__(self, store: MemoryDatabase, name: str, upsert: bool) -> None:
        self._store = store
        self._name = name
        self._upsert = upsert

    def encode(self, rows: pa.RecordBatch) -> Request:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as stream:
            stream.write_batch(rows)
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
        if store.most_at_once is not None and store.in_flight > store.most_at_once:
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
        accepted = self._write(pa.ipc.open_stream(request.payload).read_all().to_pylist())
        if mishap is Mishap.LOST_BUT_LANDED:
            raise UnknownOutcome("The connection was cut.")
        return accepted

    def _write(self, rows: list[dict[str, Any]]) -> int:
        with self._store.lock:
            held = self._store.collections.get(self._name)
            if held is None:
                raise TargetChanged(f"The collection “{self._name}” is gone.")
            for row in rows:
                if reason := self._store.refuse(row):
                    raise RowsRefused(reason)
            key = held.schema.key
            for row in rows:
                # As in Milvus, an insert of a key that is there adds a second row.
                slot = row[key.name] if self._upsert and not key.auto_id else ("new", next(self._new_keys))
                held.rows[slot] = row
            held.sent += len(rows)
        return len(rows)

    def close(self) -> None:
        pass


@contextmanager
def memory_database(store: MemoryDatabase) -> Iterator[MemoryTargetSettings]:
    """``store`` under a name of its own, and the settings that open it."""
    name = f"target-{uuid.uuid4().hex[:8]}"
    MemoryTarget.stores[name] = store
    try:
        yield MemoryTargetSettings(store=name, token=SecretStr(store.token))
    finally:
        del MemoryTarget.stores[name]
