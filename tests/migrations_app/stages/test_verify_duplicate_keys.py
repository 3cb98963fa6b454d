"""Jobs whose key the source does not declare unique: what lacks in the target is explained, or they fail."""

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


def titled(world, titles):
    """The books get other titles."""
    held = world.source.collections["books"]
    held.rows = held.rows.set_column(2, "title", pa.array(titles, pa.string()))


@pytest.fixture
def moving(world, work_off):
    """Moves the books by their titles, up to the count at the end."""

    def moving(titles, **collection):
        titled(world, titles)
        job = world.job(BY_TITLE | collection)
        tasks.prepare(job.pk)
        return job

    return moving


@pytest.fixture
def moved(moving, work_off):
    def moved(titles, **collection):
        job = moving(titles, **collection)
        work_off()
        job.refresh_from_db()
        return job

    return moved


def row_of(job):
    return job.collections.with_counters().get()


def test_rows_that_replaced_each_other_over_several_batches_are_explained(moved):
    job = moved([f"Title {n % 40}" for n in range(100)])
    row = row_of(job)
    assert (job.status, row.verified, row.rows_target) == (Status.SUCCESSFUL, True, 40)
    assert (row.rows_written, row.rows_collapsed, row.duplicate_keys) == (100, 0, 60)
    assert row.checks[1]["message"] == (
        "100 rows sent, 60 of them replaced by others with the same key; the target has 40 new rows."
    )
    assert job_report(job)["collections"][0]["duplicate_keys"] == 60
    said = "“title” unique: 60 rows will be replaced by others with the same key, usually the last one read"
    assert job.log.filter(level="warning", message__contains=said).exists()


def test_rows_that_met_in_a_batch_explain_nothing_a_second_time(moved):
    job = moved([f"Title {n % 40 // 2}" for n in range(100)])
    row = row_of(job)
    assert (job.status, row.verified, row.rows_target) == (Status.SUCCESSFUL, True, 20)
    assert row.duplicate_keys == 80
    assert 0 < row.rows_collapsed < 80


def test_a_row_that_got_lost_beside_those_replaced_is_noticed(world, moving, work_off):
    job = moving([f"Title {n % 40}" for n in range(100)])
    tasks.work(job.pk)
    world.target.collections["books"].rows.popitem()
    work_off()
    job.refresh_from_db()
    assert (job.status, job.error_code) == (Status.FAILED, "verify_mismatch")
    assert (
        "100 rows sent, 60 of them replaced by others with the same key; the target has 39 new rows, not 40."
        in job.error_message
    )


def test_a_key_that_is_unique_by_chance_is_checked_as_closely(world, moving, work_off):
    job = moving([f"Title {n}" for n in range(100)])
    tasks.work(job.pk)
    world.target.collections["books"].rows.popitem()
    work_off()
    job.refresh_from_db()
    assert (job.status, row_of(job).duplicate_keys) == (Status.FAILED, 0)


def test_rejected_rows_may_have_had_the_key_of_others_or_not(world, moved):
    world.target.refuse = lambda row: "Not this one." if row["id"] in (3, 99) else ""
    job = moved([f"Title {n % 99}" if n != 99 else "Title 3" for n in range(100)])
    row = row_of(job)
    assert (row.rows_rejected, row.duplicate_keys, row.rows_target) == (2, 1, 98)
    assert (job.status, row.verified) == (Status.SUCCESSFUL, True)


def test_before_a_difference_is_called_a_loss_the_source_is_counted_again(world, moving, work_off):
    def change(row):
        if row == 0:
            titled(world, [f"Title {n % 40}" for n in range(100)])

    job = moving([f"Title {n}" for n in range(100)])
    world.source.before_page = change
    work_off()
    job.refresh_from_db()
    row = row_of(job)
    assert (row.duplicate_keys, row.duplicate_keys_after) == (0, 60)
    assert (job.status, row.verified, row.rows_target) == (Status.SUCCESSFUL, True, 40)


def test_a_source_that_cannot_count_equal_keys_leaves_it_open(monkeypatch, moved):
    measure = MemorySource.measure

    def refuses(self, ref, *asked, **more):
        if "duplicates_of" in more:
            raise SourceError("No space for sorting.", "Make some.")
        return measure(self, ref, *asked, **more)

    monkeypatch.setattr(MemorySource, "measure", refuses)
    job = moved([f"Title {n % 40}" for n in range(100)])
    assert (job.status, row_of(job).verified) == (Status.SUCCESSFUL, None)
    assert job.log.filter(message__endswith="Such rows could not be counted: No space for sorting.").exists()


def test_rows_that_replace_those_of_a_collection_and_each_other_are_found_by_their_keys(world, moved):
    schema = TargetSchema(
        "books",
        (
            TargetField("title", TypeSpec(MilvusType.VARCHAR, max_length=64), is_key=True),
            TargetField("embedding", TypeSpec(MilvusType.FLOAT_VECTOR, dim=3)),
            TargetField("id", TypeSpec(MilvusType.INT64), nullable=True),
        ),
    )
    there = {
        f"Title {n}": {"title": f"Title {n}", "embedding": [1.0, 1.0, 1.0], "id": n} for n in (3, 4, 900)
    }
    world.target.collections["books"] = MemoryRows(schema, there, sent=3)
    job = moved([f"Title {n % 40}" for n in range(100)], if_exists="append")
    row = row_of(job)
    assert (job.status, row.verified, row.rows_target) == (Status.SUCCESSFUL, True, 41), job.error
    assert "the target has every key" in row.checks[1]["message"]
