"""Benchmarks: Vectorferry compared with the target's own ceiling and a hand-written script.

Only ratios within one run count. README.md in this folder explains the tables.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks import contest, engines, json_pages, opened_documents, parts, point_reads, shapes
from benchmarks import point_moves as qdrant_runs
from benchmarks import slices as slice_runs
from benchmarks.contestants import Task
from benchmarks.dataset import Shape
from benchmarks.report import Table
from migrations_app.demo.engines import EmbeddedQdrant
from migrations_app.engine.log import counted

STANDALONE, LITE = "Milvus 2.3.5", "Milvus Lite"
# Milvus Lite handles one request at a time: while it does, a second one may wait. A third would not help.
IN_FLIGHT = {STANDALONE: (1, 2, 3, 4), LITE: (1, 2)}
# Milvus Lite is one Python process, so half of the rows take about as long as all rows in Milvus 2.3.5.
LITE_DIVISOR = 2
TEXT_ROWS = 200_000
# The Qdrant server keeps all its answers in memory, some of them as JSON.
POINTS_DIVISOR, CACHE_MB = 5, 4000


@dataclass
class Bench:
    """The engines, each started when it is first needed, and the command line options."""

    stack: ExitStack
    folder: Path
    options: argparse.Namespace

    @cached_property
    def postgres_url(self) -> str:
        return self.stack.enter_context(engines.postgres(self.folder / "postgres"))

    @cached_property
    def qdrant(self) -> EmbeddedQdrant:
        return self.stack.enter_context(engines.qdrant(self.folder / "qdrant", CACHE_MB))

    @cached_property
    def targets(self) -> dict[str, str]:
        """The address of each target, by the target's name."""
        addresses = {}
        with engines.on_the_last_processor(self.options.apart):
            if STANDALONE in self.options.targets and engines.has_standalone():
                addresses[STANDALONE] = self.stack.enter_context(
                    engines.milvus_standalone(self.folder / "milvus")
                )
            if LITE in self.options.targets:
                addresses[LITE] = self.stack.enter_context(engines.milvus_lite(self.folder / "lite"))
        return addresses

    def task(self, uri: str = "") -> Task:
        return Task(self.postgres_url, "", uri or next(iter(self.targets.values())), "")

    def filled(self, shape: Shape) -> Shape:
        shape.fill(self.postgres_url)
        return shape

    def tasks(self) -> Iterator[tuple[str, Task]]:
        for target, uri in self.targets.items():
            yield target, self.task(uri)


def targets(bench: Bench) -> Table:
    """Vectorferry, the ceiling and a hand script."""
    rows, dim, turns = bench.options.rows, bench.options.dim, bench.options.turns
    table = Table("targets", f"{dim}-dimensional vectors, {counted(turns, 'turn')}", contest.HEADINGS)
    for target, task in bench.tasks():
        shape = bench.filled(Shape(_rows_for(target, rows), dim))
        runs = contest.run_turns(task, shape, contest.entries(IN_FLIGHT[target]), turns)
        contest.add_best_lines(table, target, shape, runs)
    return table


def texts(bench: Bench) -> Table:
    """Like ``targets``, with rows that are mostly texts."""
    turns = bench.options.turns
    table = Table("texts", f"20 texts and a small vector, {counted(turns, 'turn')}", contest.HEADINGS)
    for target, task in bench.tasks():
        shape = bench.filled(Shape(_rows_for(target, TEXT_ROWS), 64, texts=20, text_bytes=60))
        runs = contest.run_turns(task, shape, contest.entries(IN_FLIGHT[target][:2]), turns)
        contest.add_best_lines(table, target, shape, runs)
    return table


def sizes(bench: Bench) -> Table:
    """The ceiling with requests of different sizes."""
    rows, dim, turns = bench.options.rows, bench.options.dim, bench.options.turns
    table = Table("sizes", f"The ceiling by the size of requests, {counted(turns, 'turn')}", contest.HEADINGS)
    for target, task in bench.tasks():
        shape = bench.filled(Shape(_rows_for(target, rows), dim))
        runs = contest.run_turns(task, shape, contest.sized_ceilings(), turns)
        contest.add_lines(table, target, shape, runs)
    return table


def reading(bench: Bench) -> Table:
    """Reading, mapping and encoding alone."""
    table = Table("reading", "Reading, mapping and encoding alone", parts.HEADINGS, (40, 22))
    for shape in (Shape(200_000, 768), Shape(1_000_000, 128), Shape(200_000, 64, texts=20, text_bytes=60)):
        parts.measure_parts(table, bench.task(), bench.filled(shape), bench.options.turns)
    return table


def memory(bench: Bench) -> Table:
    """The peak memory of a whole process for different shapes of data."""
    table = Table("memory", "Whole jobs, each in its own process", shapes.HEADINGS, (16, 52))
    for target, task in bench.tasks():
        for case in shapes.MEMORY_CASES:
            if target == LITE and case.shape.rows > 100_000:
                continue  # Milvus Lite needs minutes for them
            bench.filled(case.shape)
            shapes.measure_memory(table, target, task, case)
    return table


def growth(bench: Bench) -> Table:
    """The cost per row in small and in large tables."""
    table = Table("growth", "The cost per row, by the number of rows", shapes.COST_HEADINGS, (18, 20))
    for who in ("without a target", "vectorferry", "ceiling"):
        for shape in shapes.COST_SHAPES:
            turns = bench.options.turns if shape.rows < 1_000_000 else 1
            shapes.measure_cost(table, bench.task(), bench.filled(shape), who, turns)
    return table


def slices(bench: Bench) -> Table:
    """Several slices at once, into a target that answers each request after 50 ms."""
    table = Table("slices", "Slices at once, into a target that answers after 50 ms", slice_runs.HEADINGS)
    for shape in (Shape(400_000, 128), Shape(100_000, 768)):
        slice_runs.measure_slices(table, bench.postgres_url, bench.filled(shape), bench.options.turns)
    return table


def json(bench: Bench) -> Table:
    """JSON documents to batches, on one core."""
    table = Table("json", "JSON documents to batches, one core", json_pages.HEADINGS, (20, 14))
    json_pages.measure_pages(table, bench.options.turns)
    return table


def documents(bench: Bench) -> Table:
    """Keys taken out of JSON documents, on one core."""
    title = "Five keys of JSON documents become fields, the rest stays: one core"
    table = Table("documents", title, opened_documents.HEADINGS, (36, 30))
    opened_documents.measure_documents(table, bench.options.turns)
    return table


def points(bench: Bench) -> Table:
    """The points of Qdrant, next to the scroll of its own client."""
    table = Table("points", "Points of Qdrant to batches", point_reads.HEADINGS, (12, 16))
    point_reads.measure_reads(table, bench.folder / "qdrant", bench.options.turns)
    return table


def point_moves(bench: Bench) -> Table:
    """From Qdrant into Milvus, next to a hand script."""
    rows, dim, turns = bench.options.rows // POINTS_DIVISOR, bench.options.dim, bench.options.turns
    title = f"{counted(rows, 'point')} of Qdrant, {dim}-dimensional, {counted(turns, 'turn')}"
    table = Table("point_moves", title, qdrant_runs.HEADINGS)
    point_reads.fill(bench.qdrant, rows, dim)
    for target, uri in bench.targets.items():
        task = qdrant_runs.PointsTask(
            bench.qdrant.url, point_reads.NAME, uri, "", grpc_port=bench.qdrant.grpc_port
        )
        qdrant_runs.measure_moves(table, target, task, turns)
    return table


def _rows_for(target: str, rows: int) -> int:
    return rows // LITE_DIVISOR if target == LITE else rows


BENCHMARKS: dict[str, Callable[[Bench], Table]] = {
    "targets": targets,
    "reading": reading,
    "texts": texts,
    "growth": growth,
    "memory": memory,
    "sizes": sizes,
    "slices": slices,
    "json": json,
    "documents": documents,
    "points": points,
    "point_moves": point_moves,
}
MAIN = "targets"
# These need no target.
WITHOUT_TARGET = frozenset({"slices", "json", "documents", "points"})


def main() -> None:
    options = _options()
    # On SIGTERM exit in the normal way, so that the engines are stopped too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    names = BENCHMARKS if "all" in options.what else options.what
    with tempfile.TemporaryDirectory(prefix="vectorferry-bench-") as folder, ExitStack() as stack:
        bench = Bench(stack, Path(folder), options)
        # The targets start first: with --apart, processes that start later stay off the targets' processor.
        if not WITHOUT_TARGET.issuperset(names):
            _ = bench.targets
        for name in names:
            BENCHMARKS[name](bench).write()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", default=MAIN, choices=[*BENCHMARKS, "all"])
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the table (default 100,000)")
    parser.add_argument("--dim", type=int, default=768, help="dimensions of its vectors (default 768)")
    parser.add_argument("--turns", type=int, default=1, help="how often each contestant runs (default 1)")
    parser.add_argument("--targets", nargs="+", default=[STANDALONE, LITE], choices=[STANDALONE, LITE])
    parser.add_argument("--apart", action="store_true", help="give the targets their own processor")
    options = parser.parse_args()
    # argparse checks the default like one of the choices, so it cannot be a list.
    options.what = [MAIN] if options.what == MAIN else options.what
    return options


if __name__ == "__main__":
    main()
