"""Rows beyond the last checkpoint of an interrupted slice: stored, counted, discarded when it continues."""

import pytest

from migrations_app import services
from migrations_app.engine.pacing.retry_policy import RetryPolicy
from migrations_app.execution import claim, lease
from migrations_app.models import Job, JobCollection, JobSlice, RejectedRow
from migrations_app.models.status import Status
from migrations_app.worker import tasks
from tests.kit import Mishap
from tests.migrations_app.conftest import the_slice

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


def refuse_every_third(world):
    world.target.refuse = lambda row: "It is bad." if row["id"] % 3 == 0 else ""


def rows_in_target(world):
    return len(world.target.collections["books"].rows)


def test_rows_rejected_beyond_the_last_whole_batch_are_stored_and_counted(world, ready, work_off):
    refuse_every_third(world)
    job = ready(max_rejected=5)
    tasks.work(job.pk)
    work_off()
    job.refresh_from_db()
    stopped = the_slice()
    assert (job.status, job.error_code) == (Status.FAILED, "too_many_rejected")
    assert stopped.rows_rejected == RejectedRow.objects.filter(job=job, is_beyond=True).count() > 5
    assert stopped.rows_written == rows_in_target(world) > 0
    assert (stopped.cursor, stopped.rows_in_flight) == (None, 0)
    assert (
        job.log.last().message
        == f"Failed: {stopped.rows_written} rows were written; they stay in the target."
    )


def test_rows_beyond_the_checkpoint_are_discarded_when_the_slice_continues(world, ready):
    refuse_every_third(world)
    job = ready(max_rejected=5)
    tasks.work(job.pk)
    assert the_slice().rows_written > 0
    Job.objects.update(status=Status.IN_PROGRESS, error_code="")
    again = claim.claim(job, lease.terms())
    assert (again.rows_read, again.rows_written, again.rows_rejected) == (0, 0, 0)
    assert (again.bytes_written, again.beyond) == (0, {})
    assert not RejectedRow.objects.exists()
    assert again.repeated, "the rows in the target are sent again"


def test_a_job_whose_last_requests_were_not_answered_reports_it(world, ready, work_off, monkeypatch):
    monkeypatch.setattr("migrations_app.stages.move.RETRY", RetryPolicy(tries=2, first_seconds=0.01))
    world.target.mishaps += [Mishap.LOST] * 100
    job = ready()
    for _ in range(lease.MAX_ATTEMPTS):
        JobSlice.objects.update(not_before=None)
        tasks.work(job.pk)
    work_off()
    job.refresh_from_db()
    assert job.status == Status.FAILED
    assert the_slice().rows_in_flight == 100
    assert job.log.last().message == (
        "Failed: no rows are known to be written. Rows whose last requests were not answered may be in the "
        "target as well."
    )


def test_a_key_that_is_not_unique_makes_rows_sent_instead_of_written(world, ready):
    job = ready()
    tasks.work(job.pk)
    JobCollection.objects.update(key_unique=False)
    JobSlice.objects.update(state="waiting")
    services.job_cancel(job=job, user=None, drop=False)
    assert job.log.last().message == "Canceled: 100 rows were sent; those in the target stay."
