"""Resume: a failed or canceled job continues from its checkpoints, or is refused with the reason."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from django_q.models import OrmQ

from migrations_app import endpoints, queue, services
from migrations_app.engine.errors import SettingsError
from migrations_app.execution import lease
from migrations_app.models import Connection, Job, JobCollection, JobSlice, RejectedRow, StepKind, TargetState
from migrations_app.models.status import Status
from migrations_app.reporting.report import job_totals, moving_seconds
from migrations_app.worker import tasks
from tests.kit import MemoryDatabase, memory_database
from tests.migrations_app.conftest import the_slice

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def failed(world, finished, pages_of_ten):
    """A job that failed at its fifth rejected row, of ten: every tenth row is refused by the target."""
    world.target.refuse = lambda row: "Never." if row["id"] % 10 == 5 else ""
    job = finished(max_rejected=4)
    assert (job.status, job.error_code) == (Status.FAILED, "too_many_rejected")
    return job


def resume(job, user=None, **changes):
    services.job_resume(job=job, user=user, changes=changes)
    job.refresh_from_db()
    return job


def test_a_job_that_rejected_too_many_rows_continues_with_a_higher_limit(world, failed, work_off):
    before, cursor = failed.started_at, the_slice().cursor
    ada = User.objects.create(username="ada")
    resume(failed, ada, max_rejected=10)
    assert (failed.status, failed.error_code, failed.ended_at) == (Status.PENDING, "", None)
    assert "Resumed by ada; max_rejected is now 10, before 4." in failed.log.last().message
    assert the_slice().cursor == cursor
    work_off()
    failed.refresh_from_db()
    assert failed.status == Status.SUCCESSFUL, failed.error
    assert failed.started_at == before
    done = job_totals(failed)
    assert (done.rows_read, done.rows_written, done.rows_rejected) == (100, 90, 10)
    assert RejectedRow.objects.count() == 10
    assert len(world.target.collections["books"].rows) == 90
    assert failed.collections.get().verified is True


def test_a_limit_that_is_reached_already_is_refused(failed):
    JobSlice.objects.update(rows_rejected=7, beyond={"rows_rejected": 1})
    with pytest.raises(SettingsError, match="6 rows were rejected already") as refused:
        services.job_resume(job=failed, user=None, changes={"max_rejected": 5})
    assert refused.value.field == "max_rejected"
    assert Job.objects.get().options.max_rejected == 4
    assert resume(failed, max_rejected=None).options.max_rejected is None


def test_a_canceled_job_continues_from_its_checkpoint(world, ready, pages_of_ten, settings, work_off):
    settings.VECTORFERRY_SLICE_SECONDS = 0
    job = ready()
    tasks.work(job.pk)
    services.job_cancel(job=job, user=None, drop=False)
    assert job.status == Status.CANCELED
    assert the_slice().cursor == 10
    settings.VECTORFERRY_SLICE_SECONDS = 300
    OrmQ.objects.all().delete()
    resume(job)
    assert queue.waiting() == {(queue.Task.PREPARE, job.pk): 1}
    work_off()
    job.refresh_from_db()
    assert job.status == Status.SUCCESSFUL, job.error
    assert world.target.collections["books"].sent == 100


def test_a_job_that_failed_while_comparing_counts_compares_them_again(world, finished, work_off):
    job = finished()
    Job.objects.update(status=Status.FAILED, error_code="verify_mismatch", error_message="Differ.")
    job.collections.update(verified=False, rows_target=99)
    job.refresh_from_db()
    resume(job)
    assert job.collections.get().verified is None
    assert not job.steps.filter(kind=StepKind.VERIFY).exists()
    work_off()
    job.refresh_from_db()
    assert job.status == Status.SUCCESSFUL, job.error
    assert (job.collections.get().verified, world.target.collections["books"].sent) == (True, 100)


def test_a_plan_that_was_refused_is_checked_again(world, finished, work_off):
    finished()
    job = finished()
    assert (job.status, job.refused) == (Status.FAILED, True)
    del world.target.collections["books"]
    resume(job)
    assert not job.refused
    work_off()
    job.refresh_from_db()
    assert job.status == Status.SUCCESSFUL, job.error


def test_the_pause_does_not_count_as_time_of_moving(failed, work_off):
    Job.objects.update(ended_at=timezone.now() - timedelta(hours=1), seconds={"moving": 5.0})
    failed.refresh_from_db()
    resume(failed, max_rejected=None)
    assert failed.seconds["moving_before"] == 5.0
    assert 3600 <= failed.seconds["paused"] < 3700
    work_off()
    failed.refresh_from_db()
    assert 5.0 <= moving_seconds(failed) < 60


def test_a_resumed_job_that_waits_can_be_canceled_with_its_collections(world, failed, work_off):
    resume(failed, max_rejected=None)
    services.job_cancel(job=failed, user=None, drop=True)
    work_off()
    failed.refresh_from_db()
    assert failed.status == Status.CANCELED
    assert "books" not in world.target.collections
    with pytest.raises(SettingsError, match="was dropped with its rows"):
        services.job_resume(job=failed, user=None)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize("status", [Status.PENDING, Status.IN_PROGRESS, Status.CANCELING, Status.SUCCESSFUL])
def test_only_a_failed_or_canceled_job_is_resumed(failed, status):
    Job.objects.update(status=status)
    failed.refresh_from_db()
    with pytest.raises(SettingsError, match="only a Failed or Canceled job"):
        services.job_resume(job=failed, user=None)


def test_a_second_click_finds_the_job_resumed(failed):
    resume(failed, max_rejected=None)
    with pytest.raises(SettingsError, match="is Pending"):
        services.job_resume(job=failed, user=None)
    assert queue.waiting() == {(queue.Task.PREPARE, failed.pk): 1}


def test_a_job_with_a_lease_is_not_resumed(failed):
    lease.take(the_slice(), lease.terms())
    with pytest.raises(SettingsError, match="lease has not ended"):
        services.job_resume(job=failed, user=None)


def test_after_an_unclean_stop_with_auto_id_a_job_is_not_resumed(failed):
    row = JobCollection.objects.get()
    row.plan |= {"key": "auto", "key_name": "auto_id"}
    row.save()
    assert services.resume_refusal(failed) is None
    JobSlice.objects.update(unclean=True)
    with pytest.raises(SettingsError, match="not known whether the last requests") as refused:
        services.job_resume(job=failed, user=None)
    assert "Run again" in refused.value.hint
    JobSlice.objects.update(unclean=False, resumable=False)
    assert "from its beginning" in services.resume_refusal(failed).message


def test_a_collection_that_is_gone_is_another_or_was_written_to_is_refused(world, failed, finished):
    later = finished({"source": "books", "if_exists": "append"}, max_rejected=None)
    assert later.status == Status.SUCCESSFUL
    with pytest.raises(SettingsError, match=f"{later.public_id} has written"):
        services.job_resume(job=failed, user=None, changes={"max_rejected": None})
    # It may also have started earlier, and been resumed since.
    Job.objects.filter(pk=later.pk).update(started_at=failed.started_at, resumed_at=later.started_at)
    with pytest.raises(SettingsError, match=f"{later.public_id} has written"):
        services.job_resume(job=failed, user=None, changes={"max_rejected": None})
    later.delete()
    JobCollection.objects.update(target_identity="another")
    world.target.server = "here"
    with pytest.raises(SettingsError, match="is no longer the collection"):
        services.job_resume(job=failed, user=None, changes={"max_rejected": None})
    del world.target.collections["books"]
    with pytest.raises(SettingsError, match="no longer exists in the target"):
        services.job_resume(job=failed, user=None, changes={"max_rejected": None})
    failed.refresh_from_db()
    assert (failed.status, failed.options.max_rejected) == (Status.FAILED, 4)


def test_a_collection_that_lost_rows_is_found_by_counting_where_the_server_tells_no_id(world, failed):
    world.target.capabilities = replace(world.target.capabilities, count_needs_load=False)
    rows = world.target.collections["books"].rows
    key = next(iter(rows))
    row = rows.pop(key)
    JobSlice.objects.update(rows_written=len(rows) + 1, beyond={})
    with pytest.raises(SettingsError, match="fewer rows than this job wrote"):
        services.job_resume(job=failed, user=None, changes={"max_rejected": None})
    rows[key] = row
    services.job_resume(job=failed, user=None, changes={"max_rejected": None})


def test_a_collection_that_goes_while_the_job_waits_fails_it_again(world, failed, work_off):
    resume(failed, max_rejected=None)
    del world.target.collections["books"]
    work_off()
    failed.refresh_from_db()
    assert (failed.status, failed.error_code, failed.refused) == (Status.FAILED, "target_gone", False)
    assert failed.collections.get().target_state == TargetState.CREATED


def test_a_connection_that_is_gone_or_points_elsewhere_is_refused(world, finished, work_off):
    def save(role, settings, connection=None):
        return services.connection_save(
            name=role,
            kind="memory",
            settings=settings,
            user=None,
            is_target=role == "target",
            connection=connection,
        )

    ends = {f"{role}_connection": save(role, world.settings[role]) for role in ("source", "target")}
    job = services.job_create(plan=world.plan(), user=None, **ends)
    services.job_cancel(job=job, user=None, drop=False)
    source = ends["source_connection"]
    save("source", world.settings["source"] | {"store": "another"}, source)
    with pytest.raises(SettingsError, match="no longer points to"):
        services.job_resume(job=Job.objects.get(), user=None)
    save("source", world.settings["source"], source)
    with memory_database(MemoryDatabase(token="another")) as elsewhere:
        save("target", endpoints.plain(elsewhere), ends["target_connection"])
        with pytest.raises(SettingsError, match="no longer points to the server"):
            services.job_resume(job=Job.objects.get(), user=None)
    Connection.objects.filter(pk=source.pk).delete()
    with pytest.raises(SettingsError, match="source connection of this job was deleted"):
        services.job_resume(job=Job.objects.get(), user=None)


def test_a_share_of_rejected_rows_that_is_exceeded_must_be_raised(world, finished, work_off):
    world.target.refuse = lambda row: "Never." if row["id"] % 10 else ""
    job = finished(max_rejected=None)
    assert (job.status, job.error_code) == (Status.FAILED, "mostly_rejected")
    with pytest.raises(SettingsError, match="90 % of the rows") as refused:
        services.job_resume(job=job, user=None, changes={"max_skipped": 0.7})
    assert "at least 90 %" in refused.value.hint
    resume(job, max_skipped=0.9)
    work_off()
    job.refresh_from_db()
    assert job.status == Status.SUCCESSFUL, job.error
    assert world.target.collections["books"].sent == 10
