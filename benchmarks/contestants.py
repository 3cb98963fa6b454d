"""Three ways to move the same rows, each in a process of its own that is given a task and gives figures.

The clock runs from the first read to the last acknowledgement; nobody flushes.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import psycopg
from pymilvus import MilvusClient

from benchmarks.dataset import TABLE
from migrations_app.engine.batch import CollectionRef
from migrations_app.engine.checkpoint import Ledger
from migrations_app.engine.connectors.base import ReadContext
from migrations_app.engine.connectors.registry import source_class
from migrations_app.engine.log import silent
from migrations_app.engine.mapping import Mapping, compile_mapping
from migrations_app.engine.milvus.target import MilvusTarget
from migrations_app.engine.pipeline import Policy, SliceWork, run_slice
from migrations_app.engine.plan import CollectionPlan
from migrations_app.engine.proposal import complete
from migrations_app.engine.target import Target

HAND_ROWS = 2000
TIMEOUT_SECONDS = 120.0
REF = CollectionRef(f"public.{TABLE}")


@dataclass(frozen=True)
class Task:
    postgres_url: str
    milvus_uri: str
    collection: str


@dataclass
class Clock:
    """Wall and CPU seconds (this process, all its threads) of the part between start and stop."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds, self.cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu


@contextmanager
def prepared(task: Task) -> Iterator[tuple[object, Target, Mapping]]:
    """Both ends open, and an empty collection made by the plan that the wizard proposes."""
    cls = source_class("postgresql")
    with (
        cls(cls.Settings(url=task.postgres_url)) as source,
        MilvusTarget(MilvusTarget.Settings(uri=task.milvus_uri)) as target,
    ):
        short = CollectionPlan(source=REF.name, target=task.collection, dynamic_field=False)
        mapping = compile_mapping(complete(short, source.describe(REF), target.capabilities()))
        target.create(mapping.target)
        yield source, target, mapping


def vectorferry(task: Task, clock: Clock) -> None:
    """The product: its own pipeline, from Arrow to Arrow."""
    with prepared(task) as (source, target, mapping):
        (part,) = source.slices(REF, 1)
        channel = target.channel(mapping.target, upsert=mapping.upsert)
        work = SliceWork(REF, part, None, mapping, max_rejected=0)
        with clock.running():
            run_slice(source, channel, work, Ledger(), ReadContext(), Policy(), silent)


def ceiling(in_flight: int, task: Task, clock: Clock) -> None:
    """What the target can take: the very same requests, all built beforehand, so many in flight."""
    with prepared(task) as (source, target, mapping):
        (part,) = source.slices(REF, 1)
        channel = target.channel(mapping.target, upsert=mapping.upsert)
        batches = source.read(REF, part, None, mapping.read_plan, ReadContext())
        requests = [channel.encode(mapping.apply(batch).rows) for batch in batches]
        send = partial(channel.send, timeout_seconds=TIMEOUT_SECONDS)
        with clock.running(), ThreadPoolExecutor(in_flight) as pool:
            list(pool.map(send, requests))


def hand_script(task: Task, clock: Clock) -> None:
    """What a careful person writes in an afternoon: a binary server-side cursor and MilvusClient.insert."""
    with prepared(task):
        pass
    client = MilvusClient(task.milvus_uri)
    with (
        clock.running(),
        psycopg.connect(task.postgres_url) as connection,
        connection.cursor("rows", binary=True) as cursor,
    ):
        cursor.itersize = HAND_ROWS
        cursor.execute("SELECT id, title, category, price, embedding FROM items")
        rows = iter(cursor)
        while batch := [_as_entity(row) for row in islice(rows, HAND_ROWS)]:
            client.insert(task.collection, batch)
    client.close()


def _as_entity(row: tuple[int, str, str, float, bytes]) -> dict[str, object]:
    key, title, category, price, vector = row
    embedding = np.frombuffer(vector, ">f4", offset=4).astype(np.float32)
    return {"id": key, "title": title, "category": category, "price": price, "embedding": embedding}


# More in flight is not always faster: the ceiling is the best of these.
CEILING = "ceiling"
CONTESTANTS: dict[str, Callable[[Task, Clock], None]] = {
    **{f"{CEILING}, {number} in flight": partial(ceiling, number) for number in (4, 2, 1)},
    "vectorferry": vectorferry,
    "hand script": hand_script,
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
