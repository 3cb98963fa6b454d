"""Target interface for the pipeline and for jobs: implemented by Milvus (``milvus/target.py``) and by a
memory target for tests."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, Self

import pyarrow as pa

from migrations_app.engine.endpoint import Endpoint, SettingsModel
from migrations_app.engine.errors import (
    FerryError,
    ServerBusy,
    ServerChanged,
    ServerError,
    ServerUnavailable,
    TargetBusy,
    TargetChanged,
    TargetError,
    TargetUnavailable,
)
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.target_schema import IndexSpec, TargetSchema
from migrations_app.engine.stop_token import StopToken


@dataclass(frozen=True, slots=True)
class Request:
    """Rows in the form that the target takes. If it refuses them, ``rows`` are split to find the bad rows."""

    payload: bytes
    rows: pa.RecordBatch

    @property
    def size_bytes(self) -> int:
        return len(self.payload)


class Channel(Protocol):
    """A connection that sends the rows of one collection. Several threads may call ``send`` at the same time,
    but only one thread if ``single_writer`` is true."""

    single_writer: bool

    def encode(self, rows: pa.RecordBatch, partition: str = "") -> Request:
        """Encode ``rows`` (of the collection's ``arrow_schema()``) as one request for one partition."""
        ...

    def send(self, request: Request, timeout_seconds: float) -> int:
        """Send once and return the number of accepted rows.

        Raises ``TargetBusy`` (send more slowly), ``UnknownOutcome`` (the rows may have been written),
        ``TargetUnavailable`` (they were not written), ``RowsRefused`` (the target will never accept these
        rows), ``TargetChanged``, ``AuthRefused``.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class LoadState:
    """The load state of a collection: "loaded", "loading" or "not_loaded". ``percent`` is from 0 to 100."""

    state: str
    percent: int = 0

    @property
    def is_loaded(self) -> bool:
        return self.state == "loaded"


@dataclass(frozen=True, slots=True)
class IndexState:
    """An existing index, and how many of the rows it covers."""

    spec: IndexSpec
    rows_indexed: int
    rows_total: int
    is_finished: bool
    failed: str = ""


_OF_TARGETS: dict[type[ServerError], type[TargetError]] = {
    ServerError: TargetError,
    ServerUnavailable: TargetUnavailable,
    ServerBusy: TargetBusy,
    ServerChanged: TargetChanged,
}


def target_error(error: ServerError) -> FerryError:
    """Return the error of a target for an error of its server."""
    return error.translated(_OF_TARGETS)


class Target(Endpoint):
    """One open target and one of its databases. Its methods raise only ``FerryError``s.

    ``create_index`` and ``load`` only start the work; the caller holds a lease and polls until it is done.
    """

    def __init__(self, settings: SettingsModel, database: str = "default") -> None:
        super().__init__(settings)
        self.database = database
        # Every request except ``send`` ends within half a second of this stop, with its reason.
        self.stop = StopToken()

    @contextmanager
    def obeying(self, stop: StopToken) -> Iterator[None]:
        """Let ``stop`` end the requests inside the block. Not for a target that threads share."""
        before, self.stop = self.stop, stop
        try:
            yield
        finally:
            self.stop = before

    def in_default_database(self) -> Self:
        """Return another target: the default database of the same server, with the same stop and policy."""
        other = type(self)(self.settings)
        other.address_policy, other.stop = self.address_policy, self.stop
        return other

    @abstractmethod
    def capabilities(self) -> Capabilities:
        """Return the capabilities of this server, derived from its version and flavour."""

    @abstractmethod
    def databases(self) -> tuple[str, ...]: ...

    @abstractmethod
    def create_database(self) -> bool:
        """Create the database of this target. False if it exists already."""

    @abstractmethod
    def collections(self) -> tuple[str, ...]:
        """Return the names of the collections in the database."""

    @abstractmethod
    def aliases(self, name: str) -> tuple[str, ...]:
        """Return the aliases of the collection."""

    @abstractmethod
    def describe(self, name: str) -> TargetSchema | None:
        """Return the schema of the existing collection, or None if there is none."""

    @abstractmethod
    def create(self, schema: TargetSchema) -> None: ...

    @abstractmethod
    def raise_limit(self, name: str, field: str, limit: str, value: int) -> None:
        """Raise a limit (“max_length”, “max_capacity”) of a field, if ``capabilities().raisable`` has it."""

    @abstractmethod
    def drop(self, name: str) -> None:
        """Drop the collection if it exists."""

    @abstractmethod
    def partitions(self, name: str) -> tuple[str, ...]:
        """Return the partitions of the collection, including the default one."""

    @abstractmethod
    def create_partition(self, name: str, partition: str) -> None:
        """Create a partition that does not exist yet."""

    @abstractmethod
    def channel(self, schema: TargetSchema, *, upsert: bool, may_replace: bool = True) -> Channel:
        """Return a channel into the collection. ``may_replace``: rows to be sent may have the same keys as
        rows that are already there, from this job or from before."""

    @abstractmethod
    def flush(self, name: str) -> None:
        """Flush everything that was sent so far, and wait for it, at most a minute."""

    @abstractmethod
    def row_statistics(self, name: str, partition: str = "") -> int:
        """Return the number of rows from segment statistics, of one partition if named. It is exact after a
        flush if no key was sent twice."""

    @abstractmethod
    def count(self, name: str, partition: str = "") -> int:
        """Return ``count(*)`` with strong consistency, of one partition if named. The collection must be
        loaded if ``capabilities().count_needs_load``."""

    @abstractmethod
    def count_keys(self, name: str, field: str, keys: pa.Array) -> int:
        """Count the rows whose key field ``field`` has one of ``keys``, with strong consistency. The
        collection must be loaded as for ``count``."""

    @abstractmethod
    def indexes(self, name: str) -> tuple[IndexState, ...]: ...

    @abstractmethod
    def create_index(self, name: str, index: IndexSpec) -> None: ...

    @abstractmethod
    def drop_index(self, name: str, field: str) -> None: ...

    @abstractmethod
    def load_state(self, name: str) -> LoadState: ...

    @abstractmethod
    def load(self, name: str) -> None: ...

    @abstractmethod
    def release(self, name: str) -> None: ...
