"""Retention: old logs, rejected rows and jobs are deleted, each after its own number of days."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from migrations_app.models import Job, JobCollection, JobSlice, LogEntry, RejectedRow
from migrations_app.models.status import Status
from migrations_app.worker.retention import prune

pytestmark = [pytest.mark.database, pytest.mark.django_db]


def job_ended(days_ago: float | None) -> Job:
    at = None if days_ago is None else timezone.now() - timedelta(days=days_ago)
    job = Job.objects.create(kind="memory", plan={}, status=Status.SUCCESSFUL, ended_at=at)
    collection = JobCollection.objects.create(job=job, position=0, source="a", plan={})
    part = JobSlice.objects.create(collection=collection, number=0, part_id="0")
    LogEntry.objects.create(job=job, at=timezone.now(), level="info", message="x")
    RejectedRow.objects.create(job=job, slice=part, locator="1", locator_hash="1", code="c", reason="r")
    return job


def test_without_a_setting_everything_stays(settings):
    job_ended(9_000)
    prune()
    assert (Job.objects.count(), LogEntry.objects.count(), RejectedRow.objects.count()) == (1, 1, 1)


def test_logs_and_rejected_rows_are_deleted_each_after_their_own_days(settings):
    settings.VECTORFERRY_KEEP_LOG_DAYS, settings.VECTORFERRY_KEEP_REJECTED_DAYS = 7, 30
    young, middle, old = job_ended(1), job_ended(10), job_ended(40)
    prune()
    assert set(LogEntry.objects.values_list("job", flat=True)) == {young.pk}
    assert set(RejectedRow.objects.values_list("job", flat=True)) == {young.pk, middle.pk}
    assert Job.objects.filter(pk=old.pk).exists()


def test_an_old_job_is_deleted_with_its_log_but_never_before_it_ended(settings):
    settings.VECTORFERRY_KEEP_JOB_DAYS = 5
    running, old = job_ended(None), job_ended(6)
    prune()
    assert list(Job.objects.all()) == [running]
    assert not LogEntry.objects.filter(job=old.pk).exists()
