"""What a target is to the pipeline and to a job: Milvus (``milvus/target.py``), or memory in tests."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from migrations_app.engine.endpoint import Endpoint, SettingsModel
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.target_schema import IndexSpec, TargetSchema
from migrations_app.engine.stop_token import StopToken


@dataclass(frozen=True, slots=True)
class Request:
    """Some rows in the form the target takes. ``rows`` is what a refusal is bisected on."""

    payload: bytes
    rows: pa.RecordBatch

    @property
    def size_bytes(self) -> int:
        return len(self.payload)


class Channel(Protocol):
    """The way rows of one collection enter the target. ``send`` may be called by several threads, but with
    ``single_writer`` by one at a time."""

    single_writer: bool

    def encode(self, rows: pa.RecordBatch, partition: str = "") -> Request:
        """``rows`` in the collection's ``arrow_schema()`` as one request, all into one partition. Pure."""
        ...

    def send(self, request: Request, timeout_seconds: float) -> int:
        """Send once and return the rows accepted.

        Raises ``TargetBusy`` (slow down), ``UnknownOutcome`` (it may have landed), ``TargetUnavailable``
        (it has not), ``RowsRefused`` (these rows, always), ``TargetChanged``, ``AuthRefused``.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class LoadState:
    """``state`` is "loaded", "loading" or "not_loaded"; ``percent`` 0..100."""

    state: str
    percent: int = 0

    @property
    def is_loaded(self) -> bool:
        return self.state == "loaded"


@dataclass(frozen=True, slots=True)
class IndexState:
    """An index found: what it is, and how many of the rows it covers."""

    spec: IndexSpec
    rows_indexed: int
    rows_total: int
    is_finished: bool
    failed: str = ""


class Target(Endpoint):
    """One open target, in one of its databases. Only ``FerryError``s leave its methods.

    ``flush``, ``create_index`` and ``load`` only ask; the caller polls under its own lease.
    """

    def __init__(self, settings: SettingsModel, database: str = "default") -> None:
        super().__init__(settings)
        self.database = database

    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this server can do, by its version and flavour."""

    @abstractmethod
    def databases(self) -> tuple[str, ...]: ...

    @abstractmethod
    def collections(self) -> tuple[str, ...]:
        """Names taken in the database."""

    @abstractmethod
    def aliases(self, name: str) -> tuple[str, ...]:
        """Other names that lead to the collection."""

    @abstractmethod
    def describe(self, name: str) -> TargetSchema | None:
        """The collection as it is, or None."""

    @abstractmethod
    def create(self, schema: TargetSchema) -> None: ...

    @abstractmethod
    def drop(self, name: str) -> None:
        """Gone after this, also where it was not there."""

    @abstractmethod
    def partitions(self, name: str) -> tuple[str, ...]:
        """The partitions of the collection, its default one among them."""

    @abstractmethod
    def create_partition(self, name: str, partition: str) -> None:
        """Make one that is not there."""

    @abstractmethod
    def channel(self, schema: TargetSchema, *, upsert: bool, may_replace: bool = True) -> Channel:
        """``may_replace``: there may be rows, of this job or from before, with the keys of others to come."""

    @abstractmethod
    def flush(self, name: str, stop: StopToken | None = None) -> None:
        """Ask for everything sent so far to be sealed, and wait: at most a minute, or until ``stop``."""

    @abstractmethod
    def row_statistics(self, name: str, partition: str = "") -> int:
        """Rows by segment statistics, of one partition if named: exact after a flush while no key was sent
        twice."""

    @abstractmethod
    def count(self, name: str, partition: str = "") -> int:
        """Strong ``count(*)``, of one partition if named. The collection must be loaded where
        ``capabilities().count_needs_load``."""

    @abstractmethod
    def count_keys(self, name: str, field: str, keys: pa.Array) -> int:
        """Strong count of the rows whose key, in ``field``, is among ``keys``; loaded as for ``count``."""

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
