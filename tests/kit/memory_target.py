"""Memory target: a target for tests that can fail on demand.

with memory_database(MemoryDatabase()) as settings:
    target = MemoryTarget(settings)
    target.store.mishaps += [Mishap.BUSY, Mishap.LOST_BUT_LANDED]
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

import pyarrow as pa
from pydantic import Field, SecretStr

from migrations_app.engine.endpoint import ServerInfo, SettingsModel
from migrations_app.engine.errors import (
    AuthRefused,
    DatabaseMissing,
    HostUnknown,
    TargetChanged,
    TargetError,
)
from migrations_app.engine.identity import CollectionIdentity
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.target_schema import IndexSpec, TargetSchema
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.targets.base import Channel, IndexState, LoadState, Target
from tests.kit.memory_database import EVERYTHING, MemoryChannel, MemoryDatabase, MemoryRows, Mishap

__all__ = [
    "EVERYTHING",
    "MemoryChannel",
    "MemoryDatabase",
    "MemoryRows",
    "MemoryTarget",
    "MemoryTargetSettings",
    "Mishap",
    "memory_database",
]


class MemoryTargetSettings(SettingsModel):
    store: str = Field(title="Store", description="The name under which a test registered it.")
    token: SecretStr = Field(default=SecretStr(""), title="Token")


class MemoryTarget(Target):
    kind: ClassVar[str] = "memory"
    title: ClassVar[str] = "Memory"
    Settings: ClassVar[type[SettingsModel]] = MemoryTargetSettings
    address_field = "store"
    stores: ClassVar[dict[str, MemoryDatabase]] = {}

    settings: MemoryTargetSettings

    @property
    def store(self) -> MemoryDatabase:
        """The opened database. Raises ``ConnectionFailed`` if the settings are wrong."""
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

    def _collection(self, name: str) -> MemoryRows:
        found = self.store.collections.get(name)
        if found is None:
            raise TargetChanged(f"The collection “{name}” does not exist.", "It may have been dropped.")
        return found

    def check(self, ctx: ReadContext) -> ServerInfo:
        return ServerInfo("Memory", self.store.capabilities.version)

    def identity(self, collection: str, ctx: ReadContext) -> CollectionIdentity | None:
        name = self.store.aliases.get(collection, collection)
        if not self.store.server or name not in self.store.collections:
            return None
        return CollectionIdentity(name, unique=f"{self.store.server}, {name}")

    def hosts(self) -> tuple[str, ...]:
        return (self.settings.store,)

    def capabilities(self) -> Capabilities:
        return self.store.capabilities

    def databases(self) -> tuple[str, ...]:
        store = self.stores.get(self.settings.store)
        return ("default", *(store.created_databases if store else ()))

    def create_database(self) -> bool:
        if self.database in self.databases():
            return False
        self.stores[self.settings.store].created_databases.append(self.database)
        return True

    def collections(self) -> tuple[str, ...]:
        return tuple(sorted(self.store.collections))

    def aliases(self, name: str) -> tuple[str, ...]:
        return tuple(alias for alias, of in sorted(self.store.aliases.items()) if of == name)

    def describe(self, name: str) -> TargetSchema | None:
        found = self.store.collections.get(self.store.aliases.get(name, name))
        return found.schema if found else None

    def create(self, schema: TargetSchema) -> None:
        if schema.name in (*self.store.collections, *self.store.aliases):
            raise TargetError(f"A collection “{schema.name}” already exists.", "Choose another name.")
        self.store.collections[schema.name] = MemoryRows(schema)

    def raise_limit(self, name: str, field: str, limit: str, value: int) -> None:
        kept = self._collection(name)
        fields = tuple(
            replace(f, spec=replace(f.spec, **{limit: value})) if f.name == field else f
            for f in kept.schema.fields
        )
        kept.schema = replace(kept.schema, fields=fields)

    def drop(self, name: str) -> None:
        if aliases := self.aliases(name):
            raise TargetError(f"“{name}” has aliases: {', '.join(aliases)}.", "Drop them first.")
        self.store.collections.pop(name, None)

    def channel(self, schema: TargetSchema, *, upsert: bool, may_replace: bool = True) -> Channel:
        return MemoryChannel(self.store, schema.name, upsert)

    def flush(self, name: str) -> None:
        self._collection(name)

    def partitions(self, name: str) -> tuple[str, ...]:
        return tuple(self._collection(name).partitions)

    def create_partition(self, name: str, partition: str) -> None:
        collection = self._collection(name)
        if partition in collection.partitions:
            raise TargetError(f"A partition “{partition}” already exists.", "Choose another name.")
        collection.partitions.append(partition)

    def row_statistics(self, name: str, partition: str = "") -> int:
        collection = self._collection(name)
        return collection.sent_into[partition] if partition else collection.sent

    def count(self, name: str, partition: str = "") -> int:
        collection = self._collection(name)
        if self.store.capabilities.count_needs_load and not collection.is_loaded:
            raise TargetError(f"The collection “{name}” is not loaded.", "Load it first.")
        return (
            sum(of_row == partition for of_row in collection.partition_of.values())
            if partition
            else len(collection.rows)
        )

    def count_keys(self, name: str, field: str, keys: pa.Array) -> int:
        self.count(name)
        wanted = set(keys.to_pylist())
        return sum(row[field] in wanted for row in self._collection(name).rows.values())

    def indexes(self, name: str) -> tuple[IndexState, ...]:
        collection = self._collection(name)
        rows = len(collection.rows)
        return tuple(IndexState(spec, rows, rows, is_finished=True) for spec in collection.indexes.values())

    def create_index(self, name: str, index: IndexSpec) -> None:
        self._collection(name).indexes[index.field] = index

    def drop_index(self, name: str, field: str) -> None:
        self._collection(name).indexes.pop(field, None)

    def load_state(self, name: str) -> LoadState:
        return LoadState("loaded", 100) if self._collection(name).is_loaded else LoadState("not_loaded")

    def load(self, name: str) -> None:
        collection = self._collection(name)
        if self.store.capabilities.count_needs_load and not collection.indexes:
            raise TargetError(f"The collection “{name}” has no index.", "Create an index first.")
        collection.is_loaded = True

    def release(self, name: str) -> None:
        self._collection(name).is_loaded = False


@contextmanager
def memory_database(store: MemoryDatabase) -> Iterator[MemoryTargetSettings]:
    """Register ``store`` under a unique name and yield the settings that open it."""
    name = f"target-{uuid.uuid4().hex[:8]}"
    MemoryTarget.stores[name] = store
    try:
        yield MemoryTargetSettings(store=name, token=SecretStr(store.token))
    finally:
        del MemoryTarget.stores[name]
