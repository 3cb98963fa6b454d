"""A job run by the command that made it, without a queue."""

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


def test_it_runs_to_its_end_and_wakes_no_worker(world, job):
    turns = []
    run_inline(job, lambda: turns.append(job.pk))
    assert job.status == Status.SUCCESSFUL
    assert len(world.target.collections["books"].rows) == 100
    assert turns
    assert not OrmQ.objects.exists()


def test_interrupted_and_canceled_it_ends_canceled(world, job):
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


def test_ctrl_c_while_it_waits_leaves_the_job_running_until_it_is_canceled(world, job):
    """A real signal, which Python 3.11 answers by taking a joined thread for ended."""
    # A shell lets what it starts in the background ignore it.
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


def test_workers_go_on_with_it_once_its_process_died(world, job, work_off):
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
