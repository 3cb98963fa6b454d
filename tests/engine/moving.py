"""A source of books and a target in memory, and runs of the pipeline between them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from migrations_app.engine.batch import Batch, CollectionRef, Cursor, ReadColumn, ReadPlan, Rejected, Slice
from migrations_app.engine.cancel import Deadline, StopToken
from migrations_app.engine.checkpoint import Checkpoint, Ledger
from migrations_app.engine.connectors.base import ReadContext
from migrations_app.engine.pipeline import Policy, SliceEnd, SliceWork, run_slice
from migrations_app.engine.retry import RetryPolicy
from migrations_app.engine.schema import MilvusType, TargetField, TargetSchema, TypeSpec
from migrations_app.engine.testing import (
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
# So quick that a test does not wait, and yet real waits.
QUICK = RetryPolicy(tries=5, first_seconds=0.001, most_seconds=0.004)


def books(rows: int) -> pa.RecordBatch:
    vectors = pa.array([[float(n), *[0.5] * 7] for n in range(rows)], pa.list_(pa.float32(), 8))
    titles = pa.array([f"Book {n}" for n in range(rows)], pa.string())
    return pa.RecordBatch.from_arrays([pa.array(range(rows), pa.int64()), titles, vectors], list(SPECS))


@dataclass(frozen=True)
class Mapped:
    rows: pa.RecordBatch
    locators: pa.Array
    rejected: tuple[Rejected, ...] = ()
    skipped: int = 0
    collapsed: int = 0


@dataclass(frozen=True)
class BooksMapping:
    """The books as they are, but for titles of “reject” and “skip”."""

    target: TargetSchema
    read_plan: ReadPlan
    upsert: bool

    def apply(self, batch: Batch) -> Mapped:
        names = self.target.arrow_schema().names
        titles = batch.rows.column("title").to_pylist()
        keep = pa.array([title not in ("reject", "skip") for title in titles], pa.bool_())
        rejected = tuple(
            Rejected(locator.as_py(), "title", "refused_title", "The title says so.")
            for locator, title in zip(batch.locators, titles, strict=True)
            if title == "reject"
        )
        rows = batch.rows.select(names).filter(keep).cast(self.target.arrow_schema())
        return Mapped(rows, batch.locators.filter(keep), rejected, titles.count("skip"))


def books_mapping(*, auto_id: bool = False, batch_bytes: int = 1024) -> BooksMapping:
    own = [
        TargetField(name, spec, is_key=name == "id" and not auto_id, nullable=False)
        for name, spec in SPECS.items()
    ]
    key = [TargetField("auto_id", TypeSpec(MilvusType.INT64), is_key=True, auto_id=True)] if auto_id else []
    target = TargetSchema("books", (*key, *own), dynamic=False)
    columns = tuple(ReadColumn(name, spec) for name, spec in SPECS.items())
    return BooksMapping(target, ReadPlan(columns, ("id",), batch_bytes), upsert=not auto_id)


@dataclass
class Move:
    """One slice of books on its way. ``logged`` holds (level, message) of the run log."""

    source_store: MemoryStore
    source: MemorySource
    target_store: MemoryDatabase
    target: MemoryTarget
    mapping: BooksMapping
    stop: StopToken = field(default_factory=StopToken)
    ledger: Ledger = field(default_factory=Ledger)
    logged: list[tuple[str, str]] = field(default_factory=list)
    policy: Policy = field(default_factory=lambda: Policy(retry=QUICK, request_timeout_seconds=5))

    @property
    def collection(self) -> MemoryCollection:
        return self.source_store.collections["books"]

    @property
    def part(self) -> Slice:
        (part,) = self.source.slices(BOOKS, 1)
        return part

    def run(
        self,
        after: Cursor | None = None,
        *,
        max_rejected: int | None = None,
        deadline: Deadline | None = None,
        workers: int = 2,
    ) -> SliceEnd:
        channel = self.target.channel(self.mapping.target, upsert=self.mapping.upsert)
        work = SliceWork(BOOKS, self.part, after, self.mapping, max_rejected)
        ctx = ReadContext(self.stop, deadline, workers=workers)
        return run_slice(self.source, channel, work, self.ledger, ctx, self.policy, self._log)

    def resume(self, checkpoint: Checkpoint, **options: Any) -> SliceEnd:
        """Go on as another worker would: from what was stored."""
        self.stop = StopToken()
        self.ledger = Ledger(checkpoint.after, checkpoint.counters)
        return self.run(checkpoint.after, **options)

    def set_policy(self, **changes: Any) -> None:
        self.policy = replace(self.policy, **changes)

    def written(self) -> list[int]:
        """The books in the target, by their number; one that is there twice stands here twice."""
        return sorted(row["id"] for row in self.target_store.collections["books"].rows.values())

    def titles(self, *, reject: tuple[int, ...] = (), skip: tuple[int, ...] = ()) -> None:
        """Give some books a title that the mapping rejects or skips."""
        rows = self.collection.rows
        special = dict.fromkeys(reject, "reject") | dict.fromkeys(skip, "skip")
        titles = [special.get(n, title) for n, title in enumerate(rows.column("title").to_pylist())]
        self.collection.rows = rows.set_column(1, "title", pa.array(titles, pa.string()))

    def _log(self, level: str, message: str, **facts: object) -> None:
        self.logged.append((level, message))


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for another thread to get there. Fails after ten seconds."""
    end = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.001)


@contextmanager
def books_on_the_move(rows: int = 200, *, auto_id: bool = False, batch_bytes: int = 1024) -> Iterator[Move]:
    """A move of ``rows`` books, about 20 of them a batch; afterwards no thread of it may be left."""
    store = MemoryStore({"books": memory_collection(books(rows), SPECS, "id")})
    with memory_store(store) as settings, memory_database(MemoryDatabase()) as target_settings:
        source, target = MemorySource(settings), MemoryTarget(target_settings)
        mapping = books_mapping(auto_id=auto_id, batch_bytes=batch_bytes)
        target.create(mapping.target)
        yield Move(store, source, target.store, target, mapping)
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith(("send", "fetch"))]
    assert left == []
