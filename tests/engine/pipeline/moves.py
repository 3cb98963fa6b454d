"""Moves for tests: runs of the pipeline from a memory source of books to a memory target."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from migrations_app.engine.mapping import Mapping, compile_mapping
from migrations_app.engine.model.batch import CollectionRef, Cursor, Slice
from migrations_app.engine.model.plan import AUTO, CollectionPlan
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.pacing.retry_policy import RetryPolicy
from migrations_app.engine.pipeline.ledger import Allowance, Checkpoint, Ledger
from migrations_app.engine.pipeline.pipeline import Policy, SliceEnd, SliceWork, run_slice
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.reading.throttle import Throttle
from migrations_app.engine.stop_token import Deadline, StopToken
from tests.kit import (
    MemoryCollection,
    MemoryDatabase,
    MemorySource,
    MemoryStore,
    MemoryTarget,
    memory_collection,
    memory_database,
    memory_store,
)

BOOKS = CollectionRef("books")
SPECS = {
    "id": TypeSpec(MilvusType.INT64),
    "title": TypeSpec(MilvusType.VARCHAR, max_length=512),
    "embedding": TypeSpec(MilvusType.FLOAT_VECTOR, dim=8),
}
# Real waits, but too short to slow a test down.
QUICK = RetryPolicy(tries=5, first_seconds=0.001, most_seconds=0.004)


def books(rows: int) -> pa.RecordBatch:
    vectors = pa.array([[float(n), *[0.5] * 7] for n in range(rows)], pa.list_(pa.float32(), 8))
    titles = pa.array([f"Book {n}" for n in range(rows)], pa.string())
    return pa.RecordBatch.from_arrays([pa.array(range(rows), pa.int64()), titles, vectors], list(SPECS))


def books_mapping(*, auto_id: bool = False, batch_bytes: int = 1024) -> Mapping:
    """Return a mapping that moves books unchanged. With Auto ID, the source key becomes an ordinary field."""
    plan = CollectionPlan.model_validate(
        {
            "source": "books",
            "target": "books",
            "key": AUTO if auto_id else "id",
            "key_name": "auto_id" if auto_id else None,
            "dynamic_field": False,
            "fields": [
                {"source": "id", "target": "id", "type": "INT64"},
                {"source": "title", "target": "title", "type": "VARCHAR", "max_length": 512},
                {"source": "embedding", "target": "embedding", "type": "FLOAT_VECTOR", "dim": 8},
            ],
        }
    )
    mapping = compile_mapping(plan)
    return replace(mapping, read_plan=replace(mapping.read_plan, batch_bytes=batch_bytes))


@dataclass
class Move:
    """The move of one slice of books. ``logged`` holds (level, message) of the run log."""

    source_store: MemoryStore
    source: MemorySource
    target_store: MemoryDatabase
    target: MemoryTarget
    mapping: Mapping
    stop: StopToken = field(default_factory=StopToken)
    ledger: Ledger = field(default_factory=Ledger)
    logged: list[tuple[str, str]] = field(default_factory=list)
    policy: Policy = field(default_factory=lambda: Policy(retry=QUICK, request_timeout_seconds=5))

    @property
    def collection(self) -> MemoryCollection:
        return self.source_store.collections["books"]

    @property
    def part(self) -> Slice:
        (part,) = self.source.slices(BOOKS, 1, ReadContext())
        return part

    def run(
        self,
        after: Cursor | None = None,
        *,
        max_rejected: int | None = None,
        max_rows: int | None = None,
        throttle: Throttle | None = None,
        deadline: Deadline | None = None,
    ) -> SliceEnd:
        channel = self.target.channel(self.mapping.target, upsert=self.mapping.upsert)
        work = SliceWork(BOOKS, self.part, after, self.mapping, Allowance(max_rejected), max_rows, throttle)
        ctx = ReadContext(self.stop, deadline)
        return run_slice(self.source, channel, work, self.ledger, ctx, self.policy, self._log)

    def resume(self, checkpoint: Checkpoint, **options: Any) -> SliceEnd:
        """Continue from a stored checkpoint, as another worker would."""
        self.stop = StopToken()
        self.ledger = Ledger(checkpoint.after, checkpoint.counters)
        return self.run(checkpoint.after, **options)

    def set_policy(self, **changes: Any) -> None:
        self.policy = replace(self.policy, **changes)

    def written(self) -> list[int]:
        """Return the sorted numbers of the books in the target; duplicates are listed twice."""
        return sorted(row["id"] for row in self.target_store.collections["books"].rows.values())

    def add_faults(self, *, reject: tuple[int, ...] = (), skip: tuple[int, ...] = ()) -> None:
        """Make the titles of some books too long, and the vectors of others NULL."""
        rows = self.collection.rows.to_pylist()
        for number in reject:
            rows[number]["title"] = "x" * 600
        for number in skip:
            rows[number]["embedding"] = None
        self.collection.rows = pa.RecordBatch.from_pylist(rows, self.collection.rows.schema)

    def _log(self, level: str, message: str, **facts: object) -> None:
        self.logged.append((level, message))


def wait_until(is_true: Callable[[], bool]) -> None:
    """Wait until a condition that another thread changes is true. Fails after ten seconds."""
    end = time.monotonic() + 10
    while not is_true():
        assert time.monotonic() < end, "the condition did not become true"
        time.sleep(0.001)


@contextmanager
def move_of_books(rows: int = 200, *, auto_id: bool = False, batch_bytes: int = 1024) -> Iterator[Move]:
    """Yield a move of ``rows`` books, about 20 per batch, and check that no thread is left afterwards."""
    store = MemoryStore({"books": memory_collection(books(rows), SPECS, "id")})
    with memory_store(store) as settings, memory_database(MemoryDatabase()) as target_settings:
        source, target = MemorySource(settings), MemoryTarget(target_settings)
        mapping = books_mapping(auto_id=auto_id, batch_bytes=batch_bytes)
        target.create(mapping.target)
        yield Move(store, source, target.store, target, mapping)
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith(("send", "fetch"))]
    assert left == []
