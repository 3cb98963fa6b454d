"""Parts of a move: reading, compared with the raw COPY of the same query, and mapping and encoding."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.contestants import Task
from benchmarks.dataset import Shape
from benchmarks.measuring import Run, measure
from benchmarks.report import Table

HEADINGS = ("rows × dim", "what", "seconds", "rows/s", "of raw COPY", "CPU s/GB")
PARTS = ("raw COPY BINARY", "read", "mapping", "mapping and encoding")


def measure_parts(table: Table, task: Task, shape: Shape, turns: int) -> None:
    """Add a line for each part: the fastest of ``turns`` runs."""
    task = replace(task, table=shape.table)
    best: dict[str, Run] = {}
    for _ in range(turns):
        for name in PARTS:
            run = measure(name, task)
            best[name] = min(run, best.get(name, run), key=lambda r: r.seconds)
    raw = best["raw COPY BINARY"].rows_per_second
    for name, run in best.items():
        gigabytes = run.rows * shape.dim * 4 / 1e9
        share = run.rows_per_second / raw if name == "read" else None
        table.add(
            str(shape), name, run.seconds, round(run.rows_per_second), share, run.cpu_seconds / gigabytes
        )
