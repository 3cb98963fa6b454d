"""Job status: which changes are allowed, and what a change stores."""

from itertools import product

import pytest
from django.utils import timezone

from migrations_app.models import Job
from migrations_app.models.status import ENDED, MOVES, RUNNING, Status
from migrations_app.services.transitions import move

pytestmark = [pytest.mark.database, pytest.mark.django_db]


@pytest.mark.parametrize(("was", "to"), list(product(Status, Status)))
def test_a_job_changes_its_status_only_as_the_table_allows(was, to):
    job = Job.objects.create(kind="memory", plan={}, status=was)
    assert move(job, to) == (to in MOVES[was])
    assert job.status == (to if to in MOVES[was] else was)


def test_only_one_of_two_concurrent_status_changes_succeeds():
    job = Job.objects.create(kind="memory", plan={})
    same = Job.objects.get(pk=job.pk)
    assert move(job, Status.CANCELED)
    assert not move(same, Status.IN_PROGRESS)
    assert Job.objects.get(pk=job.pk).status == Status.CANCELED


def test_a_status_change_stores_other_values_with_it():
    job = Job.objects.create(kind="memory", plan={}, status=Status.IN_PROGRESS)
    at = timezone.now()
    assert move(job, Status.SUCCESSFUL, ended_at=at)
    assert job.ended_at == at


def test_every_status_is_pending_running_or_ended():
    assert {Status.PENDING} | RUNNING | ENDED == set(Status)
    assert not RUNNING & ENDED


@pytest.mark.parametrize("status", Status)
def test_a_job_that_can_be_canceled_may_become_canceling_or_canceled(status):
    job = Job(kind="memory", plan={}, status=status)
    assert not job.can_cancel or MOVES[status] & {Status.CANCELING, Status.CANCELED}
    assert job.is_ended == (status in ENDED)


def test_a_recorded_failure_stops_a_job_in_progress():
    assert Job(status=Status.IN_PROGRESS, error_code="target_failed").is_stopping
    assert Job(status=Status.CANCELING).is_stopping
    assert not Job(status=Status.IN_PROGRESS).is_stopping
    assert not Job(status=Status.FAILED, error_code="target_failed").is_stopping
