"""Point moves: from Qdrant into Milvus, compared with a hand-written script.

The server is Qdrant's own engine behind a thin shell. Each contestant first reads everything once before the
clock starts: from then on the server answers from its cache, so that the figures are those of the client.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pymilvus import MilvusClient

from benchmarks.contestants import Clock, Endpoints, Task, move, prepared, run
from benchmarks.measuring import Run, measure, wait_until_idle
from benchmarks.report import Table
from benchmarks.shapes import run_plan
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.sources.base import Source
from migrations_app.engine.sources.qdrant import QdrantSource
from migrations_app.engine.targets.milvus.target import MilvusTarget

if TYPE_CHECKING:
    from qdrant_client import QdrantClient, models

HEADINGS = ("target", "who", "seconds", "rows/s", "× script", "CPU s", "× its CPU", "peak MB")
PROTOCOLS = ("grpc", "rest")
HAND_ROWS = 1000
OURS, SCRIPT = "vectorferry", "hand script"


@dataclass(frozen=True)
class PointsTask(Task):
    """``source_url`` is the address of the REST port, and ``table`` the collection in Qdrant."""

    grpc_port: int = 0
    protocol: str = "grpc"
    module: ClassVar[str] = "benchmarks.point_moves"
    dynamic_field: ClassVar[bool] = True

    @property
    def ref(self) -> CollectionRef:
        return CollectionRef(self.table)

    @property
    def settings(self) -> dict[str, Any]:
        return {"url": self.source_url, "grpc_port": self.grpc_port, "protocol": self.protocol}

    def source(self) -> Source:
        return QdrantSource(QdrantSource.Settings.model_validate(self.settings))

    def client(self) -> QdrantClient:
        """Qdrant's own client. It needs memory, so only those who use it load it."""
        from qdrant_client import QdrantClient

        return QdrantClient(
            self.source_url, grpc_port=self.grpc_port, prefer_grpc=self.protocol == "grpc", timeout=60
        )


# ---------------------------------------------------------------- contestants


def vectorferry(task: PointsTask, clock: Clock) -> None:
    """Vectorferry's own pipeline."""
    with prepared(task) as endpoints:
        _warm(endpoints)
        move(endpoints, endpoints.channel(), clock)


def hand_script(task: PointsTask, clock: Clock) -> None:
    """A script that a careful person writes in an hour: ``QdrantClient.scroll`` and
    ``MilvusClient.insert``."""
    with prepared(task):
        pass
    source, target = task.client(), MilvusClient(task.milvus_uri)
    for _ in _scrolled(source, task.table):
        pass
    with clock.running():
        for records in _scrolled(source, task.table):
            rows = [
                {"id": str(record.id), "vector": record.vector, **(record.payload or {})}
                for record in records
            ]
            target.insert(task.collection, rows)
            clock.rows += len(rows)
    source.close()
    target.close()


def _scrolled(client: QdrantClient, collection: str) -> Iterator[list[models.Record]]:
    offset: Any = None
    while True:
        records, offset = client.scroll(collection, limit=HAND_ROWS, offset=offset, with_vectors=True)
        yield records
        if offset is None:
            return


def _warm(endpoints: Endpoints) -> None:
    for _ in endpoints.batches():
        pass


CONTESTANTS: dict[str, Callable[[PointsTask, Clock], None]] = {
    OURS: vectorferry,
    SCRIPT: hand_script,
}


# ---------------------------------------------------------------- tables


def measure_moves(table: Table, target: str, task: PointsTask, turns: int) -> None:
    """Add a line for each contestant and whole job by each protocol: the fastest of ``turns`` runs counts.

    One run comes before and does not count: see ``contest.run_turns``.
    """
    measure(OURS, task)
    for protocol in PROTOCOLS:
        by = replace(task, protocol=protocol)
        runs: dict[str, list[Run]] = {name: [] for name in CONTESTANTS}
        for _ in range(turns):
            for name, taken in runs.items():
                taken.append(measure(name, by))
        best = {name: min(taken, key=lambda each: each.seconds) for name, taken in runs.items()}
        script = best[SCRIPT]
        for name, fastest in best.items():
            table.add(
                *(target, f"{name}, {protocol}", fastest.seconds, round(fastest.rows_per_second)),
                *(script.seconds / fastest.seconds, fastest.cpu_seconds),
                *(script.cpu_seconds / fastest.cpu_seconds, round(fastest.peak_megabytes)),
            )
        _add_job(table, target, by)


def _add_job(table: Table, target: str, task: PointsTask) -> None:
    """Add a line for a whole job in its own process."""
    wait_until_idle()
    name = f"bench_{uuid.uuid4().hex[:8]}"
    plan = {
        "version": 1,
        "source": {"kind": "qdrant", "settings": task.settings},
        "target": {"kind": "milvus", "settings": {"uri": task.milvus_uri}},
        "options": {"verify": "counts"},
        "collections": [{"source": task.table, "target": name}],
    }
    try:
        report, peak_bytes = run_plan(plan)
    finally:
        with MilvusTarget(MilvusTarget.Settings(uri=task.milvus_uri)) as milvus:
            milvus.drop(name)
    (moved,) = report["collections"]
    seconds = float(report["seconds"]["moving"])
    table.add(
        *(target, f"whole job, {task.protocol}", seconds, round(moved["rows_written"] / max(seconds, 1e-3))),
        *(None, None, None, round(peak_bytes / 1024**2)),
    )


if __name__ == "__main__":
    run(CONTESTANTS, PointsTask)
