"""The collection that a job writes into: made, replaced or found."""

from contextlib import suppress

import pytest

from migrations_app import services, tasks
from migrations_app.engine.errors import TargetUnavailable
from migrations_app.engine.schema import MilvusType, TargetField, TargetSchema, TypeSpec
from migrations_app.engine.testing import MemoryTarget
from migrations_app.engine.testing.memory_target import MemoryRows
from migrations_app.models import Job, JobCollection, TargetState
from migrations_app.states import Status

pytestmark = pytest.mark.django_db(transaction=True)

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
    assert job.log.filter(message="Dropped the collection “books” (about 3 rows), to replace it.").exists()


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
