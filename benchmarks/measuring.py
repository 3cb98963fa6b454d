"""Measuring: runs one contestant in its own process, on an idle machine, and returns what it cost."""

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

# Engines still work after the last acknowledgement, so the next contestant waits until the machine is idle:
# at most a tenth of its processor time is used in four checks in a row.
CHECK_SECONDS = 0.5
IDLE_SHARE = 0.1
IDLE_CHECKS = 4
LONGEST_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Run:
    """The figures of one run: the seconds of the move alone, and the peak memory of the whole process."""

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
    """Run a contestant once, into a new collection that is dropped afterwards.

    Raises ``ContestantFailed`` if rows are missing in the collection.
    """
    waited = wait_until_idle()
    task = replace(task, collection=f"bench_{uuid.uuid4().hex[:8]}")
    with MilvusTarget(MilvusTarget.Settings(uri=task.milvus_uri)) as target:
        try:
            run = _run(name, task)
            if task.collection in target.collections():
                _check_count(name, target, task.collection, run.rows)
        finally:
            target.drop(task.collection)
    figures = f"{run.seconds:.2f} s, {run.rows_per_second:,.0f} rows/s, after waiting {waited:.1f} s"
    print(f"  {task.table}: {name} {task.in_flight or ''} {figures}", file=sys.stderr)
    return run


def _check_count(name: str, target: MilvusTarget, collection: str, rows: int) -> None:
    count = RowCount(target, collection, statistics_are_exact=True).run(StopToken(), Deadline())
    if count.rows != rows:
        raise ContestantFailed(f"{name} wrote {count.rows} of {rows} rows")


def _run(name: str, task: Task) -> Run:
    command = [sys.executable, "-m", task.module, name]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    output, _ = child.communicate(json.dumps(asdict(task)))
    if child.returncode != 0:
        raise ContestantFailed(f"{name} ended with code {child.returncode} on {task.milvus_uri}")
    return Run(**json.loads(output))


def wait_until_idle() -> float:
    """Wait until the machine is almost idle, and return the seconds waited.

    It does not wait if there is no /proc/stat (only Linux has it).
    """
    start = time.monotonic()
    end = start + LONGEST_WAIT_SECONDS
    before, idle_checks = _busy_and_all(), 0
    while before is not None and idle_checks < IDLE_CHECKS and time.monotonic() < end:
        time.sleep(CHECK_SECONDS)
        now = _busy_and_all()
        assert now is not None
        is_idle = now[0] - before[0] <= IDLE_SHARE * (now[1] - before[1])
        before, idle_checks = now, idle_checks + 1 if is_idle else 0
    return time.monotonic() - start


def _busy_and_all() -> tuple[int, int] | None:
    """Return the busy ticks and all ticks of all processors since boot (proc(5), /proc/stat), if known."""
    with suppress(FileNotFoundError):
        ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
        return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
    return None
