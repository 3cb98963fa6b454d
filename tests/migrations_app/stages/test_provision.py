"""The collection that a job writes into: made, replaced or found."""

from contextlib import suppress

import pyarrow as pa
import pytest

from migrations_app import services
from migrations_app.engine.errors import TargetError, TargetUnavailable
from migrations_app.engine.model.target_schema import IndexSpec, TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.targets.base import LoadState
from migrations_app.models import Job, JobCollection, TargetState
from migrations_app.models.status import Status
from migrations_app.worker import scheduler, tasks
from tests.kit import MemoryTarget
from tests.kit.memory_target import MemoryRows
from tests.migrations_app.conftest import books

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

OTHER = TargetSchema(
    "books",
    (
        TargetField("number", TypeSpec(MilvusType.INT64), is_key=True),
        TargetField("v", TypeSpec(MilvusType.FLOAT_VECTOR, dim=2)),
    ),
)
REPLACE = {"source": "books", "if_exists": "replace"}


@pytest.fixture
def old(world):
    """A collection of the same name with other fields and three rows."""
    rows = {n: {"number": n, "v": [0.0, 1.0]} for n in range(3)}
    world.target.collections["books"] = MemoryRows(OTHER, rows, sent=3)
    return world.target.collections


def ended(job):
    job.refresh_from_db()
    return job


class Died(BaseException):
    """What a killed process does: nothing more."""


def test_a_collection_that_is_there_is_replaced_where_the_plan_says_so(world, old, work_off):
    job = world.job(REPLACE)
    work_off()
    assert ended(job).status == Status.SUCCESSFUL, job.error
    assert len(old["books"].rows) == 100
    row = job.collections.get()
    assert (row.target_state, row.rows_target, row.verified) == (TargetState.CREATED, 100, True)
    assert job.log.filter(message="Dropped the collection “books” (about 3 rows) to replace it.").exists()


def test_where_nothing_is_to_be_replaced_the_collection_is_just_made(world, work_off):
    job = world.job(REPLACE)
    work_off()
    assert ended(job).status == Status.SUCCESSFUL, job.error
    assert not job.log.filter(message__startswith="Dropped").exists()


def test_without_being_told_so_nothing_is_replaced(world, old, work_off):
    job = world.job({"source": "books"})
    work_off()
    assert (ended(job).status, job.error_code, job.refused) == (Status.FAILED, "collection_exists", True)
    assert len(old["books"].rows) == 3


@pytest.mark.parametrize("dies_in", ["drop", "create"])
@pytest.mark.parametrize("is_done", [True, False], ids=["after the call", "before the call"])
def test_a_worker_that_dies_while_it_replaces_is_gone_on_with(
    world, old, work_off, monkeypatch, dies_in, is_done
):
    call = getattr(MemoryTarget, dies_in)

    def dies(self, what):
        if is_done:
            call(self, what)
        raise Died

    monkeypatch.setattr(MemoryTarget, dies_in, dies)
    job = world.job(REPLACE)
    with suppress(Died):
        work_off()
    monkeypatch.setattr(MemoryTarget, dies_in, call)
    Job.objects.update(lease_until=None)
    tasks.prepare(job.pk)
    work_off()
    assert ended(job).status == Status.SUCCESSFUL, job.error
    assert len(old["books"].rows) == 100


def test_what_was_made_here_is_not_replaced_again(world, old, work_off):
    job = world.job(REPLACE)
    tasks.prepare(job.pk)
    tasks.work(job.pk)
    JobCollection.objects.update(is_sliced=False)  # as if preparation had been cut off behind the create
    Job.objects.update(stage="preparing")
    work_off()
    assert len(old["books"].rows) == 100
    assert job.log.filter(message__startswith="Dropped").count() == 1


def test_a_failure_after_the_old_collection_is_gone_is_no_refusal(world, old, monkeypatch):
    def refuses(self, schema):
        raise TargetUnavailable("Away.", retryable=False)

    monkeypatch.setattr(MemoryTarget, "create", refuses)
    job = world.job(REPLACE)
    tasks.prepare(job.pk)
    assert "books" not in old
    assert (ended(job).error_code, job.refused) == ("target_unavailable", False)


def test_a_collection_with_an_alias_is_not_replaced(world, old, work_off):
    world.target.aliases["reading"] = "books"
    job = world.job(REPLACE)
    work_off()
    assert (ended(job).status, job.error_code, job.refused) == (Status.FAILED, "target_has_alias", True)
    assert "“reading”" in job.error_message
    assert len(old["books"].rows) == 3


def test_an_alias_that_came_after_the_checks_is_seen_before_the_drop(world, old, monkeypatch):
    collections = MemoryTarget.collections

    def meanwhile(self):
        if JobCollection.objects.filter(is_prepared=True).exists():
            world.target.aliases["reading"] = "books"
        return collections(self)

    monkeypatch.setattr(MemoryTarget, "collections", meanwhile)
    job = world.job(REPLACE)
    tasks.prepare(job.pk)
    assert (ended(job).error_code, job.refused) == ("target_has_alias", True)
    assert len(old["books"].rows) == 3


@pytest.mark.parametrize("if_exists", ["error", "replace"])
def test_an_alias_is_no_free_name(world, old, work_off, if_exists):
    world.target.aliases["reading"] = "books"
    job = world.job({"source": "books", "target": "reading", "if_exists": if_exists})
    work_off()
    assert (ended(job).status, job.error_code, job.refused) == (Status.FAILED, "target_is_alias", True)
    assert len(old["books"].rows) == 3


def test_a_collection_that_another_job_writes_into_is_not_touched(world, work_off):
    first = world.job()
    tasks.prepare(first.pk)
    second = world.job(REPLACE)
    tasks.prepare(second.pk)
    assert (ended(second).error_code, second.refused) == ("target_in_use", True)
    assert first.public_id in second.error_message
    work_off()
    assert ended(first).status == Status.SUCCESSFUL, first.error
    third = world.job(REPLACE)
    work_off()
    assert ended(third).status == Status.SUCCESSFUL, third.error


def test_what_was_replaced_is_dropped_with_a_cancel_that_drops(world, old, work_off):
    job = world.job(REPLACE)
    tasks.prepare(job.pk)
    services.job_cancel(job=job, user=None, drop=True)
    work_off()
    assert ended(job).status == Status.CANCELED
    assert "books" not in old


# ---------------------------------------------------------------- adding to what is there

APPEND = {"source": "books", "if_exists": "append"}
SCHEMA = TargetSchema(
    "books",
    (
        TargetField("id", TypeSpec(MilvusType.INT64), is_key=True),
        TargetField("embedding", TypeSpec(MilvusType.FLOAT_VECTOR, dim=3)),
        TargetField("title", TypeSpec(MilvusType.VARCHAR, max_length=64), nullable=True),
    ),
)


def fill(world, keys, schema=SCHEMA):
    """A collection with rows of these keys."""
    rows = {n: {"id": n, "embedding": [9.0, 9.0, 9.0], "title": "old"} for n in keys}
    world.target.collections["books"] = MemoryRows(schema, rows, sent=len(rows))
    return world.target.collections["books"]


@pytest.fixture
def appended(world, work_off):
    """Adds the 100 books to a collection that holds rows of some keys, and gives the job's collection."""

    def appended(keys, schema=SCHEMA, **options):
        fill(world, keys, schema)
        job = world.job(APPEND, **options)
        work_off()
        job.refresh_from_db()
        assert job.status == Status.SUCCESSFUL, job.error
        return job.collections.with_counters().get()

    return appended


def test_rows_are_added_to_a_collection_that_is_there(world, appended):
    row = appended(range(1000, 1030))
    assert len(world.target.collections["books"].rows) == 130
    assert (row.target_state, row.count_before, row.rows_target) == (TargetState.EXISTING, 30, 130)
    assert row.verified is True
    assert row.checks[1]["message"] == "100 rows sent; the target has 100 new rows."


def test_rows_that_replace_others_are_found_by_their_keys(world, appended):
    row = appended(range(90, 130))
    held = world.target.collections["books"]
    assert sorted(held.rows) == list(range(130))
    assert held.rows[95]["title"] == "Book 95"
    assert (row.rows_target, row.verified) == (130, True)
    assert row.checks[1] == {
        "check": "rows_in_target",
        "expected": 100,
        "found": 90,
        "passed": True,
        "message": "100 rows sent; the target has 90 new rows. The others replaced rows with the same keys: "
        "the target has every key.",
    }


def test_rows_that_are_kept_back_are_no_missing_keys(world, appended):
    at_source = world.source.collections["books"]
    rows = at_source.rows.to_pylist()
    rows[3]["title"], rows[4]["embedding"], rows[5]["title"] = "x" * 65, None, "x" * 65
    at_source.rows = pa.RecordBatch.from_pylist(rows, at_source.rows.schema)
    # Keys of rows that were rejected or skipped are there as well, or are not.
    row = appended([3, 4, 50])
    assert (row.rows_rejected, row.rows_skipped, row.verified) == (2, 1, True)
    assert (row.count_before, row.rows_target) == (3, 99)


def test_a_row_that_got_lost_among_those_replaced_is_noticed(world, work_off):
    held = fill(world, range(50))
    job = world.job(APPEND)
    tasks.prepare(job.pk)
    tasks.work(job.pk)
    del held.rows[20], held.rows[70]
    work_off()
    assert (ended(job).status, job.error_code) == (Status.FAILED, "verify_mismatch")
    assert "and only 98 of the 100 sent keys." in job.error_message
    assert "drop" not in job.error_hint.replace("Nothing was dropped", "")


def test_what_cannot_be_known_is_said(world, work_off, appended):
    fill(world, range(50))
    job = world.job(APPEND)
    tasks.prepare(job.pk)
    tasks.work(job.pk)
    world.source.collections["books"] = books(90)  # ten rows were deleted meanwhile
    work_off()
    assert ended(job).status == Status.SUCCESSFUL
    row = job.collections.get()
    assert row.verified is None
    assert "rows with the same keys: the source was changed meanwhile." in row.checks[1]["message"]


@pytest.mark.parametrize("is_indexed", [True, False])
def test_index_and_load_state_of_what_was_there_are_put_back(world, work_off, is_indexed):
    held = fill(world, range(95, 105))
    if is_indexed:
        held.indexes["embedding"], held.is_loaded = IndexSpec("embedding", metric="L2"), True
    job = world.job(APPEND)
    tasks.prepare(job.pk)
    assert (bool(held.indexes), held.is_loaded) == (is_indexed, is_indexed)
    work_off()
    assert ended(job).status == Status.SUCCESSFUL, job.error
    assert job.collections.get().verified is True
    assert (bool(held.indexes), held.is_loaded) == (is_indexed, is_indexed)


def test_auto_id_rows_are_added_by_their_number(world, appended):
    key = TargetField("auto", TypeSpec(MilvusType.INT64), is_key=True, auto_id=True)
    row = appended(range(5), TargetSchema("books", (key, *SCHEMA.fields[1:])))
    assert (row.count_before, row.rows_target, row.verified) == (5, 105, True)


def test_without_verification_nothing_is_counted_before(world, appended, monkeypatch):
    def counts(self, name):
        raise AssertionError("it was counted")

    monkeypatch.setattr(MemoryTarget, "count", counts)
    row = appended(range(5), verify="none")
    assert (row.count_before, row.rows_target, row.verified) == (None, None, None)


def test_where_the_target_refuses_to_be_counted_the_reason_is_said(world, appended, monkeypatch):
    def refuses(self, name):
        raise TargetError("No right to load.")

    monkeypatch.setattr(MemoryTarget, "load", refuses)
    row = appended(range(5))
    assert (row.count_before, row.verified) == (None, None)
    assert "contained before were not counted. No right to load." in row.checks[1]["message"]
    assert not world.target.collections["books"].indexes


def test_a_collection_that_is_not_there_yet_is_made(world, work_off):
    job = world.job(APPEND)
    work_off()
    assert ended(job).status == Status.SUCCESSFUL, job.error
    assert job.collections.get().target_state == TargetState.CREATED


def test_what_differs_is_refused_and_nothing_is_touched(world, work_off):
    held = fill(world, range(5), TargetSchema("books", SCHEMA.fields[:2], dynamic=False))
    fields = [{"source": "id"}, {"source": "embedding"}, {"source": "title"}]
    job = world.job(APPEND | {"fields": fields})
    work_off()
    assert (ended(job).status, job.refused) == (Status.FAILED, True)
    assert job.error_code == "field_not_there"
    assert len(held.rows) == 5


@pytest.mark.parametrize("drop", [True, False])
def test_a_collection_that_was_there_is_never_dropped(world, work_off, drop):
    held = fill(world, range(5))
    job = world.job(APPEND)
    tasks.prepare(job.pk)
    tasks.work(job.pk)
    services.job_cancel(job=job, user=None, drop=drop)
    work_off()
    assert ended(job).status == Status.CANCELED
    assert world.target.collections["books"] is held


def test_a_worker_that_dies_anywhere_while_it_counts_is_gone_on_with(world, work_off, monkeypatch):
    held = fill(world, range(95, 105))
    calls = 0
    real = {
        name: getattr(MemoryTarget, name) for name in ("flush", "create_index", "load", "count", "release")
    }

    def mortal(name):
        def call(self, *args):
            nonlocal calls
            answer = real[name](self, *args)
            calls += 1
            if calls == dies_at:  # counted from the beginning of each job
                raise Died
            return answer

        return call

    for name in real:
        monkeypatch.setattr(MemoryTarget, name, mortal(name))
    for number in range(1, 12):
        calls, dies_at = 0, number
        held.rows = {n: {"id": n, "embedding": [9.0, 9.0, 9.0], "title": "old"} for n in range(95, 105)}
        job = world.job(APPEND)
        with suppress(Died):
            work_off()
        Job.objects.update(lease_until=None)
        scheduler.schedule_all()
        work_off()
        assert ended(job).status == Status.SUCCESSFUL, job.error
        row = job.collections.get()
        assert (row.count_before, row.rows_target, row.verified) == (10, 105, True)
        assert not held.indexes
        assert not held.is_loaded


def test_a_cancel_while_it_is_counted_before_puts_back_what_was_found(world, work_off, monkeypatch):
    held = fill(world, range(5))
    load_state = MemoryTarget.load_state
    monkeypatch.setattr(MemoryTarget, "load_state", lambda self, name: LoadState("loading", 10))
    monkeypatch.setattr("migrations_app.stages.provision.TURN_SECONDS", 0.2)
    job = world.job(APPEND)
    JobCollection.objects.update(finish={})
    tasks.prepare(job.pk)
    held.indexes["embedding"] = IndexSpec("embedding")  # asked for by the count
    monkeypatch.setattr(MemoryTarget, "load_state", load_state)
    assert not services.job_is_held(job=job)
    services.job_cancel(job=job, user=None, drop=True)
    work_off()
    assert ended(job).status == Status.CANCELED
    assert not held.indexes
    assert len(held.rows) == 5


def test_a_count_before_that_gets_nowhere_is_given_up(world, work_off, monkeypatch, settings):
    settings.VECTORFERRY_STALL_SECONDS = 0
    fill(world, range(5))
    monkeypatch.setattr(MemoryTarget, "load_state", lambda self, name: LoadState("loading", 10))
    job = world.job(APPEND)
    work_off()
    assert ended(job).status == Status.SUCCESSFUL, job.error
    row = job.collections.get()
    assert row.verified is None
    assert "loading stayed at 10 %" in row.checks[1]["message"]
