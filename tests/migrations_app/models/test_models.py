"""Models: counters, constraints, and rows deleted with their job."""

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from migrations_app.execution.lease import after
from migrations_app.models import Job, JobCollection, JobSlice, RejectedRow, SliceState, Worker

pytestmark = [pytest.mark.database, pytest.mark.django_db]


@pytest.fixture
def collection():
    job = Job.objects.create(kind="memory", plan={})
    return JobCollection.objects.create(job=job, position=0, source="books", plan={})


def test_the_counters_of_a_collection_are_the_sums_of_its_slices(collection):
    for number, state in enumerate([SliceState.DONE, SliceState.RUNNING, SliceState.WAITING]):
        JobSlice.objects.create(
            collection=collection, number=number, part_id=str(number), state=state, rows_read=10 * number + 1
        )
    row = JobCollection.objects.with_counters().get()
    assert (row.rows_read, row.rows_written) == (33, 0)
    assert (row.slices_total, row.slices_running, row.slices_done) == (3, 1, 1)


def test_the_counters_of_a_collection_without_slices_are_zero(collection):
    row = JobCollection.objects.with_counters().get()
    assert (row.rows_read, row.slices_total) == (0, 0)


def test_a_worker_counts_as_alive_if_it_was_seen_recently_and_is_not_draining():
    assert not Worker.alive()
    worker = Worker.objects.create(host="here", pid=1, slots=2, last_seen=Now())
    assert Worker.alive()
    Worker.objects.update(last_seen=after(-31))
    assert not Worker.alive()
    Worker.objects.filter(pk=worker.pk).update(last_seen=Now(), draining=True)
    assert not Worker.alive()
    assert Worker.objects.alive().exists()


def test_a_row_of_a_slice_can_be_rejected_only_once(collection):
    part = JobSlice.objects.create(collection=collection, number=0, part_id="0")
    row = {
        "job": collection.job,
        "slice": part,
        "locator": "7",
        "locator_hash": "h",
        "code": "c",
        "reason": "r",
    }
    RejectedRow.objects.create(**row)
    with pytest.raises(IntegrityError), transaction.atomic():
        RejectedRow.objects.create(**row)


def test_deleting_a_job_deletes_its_slices(collection):
    JobSlice.objects.create(collection=collection, number=0, part_id="0")
    collection.job.delete()
    assert not JobSlice.objects.exists()
