"""One contestant in a process of its own, and what that cost."""

import json
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
    if child.wait() != 0:
        raise ContestantFailed(f"{name} ended with code {child.returncode} on {task.milvus_uri}")
    return Run(**json.loads(said))
