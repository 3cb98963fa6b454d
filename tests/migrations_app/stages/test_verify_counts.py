"""Count check of jobs whose source counts inexactly, cannot count, or loses its rows."""

import pytest

from migrations_app.models.status import Status
from migrations_app.worker import tasks
from tests.kit import MemoryCollection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def moved(world):
    """A job whose rows are all in the target."""

    def moved():
        job = world.job()
        tasks.prepare(job.pk)
        tasks.work(job.pk)
        return job

    return moved


def finish(job):
    tasks.finish(job.pk)
    job.refresh_from_db()
    return job.collections.get()


def test_a_count_that_lags_behind_fails_no_job(world, moved):
    world.source.collections["books"].count_lag = 3
    job = moved()
    row = finish(job)
    assert job.status == Status.SUCCESSFUL
    assert (row.rows_source, row.rows_source_exact, row.verified) == (97, False, True)
    assert "not exact" in row.checks[0]["message"]


def test_a_source_that_cannot_count_is_verified_by_what_was_read_and_arrived(world, moved):
    world.source.collections["books"].count_lag = None
    job = moved()
    row = finish(job)
    assert job.status == Status.SUCCESSFUL
    assert (row.rows_source, row.rows_source_after, row.verified) == (None, None, True)
    assert "books: an unknown number of rows." in job.log.values_list("message", flat=True)


def test_a_source_that_loses_its_rows_before_they_are_read_does_not_explain_that_none_arrived(world):
    books = world.source.collections["books"]
    job = world.job()
    tasks.prepare(job.pk)
    world.source.collections["books"] = MemoryCollection(books.rows.slice(0, 0), books.fields, books.key)
    tasks.work(job.pk)
    row = finish(job)
    assert (row.rows_source, row.rows_source_after, row.verified) == (100, 0, False)
    assert (job.status, job.error_code) == (Status.FAILED, "verify_mismatch")


def test_more_slices_than_the_limit_fail_the_job_instead_of_being_dropped(world, monkeypatch):
    monkeypatch.setattr("migrations_app.stages.prepare.slices_wanted", lambda *_: 4)
    monkeypatch.setattr("migrations_app.stages.plan_slices.MAX_SLICES", 3)
    job = world.job()
    tasks.prepare(job.pk)
    job.refresh_from_db()
    assert job.error_code == "too_many_slices"
    assert "more than 3 slices" in job.error_message
    assert not job.collections.get().slices.exists()
