"""Tasks: whole jobs from a source to a target in memory, run through the real queue."""

from itertools import pairwise

import pytest
from django.db import OperationalError, connections
from django.db.models import F
from django_q.models import OrmQ

from migrations_app import queue, services
from migrations_app.engine.errors import LeaseLost, TargetError, TargetUnavailable
from migrations_app.models import Job, JobSlice, RejectedRow, TargetState
from migrations_app.models.status import Stage, Status
from migrations_app.worker import tasks
from tests.kit import MemoryTarget
from tests.migrations_app.conftest import SOURCE_PASSWORD, TARGET_TOKEN, books

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


def ended(job):
    job.refresh_from_db()
    assert job.is_ended, (job.status, job.stage, job.error)
    return job


def test_a_job_moves_every_row_and_ends_successful(world, work_off):
    job = world.job()
    work_off()
    assert ended(job).status == Status.SUCCESSFUL
    assert sorted(world.target.collections["books"].rows) == list(range(100))
    row = job.collections.with_counters().get()
    assert (row.rows_source, row.rows_source_after, row.rows_read, row.rows_written) == (100, 100, 100, 100)
    assert (row.rows_target, row.verified, row.slices_done) == (100, True, 1)
    assert {check["passed"] for check in row.checks} == {True}
    assert {"preparing", "moving", "verifying"} <= set(job.seconds)
    assert not OrmQ.objects.exists()


def test_a_job_of_two_collections_moves_both(world, work_off):
    world.source.collections["more"] = books(7, start=1000)
    job = world.job({"source": "books"}, {"source": "more", "target": "others"})
    work_off()
    assert ended(job).status == Status.SUCCESSFUL
    assert len(world.target.collections["books"].rows) == 100
    assert sorted(world.target.collections["others"].rows) == list(range(1000, 1007))


def test_every_task_may_run_twice(world, work_off):
    job = world.job()
    for task in list(queue.Task) * 2:
        queue.wake(job, task)
    work_off()
    for task in queue.Task:
        queue.wake(job, task)
    work_off()
    assert ended(job).status == Status.SUCCESSFUL
    assert len(world.target.collections["books"].rows) == 100
    assert world.target.collections["books"].sent == 100


def test_a_task_for_a_job_that_does_not_exist_does_nothing(db):
    for task in queue.Task:
        tasks.BY_NAME[task](4711)
    assert not OrmQ.objects.exists()


def test_a_job_that_preflight_refuses_fails_before_anything_is_written(world, work_off):
    MemoryTarget.stores[world.settings["target"]["store"]].collections["books"] = None
    job = world.job()
    work_off()
    assert ended(job).status == Status.FAILED
    assert job.refused
    assert job.stage == Stage.PREPARING
    assert "books" in job.error_message
    assert job.collections.get().target_state == TargetState.NONE
    assert job.log.filter(level="error").exists()


def test_a_wrong_password_fails_the_job_as_refused(world, work_off):
    job = world.job()
    world.source.password = "changed"
    work_off()
    assert ended(job).status == Status.FAILED
    assert (job.error_code, job.refused) == ("auth_refused", True)


def test_an_unexpected_error_fails_the_job_with_a_sentence_and_a_traceback_in_the_log(
    world, work_off, monkeypatch
):
    def broken(self, ref, ctx):
        raise ZeroDivisionError(f"the token is {TARGET_TOKEN}")

    monkeypatch.setattr("tests.kit.MemorySource.count", broken)
    job = world.job()
    work_off()
    assert ended(job).status == Status.FAILED
    assert job.error_code == "internal"
    assert "Traceback" not in job.error_message
    assert "ZeroDivisionError" in job.error_message
    entry = job.log.exclude(details="").get(details__contains="Traceback")
    assert TARGET_TOKEN not in entry.details
    assert SOURCE_PASSWORD not in entry.details


def test_a_secret_in_a_driver_error_is_hidden_in_the_error_of_the_job(world, work_off, monkeypatch):
    def leaky(self, schema):
        raise TargetError(f"Refused: token={TARGET_TOKEN}\x00", f"Check {TARGET_TOKEN}.")

    monkeypatch.setattr(MemoryTarget, "create", leaky)
    job = world.job()
    work_off()
    assert ended(job).error_message.startswith("Refused: token=•••")
    assert TARGET_TOKEN not in job.error_hint


def create_fails_first(monkeypatch, *errors):
    """Let the first calls of the target's ``create`` raise ``errors``, one each."""
    create, failures = MemoryTarget.create, iter(errors)

    def create_after_failures(self, schema):
        if failure := next(failures, None):
            raise failure
        create(self, schema)

    monkeypatch.setattr(MemoryTarget, "create", create_after_failures)


def test_a_short_outage_of_the_console_database_does_not_fail_the_job(world, work_off, monkeypatch):
    create_fails_first(monkeypatch, OperationalError("server closed the connection"))
    job = world.job()
    work_off()
    assert ended(job).status == Status.SUCCESSFUL


def test_an_error_in_a_late_task_does_not_change_a_job_that_another_task_took_over(world, monkeypatch):
    def lose_lease_and_fail(self, schema):
        Job.objects.update(fence=F("fence") + 1)
        raise TargetError("The connection of the late one was cut.")

    monkeypatch.setattr(MemoryTarget, "create", lose_lease_and_fail)
    job = world.job()
    tasks.prepare(job.pk)
    job.refresh_from_db()
    assert (job.status, job.error) == (Status.IN_PROGRESS, None)
    assert job.lease_until is not None
    assert job.log.filter(message__contains="took over this task").exists()


def test_a_late_task_cannot_change_the_stage_of_a_job_that_another_task_took_over(world):
    job = world.job()
    services.job_start(job=job)
    Job.objects.update(fence=F("fence") + 1)
    with pytest.raises(LeaseLost):
        services.job_enter_stage(job=job, stage=Stage.MOVING)
    job.refresh_from_db()
    assert job.stage == Stage.PREPARING


def test_a_preparation_with_a_temporary_failure_is_tried_again(world, work_off, monkeypatch):
    create_fails_first(monkeypatch, TargetUnavailable("Away."), TargetUnavailable("Away."))
    job = world.job()
    work_off()
    assert ended(job).status == Status.SUCCESSFUL
    assert job.log.filter(message__startswith="Trying again").count() == 2


def test_a_preparation_that_always_fails_ends_the_job_after_several_tries(world, work_off, monkeypatch):
    def unavailable(self, schema):
        raise TargetUnavailable("The target is away.")

    monkeypatch.setattr(MemoryTarget, "create", unavailable)
    job = world.job()
    work_off()
    assert ended(job).status == Status.FAILED
    assert job.error_code == "target_unavailable"


def test_a_collection_whose_create_was_interrupted_belongs_to_the_job(world, work_off, monkeypatch):
    create, interruptions = MemoryTarget.create, iter([True])

    def interrupted_create(self, schema):
        create(self, schema)
        if next(interruptions, False):
            raise TargetUnavailable("The answer was lost.")

    monkeypatch.setattr(MemoryTarget, "create", interrupted_create)
    job = world.job()
    work_off()
    assert ended(job).status == Status.SUCCESSFUL
    assert job.collections.get().target_state == TargetState.CREATED


def test_a_foreign_collection_with_the_name_of_one_being_created_is_not_changed(world, work_off, monkeypatch):
    create, flushed = MemoryTarget.create, []
    # As in Milvus, statistics include only flushed rows.
    monkeypatch.setattr(MemoryTarget, "flush", lambda self, name, stop=None: flushed.append(name))
    monkeypatch.setattr(MemoryTarget, "row_statistics", lambda self, name: 5 if name in flushed else 0)

    def foreign_create(self, schema):
        create(self, schema)
        self.store.collections[schema.name].sent = 5
        raise TargetUnavailable("The answer was lost.")

    monkeypatch.setattr(MemoryTarget, "create", foreign_create)
    job = world.job()
    work_off()
    assert ended(job).status == Status.FAILED
    assert job.error_code == "target_changed"
    assert world.target.collections["books"].sent == 5


def test_jobs_above_the_limit_wait_for_their_turn(world, work_off, settings):
    settings.VECTORFERRY_JOBS_AT_ONCE = 1
    jobs = [world.job({"source": "books", "target": f"t{n}"}) for n in range(3)]
    work_off()
    assert {ended(job).status for job in jobs} == {Status.SUCCESSFUL}
    times = [(job.started_at, job.ended_at) for job in jobs]
    assert all(end <= start for (_, end), (start, _) in pairwise(times))


def test_a_row_that_the_target_refuses_is_stored_as_rejected(world, work_off):
    world.target.refuse = lambda row: "It is number 13." if row["id"] == 13 else ""
    job = world.job()
    work_off()
    assert ended(job).status == Status.SUCCESSFUL
    rejected = RejectedRow.objects.get(job=job)
    assert (rejected.locator, rejected.reason) == ("13", "It is number 13.")
    assert job.collections.with_counters().get().rows_rejected == 1


def test_too_many_rejected_rows_fail_the_job_and_the_collection_stays(world, work_off):
    world.target.refuse = lambda row: "Never." if row["id"] % 10 == 0 else ""
    job = world.job(max_rejected=3)
    work_off()
    assert ended(job).status == Status.FAILED
    assert job.error_code == "too_many_rejected"
    assert not job.refused
    assert "books" in world.target.collections


def test_a_failed_job_has_no_leased_slices_of_its_other_collections(world, work_off):
    world.source.collections["more"] = books(10)
    job = world.job({"source": "books"}, {"source": "more"})
    tasks.prepare(job.pk)
    del world.source.collections["books"]
    OrmQ.objects.all().delete()
    tasks.work(job.pk)
    assert ended(job).status == Status.FAILED
    assert job.error_code == "source_changed"
    assert JobSlice.objects.leased().count() == 0


def test_a_canceled_job_reports_the_written_rows_and_keeps_them(world, work_off):
    job = world.job()
    tasks.prepare(job.pk)

    def on_request(number):
        services.job_cancel(job=job, user=None, drop=False)
        connections.close_all()

    world.target.on_request = on_request
    OrmQ.objects.all().delete()
    tasks.work(job.pk)
    assert ended(job).status == Status.CANCELED
    assert job.log.last().message == "Canceled: 100 rows were written; they stay in the target."
    assert len(world.target.collections["books"].rows) == 100


def test_a_canceled_job_drops_only_the_collections_that_it_created(world, work_off):
    world.source.collections["more"] = books(10)
    job = world.job({"source": "books"}, {"source": "more"})
    tasks.prepare(job.pk)
    job.collections.filter(source="more").update(target_state=TargetState.EXISTING)
    OrmQ.objects.all().delete()
    services.job_cancel(job=job, user=None, drop=True)
    assert Job.objects.get().status == Status.CANCELING
    work_off()
    assert ended(job).status == Status.CANCELED
    assert list(world.target.collections) == ["more"]


def test_a_job_whose_collections_cannot_be_dropped_is_canceled_and_says_so(world, work_off, monkeypatch):
    def unavailable(self, name):
        raise TargetUnavailable("The target is away.")

    job = world.job()
    tasks.prepare(job.pk)
    OrmQ.objects.all().delete()
    monkeypatch.setattr(MemoryTarget, "drop", unavailable)
    services.job_cancel(job=job, user=None, drop=True)
    work_off()
    assert ended(job).status == Status.CANCELED
    assert job.error_message == "The collections it created could not be dropped: The target is away."
