"""The product beside the target's own ceiling and a hand script: all in one run and in turns.

Of each the fastest run but one counts: whatever else the machine does adds to a run, and now and then a
server in a good moment is a quarter faster for one. A ceiling is that of the best number in flight, and the
product has as many tries as all of these together: else the ceiling would be lucky more often.
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
    *("target", "who", "seconds", "rows/s", "of ceiling", "of beside", "× script", "CPU s/GB", "peak MB"),
)
MEGABYTE = 1024 * 1024
CEILING, BESIDE, OURS, SCRIPT = "ceiling", "ceiling, source beside", "vectorferry", "hand script"


@dataclass(frozen=True)
class Entry:
    """A contestant, and how it sends: ``in_flight``, ``megabytes`` a request (0: the product's own)."""

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


def contest(in_flight: Sequence[int]) -> list[Entry]:
    """One turn of everybody; the ceilings with each of these numbers in flight."""
    rounds = [[Entry(CEILING, number), Entry(OURS)] for number in in_flight]
    beside = [Entry(BESIDE, number) for number in in_flight if number in (2, 3)]
    return [*chain.from_iterable(rounds), *beside, Entry(SCRIPT)]


def sized_ceilings() -> list[Entry]:
    """The ceiling with requests of other sizes, and of ours (6 MB)."""
    return [Entry(CEILING, number, size) for size in (2, 6, 12, 24) for number in (1, 2, 4)]


def run_turns(task: Task, shape: Shape, entries: Sequence[Entry], turns: int) -> dict[Entry, list[Run]]:
    """All runs of each entry, ``turns`` times through, each time beginning elsewhere. A run of the first one
    goes before and does not count: a server that was just started takes rows faster than ever again."""
    entries[0].run(task, shape)
    runs: dict[Entry, list[Run]] = {}
    order = deque(entries)
    for turn in range(turns):
        order.rotate(-turn * len(entries) // turns)
        for entry in order:
            runs.setdefault(entry, []).append(entry.run(task, shape))
    return runs


def tell_best(table: Table, target: str, shape: Shape, runs: dict[Entry, list[Run]]) -> None:
    """A line for each name: the run that counts of all its entries."""
    names = dict.fromkeys(entry.name for entry in runs)
    tell(table, target, shape, {_best_of(name, runs): _runs_of(name, runs) for name in names})


def tell(table: Table, target: str, shape: Shape, runs: dict[Entry, list[Run]]) -> None:
    """A line for each entry."""
    best = {entry: _counting(taken) for entry, taken in runs.items()}
    others = [
        min((run.seconds for entry, run in best.items() if entry.name == name), default=None)
        for name in (CEILING, BESIDE, SCRIPT)
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
    """The fastest but one; of one or two runs the fastest."""
    ordered = sorted(runs, key=lambda run: run.seconds)
    return ordered[1 if len(ordered) > 2 else 0]
