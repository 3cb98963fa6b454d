"""Everything that is measured, each in a process of its own that is given a task and gives figures.

The clock of a move runs from the first read to the last acknowledgement; nobody flushes.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import psycopg
from pymilvus import MilvusClient

from migrations_app.engine.log import silent
from migrations_app.engine.mapping import Mapping, compile_mapping
from migrations_app.engine.model.batch import Batch, CollectionRef, Slice
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.pipeline.ledger import Ledger
from migrations_app.engine.pipeline.pipeline import Policy, SliceWork, run_slice
from migrations_app.engine.planning.defaults import complete
from migrations_app.engine.sources.base import ReadContext
from migrations_app.engine.sources.postgresql.read.select import select_slice
from migrations_app.engine.sources.postgresql.source import PostgresSource
from migrations_app.engine.targets.base import Channel, Request
from migrations_app.engine.targets.milvus.target import MilvusTarget

HAND_ROWS = 2000
TIMEOUT_SECONDS = 120.0
# What mapping and encoding are given again and again, so that reading has no part in their figures.
KEPT_BATCHES = 10
KEPT_ROUNDS = 10


@dataclass(frozen=True)
class Task:
    """``in_flight`` and ``request_bytes`` (0: the product's own) are for those who send what was prepared."""

    postgres_url: str
    table: str
    milvus_uri: str
    collection: str
    in_flight: int = 0
    request_bytes: int = 0

    @property
    def ref(self) -> CollectionRef:
        return CollectionRef(f"public.{self.table}")


@dataclass
class Clock:
    """Wall and CPU seconds (this process, all its threads) of the part between start and stop; the rows."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    rows: int = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds, self.cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu


@dataclass(frozen=True)
class Ends:
    """Both ends open, and the mapping between them that the wizard proposes."""

    task: Task
    source: PostgresSource
    target: MilvusTarget
    mapping: Mapping
    part: Slice

    def batches(self) -> Iterator[Batch]:
        plan = self.mapping.read_plan
        if self.task.request_bytes:
            plan = replace(plan, batch_bytes=self.task.request_bytes)
        return self.source.read(self.task.ref, self.part, None, plan, ReadContext())

    def channel(self) -> Channel:
        return self.target.channel(self.mapping.target, upsert=self.mapping.upsert)

    def encoder(self) -> Channel:
        """A channel that can only encode: its collection is gone."""
        self.target.create(self.mapping.target)
        channel = self.channel()
        self.target.drop(self.mapping.target.name)
        return channel

    def statement(self) -> str:
        """The very query that the product reads with."""
        relation = self.source._relation(self.task.ref)
        return select_slice(relation, self.mapping.read_plan, self.part.bounds, None).text()


@contextmanager
def opened(task: Task) -> Iterator[Ends]:
    with (
        PostgresSource(PostgresSource.Settings(url=task.postgres_url)) as source,
        MilvusTarget(MilvusTarget.Settings(uri=task.milvus_uri)) as target,
    ):
        short = CollectionPlan(source=task.ref.name, target=task.collection, dynamic_field=False)
        mapping = compile_mapping(complete(short, source.describe(task.ref), target.capabilities()))
        (part,) = source.slices(task.ref, 1)
        yield Ends(task, source, target, mapping, part)


@contextmanager
def prepared(task: Task) -> Iterator[Ends]:
    """``opened``, and the empty collection."""
    with opened(task) as ends:
        ends.target.create(ends.mapping.target)
        yield ends


# ---------------------------------------------------------------- moving


def vectorferry(task: Task, clock: Clock) -> None:
    """The product: its own pipeline, from Arrow to Arrow."""
    with prepared(task) as ends:
        _move(ends, ends.channel(), clock)


class Nowhere(Channel):
    """Encodes what it is given, and takes it without sending it anywhere."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def encode(self, rows: object, *args: object) -> Request:
        return self._channel.encode(rows, *args)

    def send(self, request: Request, timeout_seconds: float) -> int:
        return int(request.rows.num_rows)

    def close(self) -> None:
        self._channel.close()


def without_target(task: Task, clock: Clock) -> None:
    """The product, up to requests that nobody takes: what it costs by itself."""
    with opened(task) as ends:
        _move(ends, Nowhere(ends.encoder()), clock)


def _move(ends: Ends, channel: Channel, clock: Clock) -> None:
    ledger = Ledger()
    work = SliceWork(ends.task.ref, ends.part, None, ends.mapping, max_rejected=0)
    with clock.running():
        run_slice(ends.source, channel, work, ledger, ReadContext(), Policy(), silent)
    clock.rows = ledger.checkpoint().counters.written


def ceiling(task: Task, clock: Clock) -> None:
    """What the target can take: the very same requests, all built beforehand, so many in flight."""
    with prepared(task) as ends:
        channel = ends.channel()
        requests = [channel.encode(ends.mapping.apply(batch).rows) for batch in ends.batches()]
        send = partial(channel.send, timeout_seconds=TIMEOUT_SECONDS)
        with clock.running(), ThreadPoolExecutor(task.in_flight) as pool:
            clock.rows = sum(pool.map(send, requests))


def ceiling_beside_source(task: Task, clock: Clock) -> None:
    """As ``ceiling``, but each request waits until its rows were read from the source and thrown away: what
    is left for anybody where source, mover and target share their processors."""
    with prepared(task) as ends:
        channel = ends.channel()
        requests = [channel.encode(ends.mapping.apply(batch).rows) for batch in ends.batches()]
        statement, sent = ends.statement(), list[Future[int]]()
        with clock.running(), ThreadPoolExecutor(task.in_flight) as pool, raw_rows(task, statement) as rows:
            for request in requests:
                for _ in islice(rows, request.rows.num_rows):
                    pass
                sent.append(pool.submit(channel.send, request, TIMEOUT_SECONDS))
                if len(sent) > task.in_flight:
                    sent[-1 - task.in_flight].result()
            for _ in rows:
                pass
            clock.rows = sum(future.result() for future in sent)


def hand_script(task: Task, clock: Clock) -> None:
    """What a careful person writes in an afternoon: a binary server-side cursor and MilvusClient.insert."""
    with prepared(task) as ends:
        names = [field.name for field in ends.mapping.target.fields]
    client = MilvusClient(task.milvus_uri)
    with (
        clock.running(),
        psycopg.connect(task.postgres_url) as connection,
        connection.cursor("rows", binary=True) as cursor,
    ):
        cursor.itersize = HAND_ROWS
        cursor.execute(f"SELECT {', '.join(names)} FROM {task.table}")
        rows = iter(cursor)
        while batch := [_as_entity(names, row) for row in islice(rows, HAND_ROWS)]:
            client.insert(task.collection, batch)
            clock.rows += len(batch)
    client.close()


def _as_entity(names: list[str], row: tuple[object, ...]) -> dict[str, object]:
    entity = dict(zip(names, row, strict=True))
    wire = entity["embedding"]
    assert isinstance(wire, bytes)
    entity["embedding"] = np.frombuffer(wire, ">f4", offset=4).astype(np.float32)
    return entity


# ---------------------------------------------------------------- its parts


@contextmanager
def raw_rows(task: Task, statement: str) -> Iterator[Iterator[object]]:
    """COPY BINARY of a statement as libpq gives it, a row each, on the settings the product reads with."""
    with psycopg.connect(task.postgres_url, autocommit=True) as connection:
        connection.execute("SET enable_sort = off")
        with connection.cursor().copy(f"COPY ({statement}) TO STDOUT (FORMAT binary)") as copy:
            yield iter(copy)


def raw_copy(task: Task, clock: Clock) -> None:
    """The same query by COPY BINARY, the bytes thrown away."""
    with opened(task) as ends:
        statement = ends.statement()
    with clock.running(), raw_rows(task, statement) as rows:
        clock.rows = sum(1 for _ in rows) - 1  # the trailer


def read(task: Task, clock: Clock) -> None:
    """The product's reader alone: batches as the mapping takes them."""
    with opened(task) as ends, clock.running():
        clock.rows = sum(batch.rows.num_rows for batch in ends.batches())


def mapping(task: Task, clock: Clock) -> None:
    """Batches that were read into the target's columns, checks and equal keys included."""
    with opened(task) as ends:
        kept = list(islice(ends.batches(), KEPT_BATCHES))
        with clock.running():
            for _ in range(KEPT_ROUNDS):
                clock.rows += sum(ends.mapping.apply(batch).rows.num_rows for batch in kept)


def mapping_and_encoding(task: Task, clock: Clock) -> None:
    """Batches that were read into requests."""
    with opened(task) as ends:
        channel = ends.encoder()
        kept = list(islice(ends.batches(), KEPT_BATCHES))
        with clock.running():
            for _ in range(KEPT_ROUNDS):
                for batch in kept:
                    clock.rows += channel.encode(ends.mapping.apply(batch).rows).rows.num_rows


# By the name that the tables show.
CONTESTANTS: dict[str, Callable[[Task, Clock], None]] = {
    "ceiling": ceiling,
    "ceiling, source beside": ceiling_beside_source,
    "vectorferry": vectorferry,
    "without a target": without_target,
    "hand script": hand_script,
    "raw COPY BINARY": raw_copy,
    "read": read,
    "mapping": mapping,
    "mapping and encoding": mapping_and_encoding,
}


def peak_bytes() -> int:
    """The most memory this process ever held. ``ru_maxrss`` alone does not tell on Linux: it begins with what
    the parent held when it started us."""
    with suppress(FileNotFoundError):
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    """``python -m benchmarks.contestants NAME``: the task, with a password in it, comes by standard input."""
    clock = Clock()
    CONTESTANTS[sys.argv[1]](Task(**json.load(sys.stdin)), clock)
    print(json.dumps(asdict(clock) | {"peak_megabytes": peak_bytes() / 1024**2}))


if __name__ == "__main__":
    main()
