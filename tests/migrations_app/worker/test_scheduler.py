"""The scheduler: if a wake-up or a worker is lost, a job still continues or ends."""

import pytest
from django.db.models.functions import Now
from django_q.models import OrmQ

from migrations_app import queue, services
from migrations_app.execution import claim, lease
from migrations_app.models import ActionState, Job, JobSlice, Worker
from migrations_app.models.status import Status
from migrations_app.queue import Task
from migrations_app.worker import scheduler, tasks
from tests.migrations_app.conftest import books

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


def lost():
    """Every wake-up is gone."""
    OrmQ.objects.all().delete()


def swept(job):
    """The wake-ups that the scheduler sends for this job."""
    scheduler.schedule_all()
    return {task: number for (task, pk), number in queue.waiting().items() if pk == job.pk}


def test_at_each_step_a_lost_wake_up_is_sent_again(world):
    job = world.job()
    lost()
    assert swept(job) == {Task.PREPARE: 1}
    services.job_start(job=job)
    lost()
    assert swept(job) == {Task.PREPARE: 1}
    tasks.prepare(job.pk)
    lost()
    assert swept(job) == {Task.WORK: 1}
    tasks.work(job.pk)
    lost()
    assert swept(job) == {Task.FINISH: 1}
    tasks.finish(job.pk)
    lost()
    assert swept(job) == {}
    services.job_load(job=job, user=None)
    lost()
    assert swept(job) == {Task.POST_MIGRATION: 1}


def test_nobody_is_woken_twice(world):
    job = world.job()
    assert swept(job) == swept(job) == {Task.PREPARE: 1}


def test_what_somebody_holds_is_left_alone(world):
    job = world.job()
    services.job_start(job=job)
    lost()
    lease.take(job, lease.terms())
    assert swept(job) == {}
    lease.release(job)
    tasks.prepare(job.pk)
    lost()
    claim.claim(job, lease.terms())
    assert swept(job) == {}
    JobSlice.objects.update(lease_until=Now())
    assert swept(job) == {Task.WORK: 1}


@pytest.mark.parametrize(("slots", "woken"), [(0, 1), (2, 2), (8, 3)])
def test_as_many_are_woken_as_there_are_slices_and_slots(world, slots, woken):
    for name in ("b", "c"):
        world.source.collections[name] = books(3)
    Worker.objects.create(host="here", pid=1, slots=slots, last_seen=Now())
    Worker.objects.create(host="gone", pid=2, slots=99, last_seen=lease.after(-60))
    job = world.job({"source": "books"}, {"source": "b"}, {"source": "c"})
    tasks.prepare(job.pk)
    lost()
    assert swept(job) == {Task.WORK: woken}


def test_a_slice_that_waits_for_another_try_wakes_nobody_before(world):
    job = world.job()
    tasks.prepare(job.pk)
    lost()
    JobSlice.objects.update(not_before=lease.after(60))
    assert swept(job) == {}


def test_no_more_pending_jobs_are_woken_than_may_run(world, settings):
    settings.VECTORFERRY_JOBS_AT_ONCE = 2
    first, second, third = (world.job() for _ in range(3))
    lost()
    services.job_start(job=second)
    lost()
    assert swept(first) == {Task.PREPARE: 1}
    assert swept(third) == {}


def test_a_stopping_job_whose_worker_died_ends_when_the_lease_is_over(world):
    job = world.job()
    tasks.prepare(job.pk)
    claim.claim(job, lease.terms())
    services.job_cancel(job=job, user=None, drop=False)
    lost()
    scheduler.schedule_all()
    assert Job.objects.get().status == Status.CANCELING
    JobSlice.objects.update(lease_until=Now())
    scheduler.schedule_all()
    assert Job.objects.get().status == Status.CANCELED


def test_a_failing_job_waits_for_its_last_slice(world):
    job = world.job()
    tasks.prepare(job.pk)
    claimed = claim.claim(job, lease.terms())
    Job.objects.update(error_code="target_failed", error_message="No.")
    scheduler.schedule_all()
    assert Job.objects.get().status == Status.IN_PROGRESS
    lease.release(claimed)
    scheduler.schedule_all()
    assert Job.objects.get().status == Status.FAILED


def test_what_is_to_be_dropped_wakes_a_worker(world, work_off):
    job = world.job()
    tasks.prepare(job.pk)
    services.job_cancel(job=job, user=None, drop=True)
    lost()
    assert swept(job) == {Task.SETTLE: 1}
    work_off()
    assert Job.objects.get().status == Status.CANCELED
    assert not world.target.collections


def test_a_job_whose_command_died_can_still_be_canceled(world):
    job = world.job()
    Job.objects.update(inline=True)
    tasks.prepare(job.pk)
    claim.claim(job, lease.terms())
    lost()
    assert swept(job) == {}
    services.job_cancel(job=Job.objects.get(), user=None, drop=False)
    JobSlice.objects.update(lease_until=Now())
    scheduler.schedule_all()
    assert Job.objects.get().status == Status.CANCELED


def test_an_action_that_failed_is_not_taken_up_again_by_itself(world, work_off):
    job = world.job()
    work_off()
    job.collections.update(load_action_state=ActionState.FAILED)
    assert swept(job) == {}
