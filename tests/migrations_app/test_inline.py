"""A job run by the command that made it, without a queue."""

import pytest
from django.db import connections
from django_q.models import OrmQ

from migrations_app import services
from migrations_app.inline import run_inline
from migrations_app.models import Job
from migrations_app.states import Status

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
