"""Slices: several slices at once, each in its own process as workers move them, compared with one at a time.

The target is a stand-in that answers each request after 50 ms, as a target far away does. Requests are
encoded as for Milvus.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa

from benchmarks.dataset import Shape
from benchmarks.measuring import ContestantFailed, wait_until_idle
from benchmarks.report import Table
from migrations_app.engine.log import silent
from migrations_app.engine.mapping import Mapping, compile_mapping
from migrations_app.engine.milvus.capabilities import capabilities_of
from migrations_app.engine.milvus.server import Server
from migrations_app.engine.milvus.wire import encode
from migrations_app.engine.model.batch import CollectionRef, Slice
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.pipeline.ledger import Allowance, Ledger
from migrations_app.engine.pipeline.pipeline import Policy, SliceWork, run_slice
from migrations_app.engine.planning.defaults import complete
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.postgresql.source import PostgresSource
from migrations_app.engine.targets.base import Request

HEADINGS = ("rows × dim", "at once", "seconds", "rows/s", "× one at once")
SLICES = 4
ANSWER_SECONDS = 0.05
AT_ONCE = (1, 2, 4)


@dataclass(frozen=True)
class Share:
    """The slices that one process moves, one after another: every ``step``-th one from ``first``."""

    postgres_url: str
    table: str
    first: int
    step: int


@dataclass(frozen=True)
class Span:
    """When a process began to read and when its last request was answered, by the clock of the machine."""

    begin: float
    end: float
    rows: int


class DistantChannel:
    """Encodes requests for Milvus, and answers each after ``ANSWER_SECONDS``."""

    single_writer = False

    def __init__(self, mapping: Mapping) -> None:
        self._schema = mapping.target

    def encode(self, rows: pa.RecordBatch, partition: str = "") -> Request:
        return Request(encode(rows, self._schema, database="default", partition=partition, timestamp=0), rows)

    def send(self, request: Request, timeout_seconds: float) -> int:
        time.sleep(ANSWER_SECONDS)
        return int(request.rows.num_rows)

    def close(self) -> None:
        pass


def measure_slices(table: Table, postgres_url: str, shape: Shape, turns: int) -> None:
    """Add a line for each number of slices at once: the fastest of ``turns`` runs."""
    one = 0.0
    for at_once in AT_ONCE:
        seconds = min(_seconds(postgres_url, shape, at_once) for _ in range(turns))
        one = one or seconds
        table.add(str(shape), str(at_once), seconds, round(shape.rows / seconds), one / seconds)


def _seconds(postgres_url: str, shape: Shape, at_once: int) -> float:
    wait_until_idle()
    shares = [Share(postgres_url, shape.table, first, at_once) for first in range(at_once)]
    spans = _run(shares)
    if sum(span.rows for span in spans) != shape.rows:
        raise ContestantFailed(f"{at_once} slices at once moved another number of rows than {shape.rows}")
    return max(span.end for span in spans) - min(span.begin for span in spans)


def _run(shares: Sequence[Share]) -> list[Span]:
    """Start a process for each share; when all are ready, let them run."""
    command = [sys.executable, "-m", "benchmarks.slices"]
    pipe = subprocess.PIPE
    children = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in shares]
    for child, share in zip(children, shares, strict=True):
        assert child.stdin is not None
        child.stdin.write(json.dumps(asdict(share)) + "\n")
        child.stdin.flush()
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    outputs = [child.communicate()[0] for child in children]
    if any(child.returncode for child in children):
        raise ContestantFailed("a process that moves slices failed")
    return [Span(**json.loads(output)) for output in outputs]


def main() -> None:
    """Move the slices of one share. The share, which holds a password, is read from stdin."""
    share = Share(**json.loads(sys.stdin.readline()))
    ref, ctx = CollectionRef(f"public.{share.table}"), ReadContext()
    with PostgresSource(PostgresSource.Settings(url=share.postgres_url)) as source:
        plan = CollectionPlan(source=ref.name, target=share.table, dynamic_field=False)
        capabilities = capabilities_of(Server("milvus", (2, 5)))
        mapping = compile_mapping(complete(plan, source.describe(ref, 100, ctx), capabilities))
        parts = list(source.slices(ref, SLICES, ctx))[share.first :: share.step]
        print("ready", flush=True)
        sys.stdin.readline()
        begin = time.monotonic()
        rows = sum(_move(source, ref, part, mapping) for part in parts)
        print(json.dumps(asdict(Span(begin, time.monotonic(), rows))))


def _move(source: PostgresSource, ref: CollectionRef, part: Slice, mapping: Mapping) -> int:
    ledger, work = Ledger(), SliceWork(ref, part, None, mapping, Allowance(0))
    run_slice(source, DistantChannel(mapping), work, ledger, ReadContext(), Policy(), silent)
    return ledger.checkpoint().counters.written


if __name__ == "__main__":
    main()
