"""Job report: totals, rate, rate curve, and the JSON report."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from migrations_app.models import Job, JobCollection, JobSlice, RateSample
from migrations_app.models.status import Stage, Status
from migrations_app.reporting.report import job_rate, job_report, job_totals, rate_curve, totals

pytestmark = [pytest.mark.database, pytest.mark.django_db]


@pytest.fixture
def job():
    begin = timezone.now() - timedelta(seconds=100)
    created = Job.objects.create(
        kind="memory",
        plan={"version": 1, "collections": [{"source": "a"}, {"source": "b"}]},
        status=Status.IN_PROGRESS,
        stage=Stage.MOVING,
        started_at=begin,
        stage_started_at=begin,
    )
    for position, name in enumerate("ab"):
        collection = JobCollection.objects.create(
            job=created, position=position, source=name, target=name, plan={"source": name}, rows_source=1_000
        )
        JobSlice.objects.create(
            collection=collection, number=0, part_id="0", rows_read=300, rows_written=250, rows_skipped=30,
            rows_rejected=15, rows_collapsed=5,
        )  # fmt: skip
    return created


def test_rows_done_include_skipped_rejected_and_collapsed_rows(job):
    numbers = job_totals(job)
    assert (numbers.rows_total, numbers.rows_read, numbers.rows_done) == (2_000, 600, 600)


def test_the_total_is_unknown_until_every_collection_was_counted(job):
    job.collections.filter(position=1).update(rows_source=None)
    assert job_totals(job).rows_total is None


def test_totals_of_many_jobs_take_two_statements(job, django_assert_num_queries):
    with django_assert_num_queries(2):
        totals([job, job])


def test_time_left_follows_the_recent_rate(job):
    now = timezone.now()
    for seconds in range(0, 100, 5):
        RateSample.objects.create(job=job, at=now - timedelta(seconds=seconds), rows=50, size_bytes=0)
    speed = job_rate(job, job_totals(job))
    assert speed.rate_now == pytest.approx(10, rel=0.5)
    assert speed.seconds_left == pytest.approx(140, rel=0.5)


def test_the_first_samples_of_several_slices_count_from_the_start_of_the_move(job):
    """They come at nearly the same time."""
    now = timezone.now()
    Job.objects.filter(pk=job.pk).update(stage_started_at=now - timedelta(seconds=2.5))
    job.refresh_from_db()
    for number in range(8):
        at = now - timedelta(seconds=0.5 - number / 100)
        RateSample.objects.create(job=job, at=at, rows=100, size_bytes=0)
    assert job_rate(job, job_totals(job)).rate_now == pytest.approx(800 / 2.5, rel=0.2)


def test_the_curve_includes_every_row_after_the_first_heartbeat(job):
    now = timezone.now()
    for seconds in range(100):
        RateSample.objects.create(job=job, at=now + timedelta(seconds=seconds), rows=7, size_bytes=0)
    curve = rate_curve(job)
    assert len(curve) <= 61
    assert {round(rate, 3) for _, rate in curve} == {7.0}


def test_a_short_interval_at_the_end_is_merged_into_the_last_point(job):
    now = timezone.now()
    for seconds, rows in ((0, 0), (10, 100), (20, 100), (20.05, 50)):
        RateSample.objects.create(job=job, at=now + timedelta(seconds=seconds), rows=rows, size_bytes=0)
    assert [round(rate) for _, rate in rate_curve(job)] == [10, 15]


def test_the_report_has_null_for_unknown_values(job):
    report = job_report(job)
    assert report["status"] == "In Progress"
    assert report["seconds"] == dict.fromkeys(["preparing", "moving", "verifying", "indexing", "loading"])
    assert report["error"] is None
    assert report["collections"][0] == {
        "source": "a",
        "target": "a",
        "rows_source": 1_000,
        "limit_rows": None,
        "rows_read": 300,
        "rows_written": 250,
        "rows_rejected": 15,
        "rows_skipped": 30,
        "rows_collapsed": 5,
        "values_cut": 0,
        "values_mismatched": 0,
        "duplicate_keys": None,
        "rows_target": None,
        "verified": None,
        "checks": [],
    }
