"""Killed worker: a job continues after its worker was killed or stopped, with real servers and processes."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import uuid4

import pytest
from pymilvus import MilvusClient

from migrations_app import services
from migrations_app.engine.model.plan import Plan
from migrations_app.models import Job, JobSlice, SliceState, Worker
from migrations_app.models.status import Status
from migrations_app.reporting.report import job_totals
from migrations_app.worker import tasks
from migrations_app.worker.inline import run_inline
from tests.engines.milvus_client import plain_client
from tests.faults.workers import wait_until, worker

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = 40_000


@pytest.fixture
def job(pg, milvus_uri):
    """A job that takes some seconds."""
    name = f"killed_{uuid4().hex[:8]}"
    pg.execute(f"CREATE TABLE {name} (id bigint PRIMARY KEY, embedding vector(4), body text)")
    pg.execute(
        f"INSERT INTO {name} SELECT n, ('[' || n || ',1,2,3]')::vector, repeat(md5(n::text), 128) "
        f"FROM generate_series(1, {ROWS}) n"
    )
    yield create_job(pg, milvus_uri, {"source": f"public.{name}", "target": name})
    with closing(plain_client(milvus_uri)) as client:
        client.drop_collection(name)


def create_job(pg, milvus_uri, *collections) -> Job:
    plan = {
        "version": 1,
        "source": {"kind": "postgresql"},
        "target": {"kind": "milvus"},
        "collections": list(collections),
    }
    secrets = {"source": pg.settings, "target": {"uri": milvus_uri}}
    return services.job_create(plan=Plan.model_validate(plan), user=None, secrets=secrets)


def test_a_killed_worker_started_again_finishes_the_job_with_equal_counts(job, milvus_uri):
    with worker() as first:
        wait_until(lambda: JobSlice.objects.filter(rows_written__gt=0).exists())
        first.kill()
        first.wait()
    killed = JobSlice.objects.get()
    assert 0 < killed.rows_written < ROWS
    job.refresh_from_db()
    assert job.status == Status.IN_PROGRESS

    Worker.objects.all().delete()
    with worker():
        wait_until(lambda: (job.refresh_from_db(), job.is_ended)[1])
    assert job.status == Status.SUCCESSFUL, job.error
    assert JobSlice.objects.get().fence > killed.fence
    row = job.collections.with_counters().get()
    assert (row.rows_source, row.rows_read, row.rows_written, row.rows_target) == (ROWS,) * 4
    assert row.verified
    assert count_rows(milvus_uri, row.target) == ROWS


def test_rows_appended_by_a_killed_worker_are_not_counted_twice(pg, milvus_uri):
    """Some rows replace existing rows, so the difference of the counts alone proves nothing."""
    name = f"killed_{uuid4().hex[:8]}"
    pg.execute(f"CREATE TABLE {name} (id bigint PRIMARY KEY, embedding vector(4), body text)")
    pg.execute(
        f"INSERT INTO {name} SELECT n, ('[' || n || ',1,2,3]')::vector, repeat(md5(n::text), 128) "
        f"FROM generate_series(1, {ROWS}) n"
    )
    collection = {"source": f"public.{name}", "target": name, "if_exists": "append"}
    try:
        first = create_job(pg, milvus_uri, collection | {"select": {"where": f"id > {ROWS - 1000}"}})
        run_inline(first)
        assert first.status == Status.SUCCESSFUL, first.error
        job = create_job(pg, milvus_uri, collection)
        moving = JobSlice.objects.filter(collection__job=job)
        with worker() as killed:
            wait_until(lambda: moving.filter(rows_written__gt=0).exists())
            killed.kill()
            killed.wait()
        assert 0 < moving.get().rows_written < ROWS
        Worker.objects.all().delete()
        with worker():
            wait_until(lambda: (job.refresh_from_db(), job.is_ended)[1])
        assert job.status == Status.SUCCESSFUL, job.error
        row = job.collections.get()
        assert (row.count_before, row.rows_target, row.verified) == (1000, ROWS, True)
        assert "the target has every key" in row.checks[1]["message"]
    finally:
        with closing(plain_client(milvus_uri)) as client:
            client.drop_collection(name)


def test_several_slices_survive_killed_workers_with_equal_contents(pg, milvus_uri, monkeypatch):
    """Slices by ranges of a key, and by places of the rows of a table without a key."""
    monkeypatch.setattr("migrations_app.stages.prepare.slices_wanted", lambda *_: 4)
    rows = 12_000
    names = [f"killed_{uuid4().hex[:8]}" for _ in range(2)]
    for name, key in zip(names, ("PRIMARY KEY", ""), strict=True):
        pg.execute(f"CREATE TABLE {name} (id bigint {key}, embedding vector(4), body text)")
        pg.execute(
            f"INSERT INTO {name} SELECT n, ('[' || n || ',1,2,3]')::vector, repeat(md5(n::text), 128) "
            f"FROM generate_series(1, {rows}) n"
        )
    collections = ({"source": f"public.{name}", "target": name, "key": "id"} for name in names)
    job = create_job(pg, milvus_uri, *collections)
    tasks.prepare(job.pk)
    assert JobSlice.objects.filter(collection__job=job, resumable=True).count() == 8
    try:
        for written in (5_000, 15_000):
            Worker.objects.all().delete()
            with worker(slots=3) as killed:
                wait_until(lambda least=written: job_totals(job).rows_written > least)
                killed.kill()
                killed.wait()
        Worker.objects.all().delete()
        with worker(slots=3):
            wait_until(lambda: (job.refresh_from_db(), job.is_ended)[1])
        assert job.status == Status.SUCCESSFUL, job.error
        for row in job.collections.with_counters():
            counts = (row.rows_source, row.rows_read, row.rows_written, row.rows_target)
            assert (*counts, row.verified) == (*(rows,) * 4, True)
            assert ids_in(milvus_uri, row.target) == list(range(1, rows + 1))
    finally:
        with closing(plain_client(milvus_uri)) as client:
            for name in names:
                client.drop_collection(name)


def test_a_worker_stopped_during_a_job_releases_it_in_time_and_another_continues(job):
    with worker() as first:
        wait_until(lambda: JobSlice.objects.filter(rows_written__gt=0).exists())
        first.terminate()
        first.wait(10)
    left = JobSlice.objects.get()
    assert (left.state, left.lease_until) == (SliceState.WAITING, None)
    assert 0 < left.rows_written < ROWS
    with worker():
        wait_until(lambda: (job.refresh_from_db(), job.is_ended)[1])
    assert job.status == Status.SUCCESSFUL, job.error
    assert job.collections.get().rows_target == ROWS


def count_rows(uri: str, name: str) -> int:
    """The number of rows in the collection, counted by plain pymilvus."""
    with loaded(uri, name) as client:
        found = client.query(name, "", output_fields=["count(*)"], consistency_level="Strong")
        return int(found[0]["count(*)"])


def ids_in(uri: str, name: str) -> list[int]:
    """The sorted keys in the collection, read by plain pymilvus."""
    with loaded(uri, name) as client:
        found = client.query(name, "id > 0", output_fields=["id"], limit=16_384, consistency_level="Strong")
        return sorted(row["id"] for row in found)


@contextmanager
def loaded(uri: str, name: str) -> Iterator[MilvusClient]:
    with closing(plain_client(uri)) as client:
        index = client.prepare_index_params()
        index.add_index("embedding", index_type="AUTOINDEX", metric_type="L2")
        client.create_index(name, index)
        client.load_collection(name)
        yield client
