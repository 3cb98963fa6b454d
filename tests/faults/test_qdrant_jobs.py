"""Jobs that move from Qdrant while the server is busy or breaks off, or while their worker is killed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pytest
from qdrant_client import models

from migrations_app import services
from migrations_app.engine.model.plan import Plan
from migrations_app.models import Job, JobSlice, Worker
from migrations_app.models.status import Status
from migrations_app.worker import tasks
from migrations_app.worker.inline import run_inline
from tests.emulators.qdrant import (
    Fault,
    QdrantEmulator,
    QdrantProcess,
    busy,
    cut,
    delay,
    failing,
    stall,
    write,
)
from tests.engines.milvus_client import plain_client
from tests.faults.workers import wait_until, worker

pytestmark = pytest.mark.django_db(transaction=True)

ROWS, PAGE = 600, 20
# A job sees that it is canceled at its next heartbeat, which comes once a second.
CANCEL_SECONDS = 2
SLOW = delay("scroll", 0.15, times=1000)


@pytest.fixture(scope="module")
def server(qdrant_process: QdrantProcess) -> Iterator[QdrantEmulator]:
    """A Qdrant server whose strict mode allows only small pages, so that few points are many pages."""
    with qdrant_process.open() as server:
        with server.client() as client:
            client.create_collection(
                "docs",
                vectors_config=models.VectorParams(size=4, distance=models.Distance.DOT),
                strict_mode_config=models.StrictModeConfig(enabled=True, max_query_limit=PAGE),
            )
            points = [
                models.PointStruct(id=2 * n, vector=[n, 1, 2, 3], payload={"n": n, "text": "x" * 200})
                for n in range(ROWS)
            ]
            client.upsert("docs", points)
        yield server


@pytest.fixture(params=["grpc", "rest"])
def job(request: pytest.FixtureRequest, server: QdrantEmulator, milvus_lite_uri: str) -> Iterator[Job]:
    target = f"faults_{uuid4().hex[:8]}"
    plan = {
        "version": 1,
        "source": {"kind": "qdrant"},
        "target": {"kind": "milvus"},
        "collections": [{"source": "docs", "target": target}],
    }
    settings = {"url": server.url, "grpc_port": server.grpc_port, "protocol": request.param}
    secrets = {"source": settings, "target": {"uri": milvus_lite_uri}}
    yield services.job_create(plan=Plan.model_validate(plan), user=None, secrets=secrets)
    server.clear_faults()
    with closing(plain_client(milvus_lite_uri)) as client:
        client.drop_collection(target)


def assert_all_arrived(job: Job, uri: str) -> None:
    assert job.status == Status.SUCCESSFUL, job.error
    moved = job.collections.with_counters().get()
    assert (moved.rows_source, moved.rows_read, moved.rows_written, moved.rows_target) == (ROWS,) * 4
    with closing(plain_client(uri)) as client:
        index = client.prepare_index_params()
        index.add_index("vector", index_type="FLAT", metric_type="IP")
        client.create_index(moved.target, index)
        client.load_collection(moved.target)
        found = client.query(
            moved.target, "", output_fields=["*"], limit=2 * ROWS, consistency_level="Strong"
        )
    assert sorted((row["n"], row["id"], row["vector"][0]) for row in found) == [
        (n, str(2 * n), n) for n in range(ROWS)
    ]


@pytest.mark.parametrize(
    "faults",
    [
        [busy("scroll", after=2, times=10, retry_after=0.05)],
        [cut("scroll", after=3, sent=5000), cut("scroll", after=5, sent=100)],
        [failing("scroll", "UNAVAILABLE", after=1, times=2), cut("scroll", after=8, sent=0)],
    ],
    ids=["busy", "cut", "unavailable"],
)
def test_a_job_outlives_faults_of_the_server(
    job: Job, server: QdrantEmulator, milvus_lite_uri: str, faults: list[Fault]
) -> None:
    tasks.prepare(job.pk)
    server.fault(*faults)
    run_inline(job)
    assert_all_arrived(job, milvus_lite_uri)


@pytest.mark.parametrize("job", ["grpc"], indirect=True)
def test_a_killed_worker_started_again_finishes_the_job(
    job: Job, server: QdrantEmulator, milvus_lite_uri: str
) -> None:
    tasks.prepare(job.pk)
    server.fault(SLOW)
    with worker() as first:
        wait_until(lambda: JobSlice.objects.filter(rows_written__gt=0).exists())
        first.kill()
        first.wait()
    assert 0 < JobSlice.objects.get().rows_written < ROWS
    server.clear_faults()
    Worker.objects.all().delete()
    with worker():
        wait_until(lambda: (job.refresh_from_db(), job.is_ended)[1])
    assert_all_arrived(job, milvus_lite_uri)


def test_a_canceled_job_ends_during_a_page_that_hangs(job: Job, server: QdrantEmulator) -> None:
    tasks.prepare(job.pk)
    server.fault(SLOW)
    times: list[float] = []

    def hang_and_cancel() -> None:
        """Called twice a second: let the pages hang once rows are written, and then cancel the job."""
        if times and len(times) < 3:
            times.append(time.monotonic())
            if len(times) == 3:
                services.job_cancel(job=job, user=None, drop=False)
        elif JobSlice.objects.filter(rows_written__gt=0).exists():
            server.clear_faults()
            server.fault(stall("scroll", sent=2000, times=1000))
            times.append(time.monotonic())

    run_inline(job, hang_and_cancel)
    assert job.status == Status.CANCELED, job.error
    assert time.monotonic() - times[2] < CANCEL_SECONDS
    assert 0 < JobSlice.objects.get().rows_written < ROWS


def test_points_written_meanwhile_do_not_fail_the_job(job: Job, server: QdrantEmulator) -> None:
    """One has an id that was read already, and is missed; the other one is read."""
    tasks.prepare(job.pk)
    written = [{"id": each, "vector": [1, 1, 1, 1], "payload": {}} for each in (1, 2 * ROWS)]
    server.fault(write("scroll", "docs", written, after=10))
    try:
        run_inline(job)
    finally:
        with server.client() as client:
            client.delete("docs", [1, 2 * ROWS])
    assert job.status == Status.SUCCESSFUL, job.error
    moved = job.collections.with_counters().get()
    assert (moved.rows_source, moved.rows_read, moved.rows_target) == (ROWS, ROWS + 1, ROWS + 1)
