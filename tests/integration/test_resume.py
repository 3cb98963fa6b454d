"""Resume, from a real PostgreSQL into a real Milvus: no row is lost, doubled or read twice without need."""

from contextlib import closing
from uuid import uuid4

import pytest
from django_q.models import OrmQ

from migrations_app import services
from migrations_app.engine.model.plan import Plan
from migrations_app.models import Job, JobSlice
from migrations_app.models.status import Status
from migrations_app.reporting.report import job_totals
from migrations_app.worker import tasks
from migrations_app.worker.inline import run_inline
from tests.engines.milvus_client import plain_client

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]
ROWS, TOO_LONG = 6_000, 60


@pytest.fixture
def table(pg, milvus_uri):
    """A table of some 20 MB, which is read in several batches; every hundredth body is too long."""
    name = f"resumed_{uuid4().hex[:8]}"
    pg.execute(f"CREATE TABLE {name} (id bigint PRIMARY KEY, embedding vector(4), body text)")
    pg.execute(
        f"INSERT INTO {name} SELECT n, ('[' || n || ',1,2,3]')::vector, "
        f"repeat(md5(n::text), CASE WHEN n % 100 = 0 THEN 130 ELSE 120 END) FROM generate_series(1, {ROWS}) n"
    )
    yield name
    with closing(plain_client(milvus_uri)) as client:
        client.drop_collection(name)


def create_job(pg, milvus_uri: str, name: str, **options: object) -> Job:
    fields = [
        {"source": "id"},
        {"source": "embedding"},
        {"source": "body", "type": "VARCHAR", "max_length": 4_000},
    ]
    plan = {
        "version": 1,
        "source": {"kind": "postgresql"},
        "target": {"kind": "milvus"},
        "options": options,
        "collections": [{"source": f"public.{name}", "target": name, "fields": fields}],
    }
    secrets = {"source": pg.settings, "target": {"uri": milvus_uri}}
    return services.job_create(plan=Plan.model_validate(plan), user=None, secrets=secrets)


def test_a_job_that_rejected_too_many_rows_is_resumed_with_a_higher_limit(pg, milvus_uri, table):
    job = create_job(pg, milvus_uri, table, max_rejected=TOO_LONG // 2)
    run_inline(job)
    assert (job.status, job.error_code) == (Status.FAILED, "too_many_rejected")
    services.job_resume(job=job, user=None, changes={"max_rejected": TOO_LONG})
    run_inline(job)
    assert job.status == Status.SUCCESSFUL, job.error
    assert_all_moved(job)


def test_a_canceled_job_is_resumed_from_its_checkpoint(pg, milvus_uri, table, settings):
    settings.VECTORFERRY_SLICE_SECONDS = 0
    job = create_job(pg, milvus_uri, table)
    tasks.prepare(job.pk)
    tasks.work(job.pk)
    job.refresh_from_db()
    services.job_cancel(job=job, user=None, drop=False)
    OrmQ.objects.all().delete()
    left = JobSlice.objects.get()
    assert job.status == Status.CANCELED
    assert 0 < left.rows_written < ROWS - TOO_LONG
    settings.VECTORFERRY_SLICE_SECONDS = 300
    services.job_resume(job=job, user=None)
    run_inline(job)
    assert job.status == Status.SUCCESSFUL, job.error
    assert_all_moved(job)
    assert not JobSlice.objects.get().repeated


def assert_all_moved(job: Job) -> None:
    done, row = job_totals(job), job.collections.get()
    assert (done.rows_read, done.rows_written, done.rows_rejected) == (ROWS, ROWS - TOO_LONG, TOO_LONG)
    assert (row.rows_target, row.verified) == (ROWS - TOO_LONG, True)
    assert job.rejected_rows.count() == TOO_LONG
