"""Memory and cost for different shapes of data.

Memory is measured on whole jobs, run by `manage.py runplan --inline`. The peak is that of the whole process:
Django, preflight, the move and the count check. A worker process does only a part of this.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.contestants import Task
from benchmarks.dataset import Shape
from benchmarks.measuring import ContestantFailed, measure, wait_until_idle
from benchmarks.report import Table
from migrations_app.engine.targets.milvus.target import MilvusTarget

HEADINGS = ("target", "rows × dim", "moving s", "rows/s", "written", "rejected", "peak MB")
COST_HEADINGS = ("rows × dim", "who", "seconds", "µs/row", "CPU µs/row", "CPU s/GB", "× the first")
MANAGE = Path(__file__).parent.parent / "manage.py"
POLL_SECONDS = 0.02
MOST_TEXT_BYTES = 65_535


@dataclass(frozen=True)
class Case:
    """A shape, and the plan's ``too_long`` for texts that are too long for Milvus."""

    shape: Shape
    too_long: str = "reject"

    def __str__(self) -> str:
        has_long_texts = self.shape.text_bytes > MOST_TEXT_BYTES
        return (
            f"{self.shape} ({'cut' if self.too_long == 'truncate' else 'rejected'})"
            if has_long_texts
            else str(self.shape)
        )


MEMORY_CASES = (
    Case(Shape(10_000, 128)),
    Case(Shape(1_000_000, 128)),
    Case(Shape(20_000, 4096)),
    Case(Shape(2_000, 16_000)),
    Case(Shape(500, 128, texts=1, text_bytes=1_000_000), "truncate"),
    Case(Shape(500, 128, texts=1, text_bytes=1_000_000), "reject"),
)
COST_SHAPES = (Shape(10_000, 128), Shape(100_000, 128), Shape(1_000_000, 128))


def measure_memory(table: Table, target: str, task: Task, case: Case) -> None:
    wait_until_idle()
    name = f"bench_{uuid.uuid4().hex[:8]}"
    try:
        report, peak_bytes = run_plan(_plan(task, case, name))
    finally:
        with MilvusTarget(MilvusTarget.Settings(uri=task.milvus_uri)) as milvus:
            milvus.drop(name)
    (moved,) = report["collections"]
    seconds = report["seconds"]["moving"]
    table.add(
        target,
        str(case),
        float(seconds),
        round(moved["rows_read"] / max(seconds, 1e-3)),
        moved["rows_written"],
        moved["rows_rejected"],
        round(peak_bytes / 1024**2),
        verified=moved["verified"],
    )


def measure_cost(table: Table, task: Task, shape: Shape, who: str, turns: int) -> None:
    """Add a line with the cost per row, the fastest of ``turns`` runs, and its ratio to the first line of
    ``who``."""
    runs = [measure(who, replace(task, table=shape.table, in_flight=2)) for _ in range(turns)]
    best = min(runs, key=lambda run: run.seconds)
    cost = best.seconds / best.rows * 1e6
    first_cost = next((float(str(line["µs/row"])) for line in table.lines if line["who"] == who), cost)
    table.add(
        *(str(shape), who, best.seconds, cost, best.cpu_seconds / best.rows * 1e6),
        *(best.cpu_seconds / shape.vector_gigabytes, cost / first_cost),
    )


def _plan(task: Task, case: Case, name: str) -> dict[str, Any]:
    texts = [
        {
            "source": text,
            "target": text,
            "type": "VARCHAR",
            "max_length": MOST_TEXT_BYTES,
            "too_long": case.too_long,
        }
        for text in case.shape.text_names
    ]
    fields = [
        {"source": "id", "target": "id", "type": "INT64"},
        {"source": "title", "target": "title", "type": "VARCHAR", "max_length": 1024},
        *texts,
        {"source": "embedding", "target": "embedding", "type": "FLOAT_VECTOR", "dim": case.shape.dim},
    ]
    collection = {
        "source": f"public.{case.shape.table}",
        "target": name,
        "fields": fields,
        "dynamic_field": False,
    }
    return {
        "version": 1,
        "source": {"kind": "postgresql", "settings": {"url": task.source_url}},
        "target": {"kind": "milvus", "settings": {"uri": task.milvus_uri}},
        "options": {"verify": "counts", "max_rejected": None},
        "collections": [collection],
    }


def run_plan(plan: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Run a plan in a new console. Return the job's report and the peak memory of the process in bytes."""
    with tempfile.TemporaryDirectory(prefix="vectorferry-bench-") as folder:
        environment = {"PATH": os.environ["PATH"], "VECTORFERRY_DATA_DIR": folder, "LOG_LEVEL": "ERROR"}
        manage = [sys.executable, str(MANAGE)]
        subprocess.run([*manage, "migrate", "--verbosity", "0"], env=environment, check=True)
        # JSON is YAML.
        Path(folder, "plan.yaml").write_text(json.dumps(plan))
        command = [*manage, "runplan", f"{folder}/plan.yaml", "--inline", "--json"]
        child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        peak = _peak_bytes(child)
        assert child.stdout is not None
        output = child.stdout.read()
    if child.returncode != 0:
        raise ContestantFailed(f"the plan ended with code {child.returncode}: {output}")
    return json.loads(output), peak


def _peak_bytes(child: subprocess.Popen[str]) -> int:
    """Wait for the process to end and return its peak memory, from Linux (proc(5), VmHWM); 0 elsewhere."""
    peak = 0
    while child.poll() is None:
        with suppress(OSError, IndexError):
            status = Path(f"/proc/{child.pid}/status").read_text()
            peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
        time.sleep(POLL_SECONDS)
    return peak
