"""One contestant in a process of its own, on a machine that has come to rest, and what that cost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.contestants import Task
from migrations_app.engine.stop_token import Deadline, StopToken
from migrations_app.engine.targets.milvus.target import MilvusTarget
from migrations_app.engine.verification.row_count import RowCount

# Engines go on working after the last acknowledgement: the next one starts once they are through.
LOOK_SECONDS = 0.5
RESTING = 0.1
LOOKS = 4
LONGEST_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Run:
    """Seconds of the moving alone; the peak memory is the whole process's."""

    seconds: float
    cpu_seconds: float
    rows: int
    peak_megabytes: float

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.seconds


class ContestantFailed(Exception):
    pass


def measure(name: str, task: Task) -> Run:
    """One run, into a collection of its own that is dropped. Raises where not every row came to be there."""
    rested = settle()
    task = replace(task, collection=f"bench_{uuid.uuid4().hex[:8]}")
    with MilvusTarget(MilvusTarget.Settings(uri=task.milvus_uri)) as target:
        try:
            run = _run(name, task)
            if task.collection in target.collections():
                _check_count(name, target, task.collection, run.rows)
        finally:
            target.drop(task.collection)
    said = f"{run.seconds:.2f} s, {run.rows_per_second:,.0f} rows/s, after {rested:.1f} s of rest"
    print(f"  {task.table}: {name} {task.in_flight or ''} {said}", file=sys.stderr)
    return run


def _check_count(name: str, target: MilvusTarget, collection: str, rows: int) -> None:
    found = RowCount(target, collection, statistics_are_exact=True).run(StopToken(), Deadline())
    if found.rows != rows:
        raise ContestantFailed(f"{name} left {found.rows} of {rows} rows")


def _run(name: str, task: Task) -> Run:
    command = [sys.executable, "-m", "benchmarks.contestants", name]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    said, _ = child.communicate(json.dumps(asdict(task)))
    if child.returncode != 0:
        raise ContestantFailed(f"{name} ended with code {child.returncode} on {task.milvus_uri}")
    return Run(**json.loads(said))


def settle() -> float:
    """Wait until the machine does next to nothing, where it says so (Linux). Gives the seconds waited."""
    start = time.monotonic()
    end = start + LONGEST_WAIT_SECONDS
    before, at_rest = _busy_and_all(), 0
    while before is not None and at_rest < LOOKS and time.monotonic() < end:
        time.sleep(LOOK_SECONDS)
        now = _busy_and_all()
        assert now is not None
        is_at_rest = now[0] - before[0] <= RESTING * (now[1] - before[1])
        before, at_rest = now, at_rest + 1 if is_at_rest else 0
    return time.monotonic() - start


def _busy_and_all() -> tuple[int, int] | None:
    """Ticks of all processors since the start: those at work, and all (proc(5), /proc/stat)."""
    with suppress(FileNotFoundError):
        ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
        return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
    return None
