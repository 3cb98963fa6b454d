"""Verification of jobs whose key the source does not declare unique: missing rows are explained, or the job
fails.
"""

import pyarrow as pa
import pytest

from migrations_app.engine.errors import SourceError
from migrations_app.engine.model.target_schema import TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.models.status import Status
from migrations_app.reporting.report import job_report
from migrations_app.worker import tasks
from tests.kit import MemoryRows, MemorySource

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("pages_of_ten")]
BY_TITLE = {"source": "books", "key": "title", "fields": [{"source": "embedding"}, {"source": "id"}]}


def set_titles(world, titles):
    """Give the books other titles."""
    books = world.source.collections["books"]
    books.rows = books.rows.set_column(2, "title", pa.array(titles, pa.string()))


@pytest.fixture
def prepared(world, work_off):
    """Return a function that gives the books these titles and prepares a job whose key is the title."""

    def prepared(titles, **collection):
        set_titles(world, titles)
        job = world.job(BY_TITLE | collection)
        tasks.prepare(job.pk)
        return job

    return prepared


@pytest.fixture
def moved(prepared, work_off):
    """Return a function that gives the books these titles and runs such a job to its end."""

    def moved(titles, **collection):
        job = prepared(titles, **collection)
        work_off()
        job.refresh_from_db()
        return job

    return moved


def collection_row(job):
    return job.collections.with_counters().get()


def test_rows_that_replaced_each_other_across_batches_explain_the_difference(moved):
    job = moved([f"Title {n % 40}" for n in range(100)])
    row = collection_row(job)
    assert (job.status, row.verified, row.rows_target) == (Status.SUCCESSFUL, True, 40)
    assert (row.rows_written, row.rows_collapsed, row.duplicate_keys) == (100, 0, 60)
    assert row.checks[1]["message"] == (
        "100 rows sent, 60 of them replaced by others with the same key; the target has 40 new rows."
    )
    assert job_report(job)["collections"][0]["duplicate_keys"] == 60
    warning = (
        "“title” unique: 60 rows will be replaced by others with the same key, usually the last one read"
    )
    assert job.log.filter(level="warning", message__contains=warning).exists()


def test_rows_that_collapsed_in_a_batch_are_not_counted_twice(moved):
    job = moved([f"Title {n % 40 // 2}" for n in range(100)])
    row = collection_row(job)
    assert (job.status, row.verified, row.rows_target) == (Status.SUCCESSFUL, True, 20)
    assert row.duplicate_keys == 80
    assert 0 < row.rows_collapsed < 80


def test_a_row_lost_among_replaced_rows_is_noticed(world, prepared, work_off):
    job = prepared([f"Title {n % 40}" for n in range(100)])
    tasks.work(job.pk)
    world.target.collections["books"].rows.popitem()
    work_off()
    job.refresh_from_db()
    assert (job.status, job.error_code) == (Status.FAILED, "verify_mismatch")
    assert (
        "100 rows sent, 60 of them replaced by others with the same key; the target has 39 new rows, not 40."
        in job.error_message
    )


def test_a_key_that_is_unique_by_chance_is_checked_as_strictly(world, prepared, work_off):
    job = prepared([f"Title {n}" for n in range(100)])
    tasks.work(job.pk)
    world.target.collections["books"].rows.popitem()
    work_off()
    job.refresh_from_db()
    assert (job.status, collection_row(job).duplicate_keys) == (Status.FAILED, 0)


def test_rejected_rows_may_share_their_keys_with_other_rows_or_not(world, moved):
    world.target.refuse = lambda row: "Not this one." if row["id"] in (3, 99) else ""
    job = moved([f"Title {n % 99}" if n != 99 else "Title 3" for n in range(100)])
    row = collection_row(job)
    assert (row.rows_rejected, row.duplicate_keys, row.rows_target) == (2, 1, 98)
    assert (job.status, row.verified) == (Status.SUCCESSFUL, True)


def test_the_source_is_counted_again_before_a_difference_is_called_a_loss(world, prepared, work_off):
    def change(row):
        if row == 0:
            set_titles(world, [f"Title {n % 40}" for n in range(100)])

    job = prepared([f"Title {n}" for n in range(100)])
    world.source.before_page = change
    work_off()
    job.refresh_from_db()
    row = collection_row(job)
    assert (row.duplicate_keys, row.duplicate_keys_after) == (0, 60)
    assert (job.status, row.verified, row.rows_target) == (Status.SUCCESSFUL, True, 40)


def test_the_result_is_unknown_if_the_source_cannot_count_equal_keys(monkeypatch, moved):
    measure = MemorySource.measure

    def refuses(self, ref, wanted, ctx):
        if wanted.duplicates_of:
            raise SourceError("No space for sorting.", "Make some.")
        return measure(self, ref, wanted, ctx)

    monkeypatch.setattr(MemorySource, "measure", refuses)
    job = moved([f"Title {n % 40}" for n in range(100)])
    assert (job.status, collection_row(job).verified) == (Status.SUCCESSFUL, None)
    assert job.log.filter(message__endswith="Such rows could not be counted: No space for sorting.").exists()


def test_rows_that_replace_existing_rows_and_each_other_are_found_by_their_keys(world, moved):
    schema = TargetSchema(
        "books",
        (
            TargetField("title", TypeSpec(MilvusType.VARCHAR, max_length=64), is_key=True),
            TargetField("embedding", TypeSpec(MilvusType.FLOAT_VECTOR, dim=3)),
            TargetField("id", TypeSpec(MilvusType.INT64), nullable=True),
        ),
    )
    existing = {
        f"Title {n}": {"title": f"Title {n}", "embedding": [1.0, 1.0, 1.0], "id": n} for n in (3, 4, 900)
    }
    world.target.collections["books"] = MemoryRows(schema, existing, sent=3)
    job = moved([f"Title {n % 40}" for n in range(100)], if_exists="append")
    row = collection_row(job)
    assert (job.status, row.verified, row.rows_target) == (Status.SUCCESSFUL, True, 41), job.error
    assert "the target has every key" in row.checks[1]["message"]
