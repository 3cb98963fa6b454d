"""Contestants: each runs in its own process, reads a task from standard input and prints its figures.

The clock of a move runs from the first read to the last acknowledgement; no contestant flushes.
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
from typing import ClassVar, TypeVar

import numpy as np
import psycopg
import pyarrow as pa
from pymilvus import MilvusClient

from migrations_app.engine.log import silent
from migrations_app.engine.mapping import Mapping, compile_mapping
from migrations_app.engine.model.batch import Batch, CollectionRef, Slice
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.pipeline.ledger import Allowance, Ledger
from migrations_app.engine.pipeline.pipeline import Policy, SliceWork, run_slice
from migrations_app.engine.planning.defaults import complete
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import Source
from migrations_app.engine.sources.postgresql.read.select import select_slice
from migrations_app.engine.sources.postgresql.source import PostgresSource
from migrations_app.engine.targets.base import Channel, Request
from migrations_app.engine.targets.milvus.target import MilvusTarget

HAND_ROWS = 2000
TIMEOUT_SECONDS = 120.0
# Mapping and encoding get the same batches again and again, so that their figures do not include reading.
REPEATED_BATCHES = 10
REPETITIONS = 10


@dataclass(frozen=True)
class Task:
    """The move to measure. ``in_flight`` and ``request_bytes`` (0: as Vectorferry chooses) are only for
    contestants that send prepared requests. ``module`` runs the contestants."""

    source_url: str
    table: str
    milvus_uri: str
    collection: str
    in_flight: int = 0
    request_bytes: int = 0
    module: ClassVar[str] = "benchmarks.contestants"
    dynamic_field: ClassVar[bool] = False

    @property
    def ref(self) -> CollectionRef:
        return CollectionRef(f"public.{self.table}")

    def source(self) -> Source:
        return PostgresSource(PostgresSource.Settings(url=self.source_url))


TaskT = TypeVar("TaskT", bound=Task)


@dataclass
class Clock:
    """Wall-clock and CPU seconds (all threads of this process) inside ``running``, and the rows moved."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    rows: int = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds, self.cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu


@dataclass(frozen=True)
class Endpoints:
    """Both endpoints, open, and the mapping that the wizard would propose for them."""

    task: Task
    source: Source
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
        """Return a channel that can only encode: its collection is dropped."""
        self.target.create(self.mapping.target)
        channel = self.channel()
        self.target.drop(self.mapping.target.name)
        return channel

    def statement(self) -> str:
        """Return the query that Vectorferry reads with."""
        assert isinstance(self.source, PostgresSource)
        relation = self.source._relation(self.task.ref, ReadContext())
        return select_slice(relation, self.mapping.read_plan, self.part.bounds, None).text()


@contextmanager
def opened(task: Task) -> Iterator[Endpoints]:
    with (
        task.source() as source,
        MilvusTarget(MilvusTarget.Settings(uri=task.milvus_uri)) as target,
    ):
        short = CollectionPlan(source=task.ref.name, target=task.collection, dynamic_field=task.dynamic_field)
        mapping = compile_mapping(
            complete(short, source.describe(task.ref, 100, ReadContext()), target.capabilities())
        )
        (part,) = source.slices(task.ref, 1, ReadContext())
        yield Endpoints(task, source, target, mapping, part)


@contextmanager
def prepared(task: Task) -> Iterator[Endpoints]:
    """Like ``opened``, and create the empty collection."""
    with opened(task) as endpoints:
        endpoints.target.create(endpoints.mapping.target)
        yield endpoints


# ---------------------------------------------------------------- moving


def vectorferry(task: Task, clock: Clock) -> None:
    """Vectorferry's own pipeline."""
    with prepared(task) as endpoints:
        move(endpoints, endpoints.channel(), clock)


class DiscardingChannel(Channel):
    """Encodes requests and throws them away instead of sending them."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.single_writer = channel.single_writer

    def encode(self, rows: pa.RecordBatch, partition: str = "") -> Request:
        return self._channel.encode(rows, partition)

    def send(self, request: Request, timeout_seconds: float) -> int:
        return int(request.rows.num_rows)

    def close(self) -> None:
        self._channel.close()


def without_target(task: Task, clock: Clock) -> None:
    """Vectorferry alone: its requests are encoded and thrown away."""
    with opened(task) as endpoints:
        move(endpoints, DiscardingChannel(endpoints.encoder()), clock)


def move(endpoints: Endpoints, channel: Channel, clock: Clock) -> None:
    ledger = Ledger()
    work = SliceWork(endpoints.task.ref, endpoints.part, None, endpoints.mapping, Allowance(0))
    with clock.running():
        run_slice(endpoints.source, channel, work, ledger, ReadContext(), Policy(), silent)
    clock.rows = ledger.checkpoint().counters.written


def ceiling(task: Task, clock: Clock) -> None:
    """The most that the target can take: the same requests, all built beforehand, ``in_flight`` at a time."""
    with prepared(task) as endpoints:
        channel = endpoints.channel()
        requests = [channel.encode(endpoints.mapping.apply(batch).rows) for batch in endpoints.batches()]
        send = partial(channel.send, timeout_seconds=TIMEOUT_SECONDS)
        with clock.running(), ThreadPoolExecutor(task.in_flight) as pool:
            clock.rows = sum(pool.map(send, requests))


def ceiling_with_reads(task: Task, clock: Clock) -> None:
    """Like ``ceiling``, but each request waits until its rows have been read from the source and thrown away.

    No mover can be faster than this if source, mover and target share their processors.
    """
    with prepared(task) as endpoints:
        channel = endpoints.channel()
        requests = [channel.encode(endpoints.mapping.apply(batch).rows) for batch in endpoints.batches()]
        statement, sent = endpoints.statement(), list[Future[int]]()
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
    """A script that a careful person writes in an afternoon: a binary server-side cursor and
    ``MilvusClient.insert``."""
    with prepared(task) as endpoints:
        names = [field.name for field in endpoints.mapping.target.fields]
    client = MilvusClient(task.milvus_uri)
    with (
        clock.running(),
        psycopg.connect(task.source_url) as connection,
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


# ---------------------------------------------------------------- parts of a move


@contextmanager
def raw_rows(task: Task, statement: str) -> Iterator[Iterator[object]]:
    """Yield the rows of COPY BINARY of a statement, one by one, with the session settings of Vectorferry's
    own reads."""
    with psycopg.connect(task.source_url, autocommit=True) as connection:
        connection.execute("SET enable_sort = off")
        with connection.cursor().copy(f"COPY ({statement}) TO STDOUT (FORMAT binary)") as copy:
            yield iter(copy)


def raw_copy(task: Task, clock: Clock) -> None:
    """COPY BINARY of the query that Vectorferry reads with; the bytes are thrown away."""
    with opened(task) as endpoints:
        statement = endpoints.statement()
    with clock.running(), raw_rows(task, statement) as rows:
        clock.rows = sum(1 for _ in rows) - 1  # the trailer


def read(task: Task, clock: Clock) -> None:
    """Vectorferry's reader alone, up to the batches that the mapping takes."""
    with opened(task) as endpoints, clock.running():
        clock.rows = sum(batch.rows.num_rows for batch in endpoints.batches())


def mapping(task: Task, clock: Clock) -> None:
    """The mapping alone: from source batches to the target's columns, with all checks and dedup."""
    with opened(task) as endpoints:
        batches = list(islice(endpoints.batches(), REPEATED_BATCHES))
        with clock.running():
            for _ in range(REPETITIONS):
                clock.rows += sum(endpoints.mapping.apply(batch).rows.num_rows for batch in batches)


def mapping_and_encoding(task: Task, clock: Clock) -> None:
    """Mapping and encoding: from source batches to requests."""
    with opened(task) as endpoints:
        channel = endpoints.encoder()
        batches = list(islice(endpoints.batches(), REPEATED_BATCHES))
        with clock.running():
            for _ in range(REPETITIONS):
                for batch in batches:
                    clock.rows += channel.encode(endpoints.mapping.apply(batch).rows).rows.num_rows


# The keys are the names that the tables show.
CONTESTANTS: dict[str, Callable[[Task, Clock], None]] = {
    "ceiling": ceiling,
    "ceiling with reads": ceiling_with_reads,
    "vectorferry": vectorferry,
    "without a target": without_target,
    "hand script": hand_script,
    "raw COPY BINARY": raw_copy,
    "read": read,
    "mapping": mapping,
    "mapping and encoding": mapping_and_encoding,
}


def peak_bytes() -> int:
    """Return the peak memory of this process.

    Linux reports it as VmHWM (proc(5)); ``ru_maxrss`` would also count the memory of the parent process.
    """
    with suppress(FileNotFoundError):
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def run(contestants: dict[str, Callable[[TaskT, Clock], None]], make_task: Callable[..., TaskT]) -> None:
    """``python -m MODULE NAME``: reads the task, which may hold a password, from stdin."""
    clock = Clock()
    contestants[sys.argv[1]](make_task(**json.load(sys.stdin)), clock)
    print(json.dumps(asdict(clock) | {"peak_megabytes": peak_bytes() / 1024**2}))


if __name__ == "__main__":
    run(CONTESTANTS, Task)
