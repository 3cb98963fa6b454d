"""Scheduler: a job continues or ends even if a wake-up or a worker is lost."""

import pytest
from django.db.models.functions import Now
from django_q.models import OrmQ

from migrations_app import queue, services
from migrations_app.execution import claim, lease
from migrations_app.models import Job, JobSlice, JobStep, StepState, Worker
from migrations_app.models.status import Status
from migrations_app.queue import Task
from migrations_app.worker import scheduler, tasks
from tests.migrations_app.conftest import books

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


def lose_wake_ups():
    """Delete all wake-ups from the queue."""
    OrmQ.objects.all().delete()


def scheduled(job):
    """Run the scheduler and return the wake-ups that are queued for this job."""
    scheduler.schedule_all()
    return {task: number for (task, pk), number in queue.waiting().items() if pk == job.pk}


def test_a_lost_wake_up_is_sent_again_at_each_step(world):
    job = world.job()
    lose_wake_ups()
    assert scheduled(job) == {Task.PREPARE: 1}
    services.job_start(job=job)
    lose_wake_ups()
    assert scheduled(job) == {Task.PREPARE: 1}
    tasks.prepare(job.pk)
    lose_wake_ups()
    assert scheduled(job) == {Task.WORK: 1}
    tasks.work(job.pk)
    lose_wake_ups()
    assert scheduled(job) == {Task.FINISH: 1}
    tasks.finish(job.pk)
    lose_wake_ups()
    assert scheduled(job) == {}
    services.job_load(job=job, user=None)
    lose_wake_ups()
    assert scheduled(job) == {Task.POST_MIGRATION: 1}


def test_a_wake_up_that_is_already_queued_is_not_sent_again(world):
    job = world.job()
    assert scheduled(job) == scheduled(job) == {Task.PREPARE: 1}


def test_a_job_or_slice_with_a_lease_gets_no_wake_up(world):
    job = world.job()
    services.job_start(job=job)
    lose_wake_ups()
    lease.take(job, lease.terms())
    assert scheduled(job) == {}
    lease.release(job)
    tasks.prepare(job.pk)
    lose_wake_ups()
    claim.claim(job, lease.terms())
    assert scheduled(job) == {}
    JobSlice.objects.update(lease_until=Now())
    assert scheduled(job) == {Task.WORK: 1}


@pytest.mark.parametrize(("slots", "woken"), [(0, 1), (2, 2), (8, 3)])
def test_the_number_of_wake_ups_is_limited_by_slices_and_slots(world, slots, woken):
    for name in ("b", "c"):
        world.source.collections[name] = books(3)
    Worker.objects.create(host="here", pid=1, slots=slots, last_seen=Now())
    Worker.objects.create(host="gone", pid=2, slots=99, last_seen=lease.after(-60))
    job = world.job({"source": "books"}, {"source": "b"}, {"source": "c"})
    tasks.prepare(job.pk)
    lose_wake_ups()
    assert scheduled(job) == {Task.WORK: woken}


def test_a_slice_that_waits_for_another_try_gets_no_wake_up_before_its_time(world):
    job = world.job()
    tasks.prepare(job.pk)
    lose_wake_ups()
    JobSlice.objects.update(not_before=lease.after(60))
    assert scheduled(job) == {}


def test_no_more_pending_jobs_are_woken_than_may_run(world, settings):
    settings.VECTORFERRY_JOBS_AT_ONCE = 2
    first, second, third = (world.job() for _ in range(3))
    lose_wake_ups()
    services.job_start(job=second)
    lose_wake_ups()
    assert scheduled(first) == {Task.PREPARE: 1}
    assert scheduled(third) == {}


def test_a_stopping_job_whose_worker_died_ends_when_the_lease_expires(world):
    job = world.job()
    tasks.prepare(job.pk)
    claim.claim(job, lease.terms())
    services.job_cancel(job=job, user=None, drop=False)
    lose_wake_ups()
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


def test_a_cancel_that_drops_wakes_a_worker(world, work_off):
    job = world.job()
    tasks.prepare(job.pk)
    services.job_cancel(job=job, user=None, drop=True)
    lose_wake_ups()
    assert scheduled(job) == {Task.SETTLE: 1}
    work_off()
    assert Job.objects.get().status == Status.CANCELED
    assert not world.target.collections


def test_a_job_whose_command_died_can_still_be_canceled(world):
    job = world.job()
    Job.objects.update(inline=True)
    tasks.prepare(job.pk)
    claim.claim(job, lease.terms())
    lose_wake_ups()
    assert scheduled(job) == {}
    services.job_cancel(job=Job.objects.get(), user=None, drop=False)
    JobSlice.objects.update(lease_until=Now())
    scheduler.schedule_all()
    assert Job.objects.get().status == Status.CANCELED


def test_an_action_that_failed_is_not_started_again_automatically(world, work_off):
    job = world.job()
    work_off()
    JobStep.objects.create(job=job, collection=job.collections.get(), kind="load", state=StepState.FAILED)
    assert scheduled(job) == {}
