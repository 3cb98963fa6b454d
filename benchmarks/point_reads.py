"""Point reads: the points of a Qdrant collection as batches, compared with the scroll of Qdrant's own client.

Both ask for the same number of points at once, by the same protocol, in turns in this process. Each answer of
the server is prepared by the run before, so that the clients are measured, not the server.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from qdrant_client import QdrantClient, models

from benchmarks.measuring import wait_until_idle
from benchmarks.report import Table
from migrations_app.demo.engines import EmbeddedQdrant
from migrations_app.engine.model.batch import CollectionRef, ReadColumn, ReadPlan
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.qdrant import QdrantSource

HEADINGS = ("protocol", "who", "points/s", "of client", "CPU µs/point", "of client")
NAME = "points"
POINTS, DIM = 10_000, 768
REPETITIONS = 3


def measure_reads(table: Table, folder: Path, turns: int) -> None:
    """Add a line for each protocol and reader: the fastest of the runs counts."""
    server = EmbeddedQdrant(folder, cache_mb=512)
    server.start()
    try:
        fill(server, POINTS, DIM)
        for protocol in ("grpc", "rest"):
            per_page: list[int] = []
            own = _best(lambda p=protocol, pages=per_page: _read(server, p, pages), turns)  # type: ignore[misc]
            size = max(per_page)
            client = _best(lambda p=protocol, size=size: _scroll(server, p == "grpc", size), turns)  # type: ignore[misc]
            for who, (seconds, cpu) in (("vectorferry", own), ("client", client)):
                table.add(
                    *(protocol, who, round(POINTS / seconds), client[0] / seconds),
                    *(cpu / POINTS * 1e6, client[1] / cpu),
                )
    finally:
        server.stop()


def fill(server: EmbeddedQdrant, points: int, dim: int) -> None:
    random = np.random.default_rng(7)
    client = QdrantClient(url=server.url, check_compatibility=False, timeout=60)
    client.create_collection(NAME, vectors_config=models.VectorParams(size=dim, distance=models.Distance.DOT))
    for first in range(0, points, 1000):
        vectors = random.standard_normal((min(1000, points - first), dim), np.float32).tolist()
        batch = [
            models.PointStruct(id=first + n, vector=vector, payload=_payload(first + n))
            for n, vector in enumerate(vectors)
        ]
        client.upsert(NAME, batch)
    client.close()


def _payload(number: int) -> dict[str, object]:
    return {
        "title": f"The title of book {number}",
        "price": number * 1.25,
        "pages": number,
        "tags": ["a", "b"],
        "text": "Some text that is a bit longer, to fill the payload up to 165 bytes",
        "in stock": True,
    }


def _read(server: EmbeddedQdrant, protocol: str, per_page: list[int]) -> int:
    settings = {"url": server.url, "grpc_port": server.grpc_port, "protocol": protocol}
    ref, ctx, rows = CollectionRef(NAME), ReadContext(), 0
    with QdrantSource(QdrantSource.Settings.model_validate(settings)) as source:
        fields = source.describe(ref, 1, ctx).fields
        plan = ReadPlan(tuple(ReadColumn(f.name, f.choices[0].spec) for f in fields), ("id",))
        for part in source.slices(ref, 1, ctx):
            for batch in source.read(ref, part, None, plan, ctx):
                rows += batch.rows_read
                per_page.append(batch.rows_read)
    return rows


def _scroll(server: EmbeddedQdrant, is_grpc: bool, size: int) -> int:
    client = QdrantClient(
        url=server.url,
        grpc_port=server.grpc_port,
        prefer_grpc=is_grpc,
        grpc_options={"grpc.max_receive_message_length": -1},
        check_compatibility=False,
        timeout=60,
    )
    rows, offset = 0, None
    while True:
        points, offset = client.scroll(NAME, limit=size, offset=offset, with_vectors=True)
        rows += len(points)
        if offset is None:
            client.close()
            return rows


def _best(work: Callable[[], int], turns: int) -> tuple[float, float]:
    """Return the seconds and the processor seconds of the fastest run. The first one only warms up."""
    wait_until_idle()
    seconds, cpu = float("inf"), float("inf")
    for run in range(1 + REPETITIONS * turns):
        start, cpu_start = time.perf_counter(), time.process_time()
        if work() != POINTS:
            raise RuntimeError("a read did not return all points")
        if run:
            seconds = min(seconds, time.perf_counter() - start)
            cpu = min(cpu, time.process_time() - cpu_start)
    return seconds, cpu
