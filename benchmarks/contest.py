"""Contest: Vectorferry, the target's own ceiling and a hand script take turns in one run.

The second fastest run of each contestant counts. Slow runs do not count, because other work on the machine
slows a run down. The fastest does not count, because now and then a server is a quarter faster for a single
run. The ceiling is the best of several numbers of requests in flight. Vectorferry gets as many tries as all
of these together; otherwise the ceiling would have more lucky runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain

from benchmarks.contestants import Task
from benchmarks.dataset import Shape
from benchmarks.measuring import Run, measure
from benchmarks.report import Table

HEADINGS = (
    *("target", "who", "seconds", "rows/s", "of ceiling", "with reads", "× script", "CPU s/GB", "peak MB"),
)
MEGABYTE = 1024 * 1024
CEILING, WITH_READS = "ceiling", "ceiling with reads"
OURS, SCRIPT = "vectorferry", "hand script"


@dataclass(frozen=True)
class Entry:
    """A contestant, its number of requests ``in_flight`` and the ``megabytes`` per request (0: as Vectorferry
    chooses)."""

    name: str
    in_flight: int = 0
    megabytes: float = 0

    def __str__(self) -> str:
        size = f", {self.megabytes:g} MB" if self.megabytes else ""
        return f"{self.name} ({self.in_flight}{size})" if self.in_flight else self.name

    def run(self, task: Task, shape: Shape) -> Run:
        size = int(self.megabytes * MEGABYTE)
        return measure(
            self.name, replace(task, table=shape.table, in_flight=self.in_flight, request_bytes=size)
        )


def entries(in_flight: Sequence[int]) -> list[Entry]:
    """Return one turn of all contestants, with a ceiling for each of these numbers in flight."""
    rounds = [[Entry(CEILING, number), Entry(OURS)] for number in in_flight]
    with_reads = [Entry(WITH_READS, number) for number in in_flight if number in (2, 3)]
    return [*chain.from_iterable(rounds), *with_reads, Entry(SCRIPT)]


def sized_ceilings() -> list[Entry]:
    """Return ceilings with requests of different sizes, Vectorferry's own (6 MB) among them."""
    return [Entry(CEILING, number, size) for size in (2, 6, 12, 24) for number in (1, 2, 4)]


def run_turns(task: Task, shape: Shape, entries: Sequence[Entry], turns: int) -> dict[Entry, list[Run]]:
    """Run all entries ``turns`` times, each time starting with a different one. Return all runs by entry.

    One run of the first entry comes before and does not count: a server that has just started takes rows
    faster than it ever does later.
    """
    entries[0].run(task, shape)
    runs: dict[Entry, list[Run]] = {}
    order = deque(entries)
    for turn in range(turns):
        order.rotate(-turn * len(entries) // turns)
        for entry in order:
            runs.setdefault(entry, []).append(entry.run(task, shape))
    return runs


def add_best_lines(table: Table, target: str, shape: Shape, runs: dict[Entry, list[Run]]) -> None:
    """Add a line for each name: the run that counts among all its entries."""
    names = dict.fromkeys(entry.name for entry in runs)
    add_lines(table, target, shape, {_best_of(name, runs): _runs_of(name, runs) for name in names})


def add_lines(table: Table, target: str, shape: Shape, runs: dict[Entry, list[Run]]) -> None:
    """Add a line for each entry."""
    best = {entry: _counting(taken) for entry, taken in runs.items()}
    others = [
        min((run.seconds for entry, run in best.items() if entry.name == name), default=None)
        for name in (CEILING, WITH_READS, SCRIPT)
    ]
    for entry, run in best.items():
        table.add(
            *(target, str(entry), run.seconds, round(run.rows_per_second)),
            *(None if other is None else other / run.seconds for other in others),
            run.cpu_seconds / shape.vector_gigabytes,
            round(max(taken.peak_megabytes for taken in runs[entry])),
            shape=str(shape),
            runs=[asdict(taken) for taken in runs[entry]],
        )


def _runs_of(name: str, runs: dict[Entry, list[Run]]) -> list[Run]:
    return [run for entry, taken in runs.items() if entry.name == name for run in taken]


def _best_of(name: str, runs: dict[Entry, list[Run]]) -> Entry:
    counting = _counting(_runs_of(name, runs))
    return next(entry for entry, taken in runs.items() if entry.name == name and counting in taken)


def _counting(runs: Sequence[Run]) -> Run:
    """Return the second fastest run; if there are only one or two runs, the fastest."""
    ordered = sorted(runs, key=lambda run: run.seconds)
    return ordered[1 if len(ordered) > 2 else 0]
