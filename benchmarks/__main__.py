"""What `make bench` measures: never in a test, always as ratios of one run (README.md beside this file)."""

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

from benchmarks import contest, engines, parts, shapes
from benchmarks.contestants import Task
from benchmarks.dataset import Shape
from benchmarks.report import Table
from migrations_app.engine.log import counted

STANDALONE, LITE = "Milvus 2.3.5", "Milvus Lite"
# Milvus Lite takes one request at a time: a second one waits at its door, a third would wait behind it.
IN_FLIGHT = {STANDALONE: (1, 2, 3, 4), LITE: (1, 2)}
# It is one process in Python: fewer rows take it as long.
LITE_SHARE = 2
TEXT_ROWS = 200_000


@dataclass
class Bench:
    """The engines, each started when first asked for, and what was asked for on the command line."""

    stack: ExitStack
    folder: Path
    options: argparse.Namespace

    @cached_property
    def postgres_url(self) -> str:
        return self.stack.enter_context(engines.postgres(self.folder / "postgres"))

    @cached_property
    def targets(self) -> dict[str, str]:
        """The address of each by its name."""
        found = {}
        with engines.on_the_last_processor(self.options.apart):
            if STANDALONE in self.options.targets and engines.has_standalone():
                found[STANDALONE] = self.stack.enter_context(
                    engines.milvus_standalone(self.folder / "milvus")
                )
            if LITE in self.options.targets:
                found[LITE] = self.stack.enter_context(engines.milvus_lite(self.folder / "lite"))
        return found

    def task(self, uri: str = "") -> Task:
        return Task(self.postgres_url, "", uri or next(iter(self.targets.values())), "")

    def filled(self, shape: Shape) -> Shape:
        shape.fill(self.postgres_url)
        return shape

    def tasks(self) -> Iterator[tuple[str, Task]]:
        for target, uri in self.targets.items():
            yield target, self.task(uri)


def targets(bench: Bench) -> Table:
    """The product, the ceiling and a hand script."""
    rows, dim, turns = bench.options.rows, bench.options.dim, bench.options.turns
    table = Table("targets", f"{dim}-dimensional vectors, {counted(turns, 'turn')}", contest.HEADINGS)
    for target, task in bench.tasks():
        shape = bench.filled(Shape(_for(target, rows), dim))
        runs = contest.run_turns(task, shape, contest.contest(IN_FLIGHT[target]), turns)
        contest.tell_best(table, target, shape, runs)
    return table


def texts(bench: Bench) -> Table:
    """Rows that are mostly texts."""
    turns = bench.options.turns
    table = Table("texts", f"20 texts and a small vector, {counted(turns, 'turn')}", contest.HEADINGS)
    for target, task in bench.tasks():
        shape = bench.filled(Shape(_for(target, TEXT_ROWS), 64, texts=20, text_bytes=60))
        runs = contest.run_turns(task, shape, contest.contest(IN_FLIGHT[target][:2]), turns)
        contest.tell_best(table, target, shape, runs)
    return table


def sizes(bench: Bench) -> Table:
    """The ceiling with requests of other sizes."""
    rows, dim, turns = bench.options.rows, bench.options.dim, bench.options.turns
    table = Table("sizes", f"The ceiling by the size of requests, {counted(turns, 'turn')}", contest.HEADINGS)
    for target, task in bench.tasks():
        shape = bench.filled(Shape(_for(target, rows), dim))
        contest.tell(table, target, shape, contest.run_turns(task, shape, contest.sized_ceilings(), turns))
    return table


def reading(bench: Bench) -> Table:
    """Reading, mapping and encoding alone."""
    table = Table("reading", "Reading, mapping and encoding alone", parts.HEADINGS, (40, 22))
    for shape in (Shape(200_000, 768), Shape(1_000_000, 128), Shape(200_000, 64, texts=20, text_bytes=60)):
        parts.measure_parts(table, bench.task(), bench.filled(shape), bench.options.turns)
    return table


def memory(bench: Bench) -> Table:
    """The peak of a whole process over shapes of data."""
    table = Table("memory", "Whole jobs, each in a process of its own", shapes.HEADINGS, (16, 52))
    for target, task in bench.tasks():
        for case in shapes.MEMORY_CASES:
            if target == LITE and case.shape.rows > 100_000:
                continue  # it takes minutes over them
            bench.filled(case.shape)
            shapes.measure_memory(table, target, task, case)
    return table


def growth(bench: Bench) -> Table:
    """Whether a row costs more where there are many."""
    table = Table("growth", "The cost of a row, by how many there are", shapes.COST_HEADINGS, (18, 20))
    for who in ("without a target", "vectorferry", "ceiling"):
        for shape in shapes.COST_SHAPES:
            turns = bench.options.turns if shape.rows < 1_000_000 else 1
            shapes.measure_cost(table, bench.task(), bench.filled(shape), who, turns)
    return table


def _for(target: str, rows: int) -> int:
    return rows // LITE_SHARE if target == LITE else rows


BENCHMARKS: dict[str, Callable[[Bench], Table]] = {
    "targets": targets,
    "reading": reading,
    "texts": texts,
    "growth": growth,
    "memory": memory,
    "sizes": sizes,
}


def main() -> None:
    options = _options()
    # Stopped in any way, the engines are stopped too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    names = BENCHMARKS if "all" in options.what else options.what
    with tempfile.TemporaryDirectory(prefix="vectorferry-bench-") as folder, ExitStack() as stack:
        bench = Bench(stack, Path(folder), options)
        _ = bench.targets  # first, so that where they stand apart nothing else is on their processor
        for name in names:
            BENCHMARKS[name](bench).write()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", default=["targets"], choices=[*BENCHMARKS, "all"])
    parser.add_argument("--rows", type=int, default=100_000, help="of the table that is moved (100,000)")
    parser.add_argument("--dim", type=int, default=768, help="of its vectors (768)")
    parser.add_argument("--turns", type=int, default=1, help="how often everything is run (1)")
    parser.add_argument("--targets", nargs="+", default=[STANDALONE, LITE], choices=[STANDALONE, LITE])
    parser.add_argument("--apart", action="store_true", help="give the targets a processor of their own")
    return parser.parse_args()


if __name__ == "__main__":
    main()
