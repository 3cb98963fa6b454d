"""Provision: the target collection of a job is created, replaced or reused."""

from contextlib import suppress

import pyarrow as pa
import pytest

from migrations_app import services
from migrations_app.engine.errors import TargetError, TargetUnavailable
from migrations_app.engine.model.target_schema import IndexSpec, TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.targets.base import LoadState
from migrations_app.models import Job, JobStep, StepKind, TargetState
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


def refreshed(job):
    job.refresh_from_db()
    return job


class Died(BaseException):
    """Stands for a killed process: the code under test does not catch it."""


def test_an_existing_collection_is_replaced_if_the_plan_says_so(world, old, work_off):
    job = world.job(REPLACE)
    work_off()
    assert refreshed(job).status == Status.SUCCESSFUL, job.error
    assert len(old["books"].rows) == 100
    row = job.collections.get()
    assert (row.target_state, row.rows_target, row.verified) == (TargetState.CREATED, 100, True)
    assert job.log.filter(message="Dropped the collection “books” (about 3 rows) to replace it.").exists()


def test_replace_creates_the_collection_if_none_exists(world, work_off):
    job = world.job(REPLACE)
    work_off()
    assert refreshed(job).status == Status.SUCCESSFUL, job.error
    assert not job.log.filter(message__startswith="Dropped").exists()


def test_an_existing_collection_is_not_replaced_unless_the_plan_says_so(world, old, work_off):
    job = world.job({"source": "books"})
    work_off()
    assert (refreshed(job).status, job.error_code, job.refused) == (Status.FAILED, "collection_exists", True)
    assert len(old["books"].rows) == 3


@pytest.mark.parametrize("dies_in", ["drop", "create"])
@pytest.mark.parametrize("is_done", [True, False], ids=["after the call", "before the call"])
def test_a_replacement_continues_after_its_worker_died(world, old, work_off, monkeypatch, dies_in, is_done):
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
    assert refreshed(job).status == Status.SUCCESSFUL, job.error
    assert len(old["books"].rows) == 100


def test_a_collection_that_the_job_created_is_not_replaced_again(world, old, work_off):
    job = world.job(REPLACE)
    tasks.prepare(job.pk)
    tasks.work(job.pk)
    # As if preparation was interrupted after the create.
    JobStep.objects.filter(kind=StepKind.PLAN_SLICES).delete()
    Job.objects.update(stage="preparing")
    work_off()
    assert len(old["books"].rows) == 100
    assert job.log.filter(message__startswith="Dropped").count() == 1


def test_a_failure_after_the_old_collection_was_dropped_is_not_a_refusal(world, old, monkeypatch):
    def refuses(self, schema):
        raise TargetUnavailable("Away.", retryable=False)

    monkeypatch.setattr(MemoryTarget, "create", refuses)
    job = world.job(REPLACE)
    tasks.prepare(job.pk)
    assert "books" not in old
    assert (refreshed(job).error_code, job.refused) == ("target_unavailable", False)


def test_a_collection_with_an_alias_is_not_replaced(world, old, work_off):
    world.target.aliases["reading"] = "books"
    job = world.job(REPLACE)
    work_off()
    assert (refreshed(job).status, job.error_code, job.refused) == (Status.FAILED, "target_has_alias", True)
    assert "“reading”" in job.error_message
    assert len(old["books"].rows) == 3


def test_an_alias_that_was_created_after_the_checks_prevents_the_drop(world, old, monkeypatch):
    collections = MemoryTarget.collections

    def collections_with_alias(self):
        if JobStep.objects.done(StepKind.PREPARE).exists():
            world.target.aliases["reading"] = "books"
        return collections(self)

    monkeypatch.setattr(MemoryTarget, "collections", collections_with_alias)
    job = world.job(REPLACE)
    tasks.prepare(job.pk)
    assert (refreshed(job).error_code, job.refused) == ("target_has_alias", True)
    assert len(old["books"].rows) == 3


def test_a_collection_that_another_part_of_the_job_reads_is_not_replaced(world, old, work_off):
    world.source.server = world.target.server = "one"
    world.source.collections["letters"] = books(5)
    job = world.job({"source": "books", "target": "new"}, REPLACE | {"source": "letters", "target": "books"})
    work_off()
    assert (refreshed(job).error_code, job.refused) == ("target_is_source", True)
    assert list(old) == ["books"]


def test_collections_of_one_server_with_different_names_are_moved(world, old, work_off):
    world.source.server = world.target.server = "one"
    job = world.job({"source": "books", "target": "copy"})
    work_off()
    assert refreshed(job).status == Status.SUCCESSFUL, job.error


@pytest.mark.parametrize("if_exists", ["error", "replace"])
def test_a_name_that_is_an_alias_is_refused(world, old, work_off, if_exists):
    world.target.aliases["reading"] = "books"
    job = world.job({"source": "books", "target": "reading", "if_exists": if_exists})
    work_off()
    assert (refreshed(job).status, job.error_code, job.refused) == (Status.FAILED, "target_is_alias", True)
    assert len(old["books"].rows) == 3


def test_a_collection_that_another_job_writes_into_is_not_replaced(world, work_off):
    first = world.job()
    tasks.prepare(first.pk)
    second = world.job(REPLACE)
    tasks.prepare(second.pk)
    assert (refreshed(second).error_code, second.refused) == ("target_in_use", True)
    assert first.public_id in second.error_message
    work_off()
    assert refreshed(first).status == Status.SUCCESSFUL, first.error
    third = world.job(REPLACE)
    work_off()
    assert refreshed(third).status == Status.SUCCESSFUL, third.error


def test_a_cancel_that_drops_also_drops_the_replaced_collection(world, old, work_off):
    job = world.job(REPLACE)
    tasks.prepare(job.pk)
    services.job_cancel(job=job, user=None, drop=True)
    work_off()
    assert refreshed(job).status == Status.CANCELED
    assert "books" not in old


# ---------------------------------------------------------------- appending to an existing collection

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
    """Create a target collection with rows that have these keys."""
    rows = {n: {"id": n, "embedding": [9.0, 9.0, 9.0], "title": "old"} for n in keys}
    world.target.collections["books"] = MemoryRows(schema, rows, sent=len(rows))
    return world.target.collections["books"]


@pytest.fixture
def appended(world, work_off):
    """Return a function that appends the 100 books to an existing collection."""

    def appended(keys, schema=SCHEMA, **options):
        fill(world, keys, schema)
        job = world.job(APPEND, **options)
        work_off()
        job.refresh_from_db()
        assert job.status == Status.SUCCESSFUL, job.error
        return job.collections.with_counters().get()

    return appended


@pytest.mark.parametrize("if_exists", ["append", "replace"])
def test_a_collection_that_the_job_reads_is_neither_replaced_nor_added_to(world, work_off, if_exists):
    world.source.server = world.target.server = "one"
    kept = fill(world, range(3))
    job = world.job({"source": "books", "if_exists": if_exists})
    work_off()
    assert (refreshed(job).status, job.error_code, job.refused) == (Status.FAILED, "target_is_source", True)
    assert len(kept.rows) == 3


@pytest.mark.parametrize("if_exists", ["append", "replace"])
def test_a_collection_that_became_the_source_after_the_checks_is_not_changed(world, monkeypatch, if_exists):
    identity, world.source.server = MemoryTarget.identity, "one"

    def identity_after_the_checks(self, name, ctx):
        world.target.server = "one" if JobStep.objects.done(StepKind.PREPARE).exists() else "two"
        return identity(self, name, ctx)

    monkeypatch.setattr(MemoryTarget, "identity", identity_after_the_checks)
    kept = fill(world, range(3))
    job = world.job({"source": "books", "if_exists": if_exists})
    tasks.prepare(job.pk)
    assert (refreshed(job).error_code, job.refused) == ("target_is_source", True)
    assert world.target.collections == {"books": kept}
    assert len(kept.rows) == 3


def test_rows_are_added_to_an_existing_collection(world, appended):
    row = appended(range(1000, 1030))
    assert len(world.target.collections["books"].rows) == 130
    assert (row.target_state, row.count_before, row.rows_target) == (TargetState.EXISTING, 30, 130)
    assert row.verified is True
    assert row.checks[1]["message"] == "100 rows sent; the target has 100 new rows."


def test_a_limit_is_raised_before_the_first_row_if_the_plan_says_so(world, work_off):
    collection = fill(world, range(3))
    title = {"source": "title", "max_length": 500, "raise_limit": True}
    job = world.job(APPEND | {"override": True, "fields": [title]})
    work_off()
    assert refreshed(job).status == Status.SUCCESSFUL, job.error
    limits = {field.name: field.spec.max_length for field in collection.schema.fields}
    assert limits == {"id": None, "embedding": None, "title": 500}
    (line,) = job.log.filter(message__contains="raised")
    assert line.message == "books: raised “max_length” of “title” from 64 to 500."


def test_rows_that_replace_existing_rows_are_found_by_their_keys(world, appended):
    row = appended(range(90, 130))
    collection = world.target.collections["books"]
    assert sorted(collection.rows) == list(range(130))
    assert collection.rows[95]["title"] == "Book 95"
    assert (row.rows_target, row.verified) == (130, True)
    assert row.checks[1] == {
        "check": "rows_in_target",
        "expected": 100,
        "found": 90,
        "passed": True,
        "message": "100 rows sent; the target has 90 new rows. The others replaced rows with the same keys: "
        "the target has every key.",
    }


def test_rejected_and_skipped_rows_do_not_count_as_missing_keys(world, appended):
    source_collection = world.source.collections["books"]
    rows = source_collection.rows.to_pylist()
    rows[3]["title"], rows[4]["embedding"], rows[5]["title"] = "x" * 65, None, "x" * 65
    source_collection.rows = pa.RecordBatch.from_pylist(rows, source_collection.rows.schema)
    # Two of the rejected or skipped rows have keys that exist in the target, one does not.
    row = appended([3, 4, 50])
    assert (row.rows_rejected, row.rows_skipped, row.verified) == (2, 1, True)
    assert (row.count_before, row.rows_target) == (3, 99)


def test_a_row_lost_among_replaced_rows_is_noticed(world, work_off):
    collection = fill(world, range(50))
    job = world.job(APPEND)
    tasks.prepare(job.pk)
    tasks.work(job.pk)
    del collection.rows[20], collection.rows[70]
    work_off()
    assert (refreshed(job).status, job.error_code) == (Status.FAILED, "verify_mismatch")
    assert "and only 98 of the 100 sent keys." in job.error_message
    assert "drop" not in job.error_hint.replace("Nothing was dropped", "")


def test_a_source_that_changed_meanwhile_is_reported_as_the_reason_for_an_unknown_result(
    world, work_off, appended
):
    fill(world, range(50))
    job = world.job(APPEND)
    tasks.prepare(job.pk)
    tasks.work(job.pk)
    world.source.collections["books"] = books(90)  # ten rows were deleted meanwhile
    work_off()
    assert refreshed(job).status == Status.SUCCESSFUL
    row = job.collections.get()
    assert row.verified is None
    assert "rows with the same keys: the source was changed meanwhile." in row.checks[1]["message"]


@pytest.mark.parametrize("is_indexed", [True, False])
def test_the_index_and_load_state_of_an_existing_collection_are_restored(world, work_off, is_indexed):
    collection = fill(world, range(95, 105))
    if is_indexed:
        collection.indexes["embedding"], collection.is_loaded = IndexSpec("embedding", metric="L2"), True
    job = world.job(APPEND)
    tasks.prepare(job.pk)
    assert (bool(collection.indexes), collection.is_loaded) == (is_indexed, is_indexed)
    work_off()
    assert refreshed(job).status == Status.SUCCESSFUL, job.error
    assert job.collections.get().verified is True
    assert (bool(collection.indexes), collection.is_loaded) == (is_indexed, is_indexed)


def test_appended_auto_id_rows_are_verified_by_their_number(world, appended):
    key = TargetField("auto", TypeSpec(MilvusType.INT64), is_key=True, auto_id=True)
    row = appended(range(5), TargetSchema("books", (key, *SCHEMA.fields[1:])))
    assert (row.count_before, row.rows_target, row.verified) == (5, 105, True)


def test_without_verification_existing_rows_are_not_counted(world, appended, monkeypatch):
    def counts(self, name):
        raise AssertionError("it was counted")

    monkeypatch.setattr(MemoryTarget, "count", counts)
    row = appended(range(5), verify="none")
    assert (row.count_before, row.rows_target, row.verified) == (None, None, None)


def test_the_reason_is_reported_if_existing_rows_cannot_be_counted(world, appended, monkeypatch):
    def refuses(self, name):
        raise TargetError("No right to load.")

    monkeypatch.setattr(MemoryTarget, "load", refuses)
    row = appended(range(5))
    assert (row.count_before, row.verified) == (None, None)
    assert "contained before were not counted. No right to load." in row.checks[1]["message"]
    assert not world.target.collections["books"].indexes


def test_append_creates_the_collection_if_none_exists(world, work_off):
    job = world.job(APPEND)
    work_off()
    assert refreshed(job).status == Status.SUCCESSFUL, job.error
    assert job.collections.get().target_state == TargetState.CREATED


def test_a_collection_with_other_fields_is_refused_and_not_changed(world, work_off):
    collection = fill(world, range(5), TargetSchema("books", SCHEMA.fields[:2], dynamic=False))
    fields = [{"source": "id"}, {"source": "embedding"}, {"source": "title"}]
    job = world.job(APPEND | {"fields": fields})
    work_off()
    assert (refreshed(job).status, job.refused) == (Status.FAILED, True)
    assert job.error_code == "field_not_there"
    assert len(collection.rows) == 5


@pytest.mark.parametrize("drop", [True, False])
def test_an_existing_collection_is_never_dropped(world, work_off, drop):
    collection = fill(world, range(5))
    job = world.job(APPEND)
    tasks.prepare(job.pk)
    tasks.work(job.pk)
    services.job_cancel(job=job, user=None, drop=drop)
    work_off()
    assert refreshed(job).status == Status.CANCELED
    assert world.target.collections["books"] is collection


def test_a_count_of_existing_rows_continues_wherever_its_worker_died(world, work_off, monkeypatch):
    collection = fill(world, range(95, 105))
    calls = 0
    originals = {
        name: getattr(MemoryTarget, name) for name in ("flush", "create_index", "load", "count", "release")
    }

    def dying(name):
        def call(self, *args):
            nonlocal calls
            answer = originals[name](self, *args)
            calls += 1
            if calls == dies_at:  # counted from the beginning of each job
                raise Died
            return answer

        return call

    for name in originals:
        monkeypatch.setattr(MemoryTarget, name, dying(name))
    for number in range(1, 12):
        calls, dies_at = 0, number
        collection.rows = {n: {"id": n, "embedding": [9.0, 9.0, 9.0], "title": "old"} for n in range(95, 105)}
        job = world.job(APPEND)
        with suppress(Died):
            work_off()
        Job.objects.update(lease_until=None)
        scheduler.schedule_all()
        work_off()
        assert refreshed(job).status == Status.SUCCESSFUL, job.error
        row = job.collections.get()
        assert (row.count_before, row.rows_target, row.verified) == (10, 105, True)
        assert not collection.indexes
        assert not collection.is_loaded


def test_a_cancel_while_existing_rows_are_counted_restores_the_index_state(world, work_off, monkeypatch):
    collection = fill(world, range(5))
    load_state = MemoryTarget.load_state
    monkeypatch.setattr(MemoryTarget, "load_state", lambda self, name: LoadState("loading", 10))
    monkeypatch.setattr("migrations_app.engine.verification.row_count.MAX_WAIT_SECONDS", 0.1)
    job = world.job(APPEND)
    tasks.prepare(job.pk)
    collection.indexes["embedding"] = IndexSpec("embedding")  # created by the count
    monkeypatch.setattr(MemoryTarget, "load_state", load_state)
    assert not services.job_is_held(job=job)
    services.job_cancel(job=job, user=None, drop=True)
    work_off()
    assert refreshed(job).status == Status.CANCELED
    assert not collection.indexes
    assert len(collection.rows) == 5


def test_a_stalled_count_of_existing_rows_is_given_up(world, work_off, monkeypatch, settings):
    settings.VECTORFERRY_STALL_SECONDS = 0
    fill(world, range(5))
    monkeypatch.setattr(MemoryTarget, "load_state", lambda self, name: LoadState("loading", 10))
    job = world.job(APPEND)
    work_off()
    assert refreshed(job).status == Status.SUCCESSFUL, job.error
    row = job.collections.get()
    assert row.verified is None
    assert "loading stayed at 10 %" in row.checks[1]["message"]
