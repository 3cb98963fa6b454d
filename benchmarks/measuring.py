"""One contestant in a process of its own, and what that cost."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass

from benchmarks.contestants import Task


@dataclass(frozen=True)
class Run:
    """Seconds of the moving alone; the peak memory is the whole process's."""

    seconds: float
    cpu_seconds: float
    peak_megabytes: float


class ContestantFailed(Exception):
    pass


def measure(name: str, task: Task) -> Run:
    command = [sys.executable, "-m", "benchmarks.contestants", name]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdin as given:
        json.dump(asdict(task), given)
    with child.stdout as output:
        said = output.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise ContestantFailed(f"{name} ended with code {child.returncode} on {task.milvus_uri}")
    clock = json.loads(said)
    # Linux counts in KiB, macOS in bytes.
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return Run(clock["seconds"], clock["cpu_seconds"], usage.ru_maxrss / unit)
