"""Inline job: the command that created it also runs it, without a queue."""

import signal
import threading

import pytest
from django.db import connections
from django.db.models.functions import Now
from django_q.models import OrmQ

from migrations_app import services
from migrations_app.execution import claim, lease
from migrations_app.models import Job, JobSlice
from migrations_app.models.status import Status
from migrations_app.worker import scheduler, tasks
from migrations_app.worker.inline import run_inline

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def job(world):
    return services.job_create(plan=world.plan(), user=None, secrets=world.settings, inline=True)


def test_an_inline_job_runs_to_its_end_and_wakes_no_worker(world, job):
    turns = []
    run_inline(job, lambda: turns.append(job.pk))
    assert job.status == Status.SUCCESSFUL
    assert len(world.target.collections["books"].rows) == 100
    assert turns
    assert not OrmQ.objects.exists()


def test_an_inline_job_that_is_interrupted_and_canceled_ends_canceled(world, job):
    def interrupt():
        raise KeyboardInterrupt

    world.target.gate.clear()
    with pytest.raises(KeyboardInterrupt):
        run_inline(job, interrupt)
    services.job_cancel(job=Job.objects.get(), user=None, drop=False)
    world.target.gate.set()
    run_inline(job)
    assert job.status == Status.CANCELED
    connections.close_all()


def test_ctrl_c_while_the_command_waits_leaves_the_job_running_until_it_is_canceled(world, job):
    """Uses a real signal: Python 3.11 then treats a thread that is being joined as ended."""
    # A process that a shell starts in the background ignores this signal unless it sets a handler.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    world.target.gate.clear()
    threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        run_inline(job)
    services.job_cancel(job=Job.objects.get(), user=None, drop=False)
    threading.Timer(0.3, world.target.gate.set).start()
    run_inline(job)
    assert job.status == Status.CANCELED
    connections.close_all()


def test_workers_continue_an_inline_job_after_its_process_died(world, job, work_off):
    tasks.prepare(job.pk)
    claimed = claim.claim(Job.objects.get(), lease.terms())
    scheduler.schedule_all()
    assert not OrmQ.objects.exists()
    JobSlice.objects.filter(pk=claimed.pk).update(lease_until=Now())
    scheduler.schedule_all()
    work_off()
    job.refresh_from_db()
    assert job.status == Status.SUCCESSFUL
    assert len(world.target.collections["books"].rows) == 100
