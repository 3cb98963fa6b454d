"""PostgreSQL into Milvus 2.3.5 and into Milvus Lite, beside the target's own ceiling and a hand script.

All in one run and in turns, each time in another order. The fastest turn of each counts: whatever else the
machine does only ever adds.
"""

import argparse
import json
import platform
import tempfile
import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import engines
from benchmarks.contestants import CEILING, CONTESTANTS, Task
from benchmarks.dataset import Dataset
from benchmarks.measuring import Run, measure
from migrations_app.engine.cancel import Deadline, StopToken
from migrations_app.engine.milvus.target import MilvusTarget
from migrations_app.engine.row_count import RowCount

RESULTS = Path(__file__).parent / "results" / "postgres_to_milvus.json"
SETTLE_SECONDS = 3.0
COLUMNS = "{:<14}{:<22}{:>9}{:>10}{:>16}{:>14}{:>10}{:>9}"
HEADINGS = ("target", "who", "seconds", "rows/s", "of the ceiling", "× the script", "CPU s/GB", "peak MB")


@dataclass(frozen=True)
class Result:
    """One contestant on one target: its fastest run, and that beside the fastest of the others."""

    target: str
    contestant: str
    seconds: float
    rows_per_second: float
    of_ceiling: float
    times_hand_script: float
    cpu_seconds_per_gigabyte: float
    peak_megabytes: float
    runs: tuple[Run, ...]

    def line(self) -> str:
        return COLUMNS.format(
            self.target,
            self.contestant,
            f"{self.seconds:.2f}",
            f"{self.rows_per_second:,.0f}",
            f"{self.of_ceiling:.2f}",
            f"{self.times_hand_script:.2f}",
            f"{self.cpu_seconds_per_gigabyte:.1f}",
            f"{self.peak_megabytes:.0f}",
        )


def main() -> None:
    options = _options()
    dataset = Dataset(options.rows, options.dim)
    print(
        f"{dataset.rows:,} rows × {dataset.dim} dimensions, {options.repeat} turns, the fastest of each",
        flush=True,
    )
    print(COLUMNS.format(*HEADINGS), flush=True)
    results = []
    with tempfile.TemporaryDirectory(prefix="vectorferry-bench-") as folder, ExitStack() as stack:
        url = stack.enter_context(engines.postgres(Path(folder) / "postgres"))
        dataset.fill(url)
        for target, uri in _targets(Path(folder), stack):
            runs = _take_turns(url, uri, dataset, options.repeat)
            for result in _compared(target, dataset, runs):
                print(result.line(), flush=True)
                results.append(result)
    _write(options.json, dataset, results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--repeat", type=int, default=3, help="turns of each contestant (3)")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the figures go")
    return parser.parse_args()


def _targets(folder: Path, stack: ExitStack) -> Iterator[tuple[str, str]]:
    if engines.has_standalone():
        yield "Milvus 2.3.5", stack.enter_context(engines.milvus_standalone(folder / "milvus"))
    else:
        print("Milvus 2.3.5 is left out: install milvus==2.3.5 (`make setup`).")
    yield "Milvus Lite", stack.enter_context(engines.milvus_lite(folder / "lite"))


def _take_turns(url: str, uri: str, dataset: Dataset, turns: int) -> dict[str, tuple[Run, ...]]:
    runs: dict[str, list[Run]] = {name: [] for name in CONTESTANTS}
    order = deque(CONTESTANTS)
    for _ in range(turns):
        for name in order:
            runs[name].append(_one_run(name, url, uri, dataset))
        order.rotate(1)
    return {name: tuple(taken) for name, taken in runs.items()}


def _one_run(name: str, url: str, uri: str, dataset: Dataset) -> Run:
    task = Task(url, uri, f"bench_{uuid.uuid4().hex[:8]}")
    with MilvusTarget(MilvusTarget.Settings(uri=uri)) as target:
        try:
            run = measure(name, task)
            counter = RowCount(target, task.collection, statistics_are_exact=True)
            found = counter.run(StopToken(), Deadline())
            assert found.rows == dataset.rows, f"{name} left {found.rows} of {dataset.rows} rows"
        finally:
            target.drop(task.collection)
    time.sleep(SETTLE_SECONDS)
    return run


def _compared(target: str, dataset: Dataset, runs: dict[str, tuple[Run, ...]]) -> Iterator[Result]:
    best = {name: min(taken, key=lambda run: run.seconds) for name, taken in runs.items()}
    ceiling = min(run.seconds for name, run in best.items() if name.startswith(CEILING))
    for name, taken in runs.items():
        seconds = best[name].seconds
        yield Result(
            target,
            name,
            seconds,
            dataset.rows / seconds,
            ceiling / seconds,
            best["hand script"].seconds / seconds,
            best[name].cpu_seconds / dataset.vector_gigabytes,
            max(run.peak_megabytes for run in taken),
            taken,
        )


def _write(path: Path, dataset: Dataset, results: list[Result]) -> None:
    figures: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "dataset": asdict(dataset),
        "results": [asdict(result) for result in results],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n")
    print(f"All figures: {path}")


if __name__ == "__main__":
    main()
