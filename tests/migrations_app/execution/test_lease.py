"""Leases: taken, renewed, released, taken over, and how often."""

from datetime import timedelta

import pytest
from django.db.models import Q
from django.db.models.functions import Now

from migrations_app.execution import lease
from migrations_app.models import Job
from migrations_app.models.status import Status

pytestmark = [pytest.mark.database, pytest.mark.django_db]
TERMS = lease.Terms(lease_seconds=30, interval_seconds=2)


@pytest.fixture
def job():
    return Job.objects.create(kind="memory", plan={})


def expire(row):
    """Let the lease of ``row`` expire without its holder noticing."""
    type(row).objects.filter(pk=row.pk).update(lease_until=Now() - timedelta(seconds=1))


def test_only_one_lease_is_held_at_a_time(job):
    other = Job.objects.get(pk=job.pk)
    assert lease.take(job, TERMS)
    assert not lease.take(other, TERMS)
    assert Job.objects.leased().get() == job


def test_a_released_lease_can_be_taken_again(job):
    lease.take(job, TERMS)
    assert lease.release(job, description="done")
    again = Job.objects.get()
    assert again.description == "done"
    assert lease.take(again, TERMS)


def test_an_expired_lease_is_taken_over_and_its_late_holder_changes_nothing(job):
    lease.take(job, TERMS)
    expire(job)
    other = Job.objects.get(pk=job.pk)
    assert lease.take(other, TERMS)
    assert not lease.renew(job, TERMS, description="late")
    assert not lease.release(job, description="late")
    assert Job.objects.get().description == ""
    assert lease.renew(other, TERMS, description="in time")


def test_a_late_renewal_succeeds_if_the_lease_was_not_taken_over(job):
    lease.take(job, TERMS)
    expire(job)
    assert lease.renew(job, TERMS)
    assert Job.objects.leased().exists()


def test_a_lease_is_taken_or_renewed_only_if_its_condition_holds(job):
    assert not lease.take(job, TERMS, Q(status=Status.IN_PROGRESS))
    assert lease.take(job, TERMS, Q(status=Status.PENDING))
    assert not lease.renew(job, TERMS, Q(status=Status.IN_PROGRESS))
    assert lease.renew(job, TERMS)


def test_a_job_that_waits_for_another_try_is_not_taken_before_its_time(job):
    Job.objects.update(not_before=lease.after(60))
    assert not lease.take(job, TERMS)
    Job.objects.update(not_before=lease.after(-1))
    assert lease.take(job, TERMS)


@pytest.mark.parametrize(
    ("running", "lease_seconds", "interval_seconds"),
    [
        (1, 30, 2),
        (50, 30, 2),
        (100, 30, 4),
        (250, 30, 10),
        (500, 60, 20),
        (1000, 120, 40),
    ],
)
def test_the_more_slices_run_the_less_often_each_is_renewed(running, lease_seconds, interval_seconds):
    terms = lease.terms_for(running, 30)
    assert (terms.lease_seconds, terms.interval_seconds) == (lease_seconds, interval_seconds)
    assert running / terms.interval_seconds <= lease.BEATS_A_SECOND


@pytest.mark.parametrize("lease_seconds", [2, 3, 30, 3600])
@pytest.mark.parametrize("running", [0, 1, 60, 249, 251, 5000])
def test_a_lease_is_renewed_three_times_before_it_expires(running, lease_seconds):
    terms = lease.terms_for(running, lease_seconds)
    assert terms.interval_seconds * 3 <= terms.lease_seconds + 1e-9
    assert terms.request_timeout_seconds <= terms.lease_seconds / 2


def test_waits_between_tries_grow_up_to_a_limit():
    waits = [lease.retry_seconds(attempts) for attempts in range(1, 9)]
    assert waits == sorted(waits)
    assert waits[0] == lease.FIRST_RETRY_SECONDS
    assert waits[-1] == lease.LONGEST_RETRY_SECONDS
