"""Move stage: a slice between its claim and its release, with checkpoints, leases, stops and failures."""

import threading
import time

import pytest
from django.db import connections
from django.db.models import F
from django.db.models.functions import Now
from django_q.models import OrmQ

from migrations_app import queue, services
from migrations_app.engine.errors import SourceUnavailable
from migrations_app.engine.pacing.retry_policy import RetryPolicy
from migrations_app.execution import claim, heartbeat, lease
from migrations_app.models import Job, JobSlice, LogEntry, RateSample, RejectedRow, SliceState
from migrations_app.models.status import Status
from migrations_app.reporting.report import job_report, job_totals
from migrations_app.stages.move import rows_wanted, run
from migrations_app.worker import tasks
from tests.kit import Mishap
from tests.migrations_app.conftest import PagedSource, books, the_slice

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


# ---------------------------------------------------------------- checkpoints


def test_a_finished_slice_has_its_counters_and_no_lease(ready):
    job = ready()
    tasks.work(job.pk)
    done = the_slice()
    assert (done.state, done.rows_read, done.rows_written) == (SliceState.DONE, 100, 100)
    assert (done.lease_until, done.rows_in_flight, done.cursor) == (None, 0, 100)
    assert done.first_read_at <= done.last_ack_at
    assert sum(sample.rows for sample in RateSample.objects.filter(job=job)) == 100


def test_a_slice_whose_time_is_over_is_released_and_continues_at_its_checkpoint(
    world, ready, pages_of_ten, settings
):
    settings.VECTORFERRY_SLICE_SECONDS = 0
    job = ready()
    tasks.work(job.pk)
    paused = the_slice()
    assert (paused.state, paused.lease_until) == (SliceState.WAITING, None)
    assert paused.rows_read == paused.cursor == 10
    assert queue.waiting() == {(queue.Task.WORK, job.pk): 1}
    for _ in range(9):
        tasks.work(job.pk)
    assert world.target.collections["books"].sent == 100
    tasks.work(job.pk)
    assert the_slice().state == SliceState.DONE


def test_the_heartbeat_stores_the_accepted_rows_while_others_still_move(world, ready, pages_of_ten):
    job = ready()
    seen, blocked = [], threading.Event()

    def slow(number):
        if number == 4:
            for _ in range(100):
                seen.append(the_slice().rows_written)
                if seen[-1]:
                    break
                blocked.wait(0.1)
            connections.close_all()

    world.target.on_request = slow
    tasks.work(job.pk)
    assert seen[-1] >= 10
    assert the_slice().rows_written == 100


def test_a_rejected_row_is_stored_once_even_if_its_batch_is_read_again(world, ready, pages_of_ten):
    world.target.refuse = lambda row: "Never." if row["id"] == 42 else ""
    job = ready()
    tasks.work(job.pk)
    # As if a worker had died between the target's answer and the checkpoint.
    JobSlice.objects.update(
        state=SliceState.WAITING, cursor=30, rows_read=30, rows_written=30, rows_rejected=0
    )
    tasks.work(job.pk)
    assert RejectedRow.objects.get().locator == "42"
    assert the_slice().rows_rejected == 1


def test_a_slice_that_cannot_be_resumed_starts_over_with_empty_counters(world, ready, pages_of_ten):
    world.source.collections["books"].resumable = False
    world.target.refuse = lambda row: "Never." if row["id"] == 2 else ""
    job = ready()
    tasks.work(job.pk)
    JobSlice.objects.update(state=SliceState.WAITING)
    world.target.refuse = lambda row: ""
    tasks.work(job.pk)
    assert (the_slice().rows_read, the_slice().rows_written) == (100, 100)
    assert not RejectedRow.objects.exists()


def test_a_slice_that_starts_over_does_not_count_its_rejected_rows_twice(world, ready, pages_of_ten):
    world.source.collections["books"].resumable = False
    world.target.refuse = lambda row: "Never." if row["id"] < 6 else ""
    job = ready(max_rejected=10)
    tasks.work(job.pk)
    JobSlice.objects.update(state=SliceState.WAITING)
    tasks.work(job.pk)
    job.refresh_from_db()
    assert (the_slice().rows_read, the_slice().rows_rejected, job.error_code) == (100, 6, "")


def test_a_slice_whose_cursor_is_lost_starts_over_with_empty_counters(world, ready, pages_of_ten):
    world.target.refuse = lambda row: "Never." if row["id"] < 6 else ""
    job = ready(max_rejected=8)
    tasks.work(job.pk)
    JobSlice.objects.update(state=SliceState.WAITING, cursor=30, rows_read=30, rows_written=24)
    world.source.collections["books"].lost_after.append(30)
    world.target.refuse = lambda row: "Never." if 4 <= row["id"] < 11 else ""
    tasks.work(job.pk)
    job.refresh_from_db()
    assert (the_slice().rows_read, the_slice().rows_written, job.error_code) == (100, 93, "")
    assert sorted(int(row.locator) for row in RejectedRow.objects.all()) == list(range(4, 11))


# ---------------------------------------------------------------- leases


def test_a_worker_that_lost_its_lease_stops_sending_and_stores_nothing(world, ready, pages_of_ten):
    job = ready()

    def on_request(number):
        if number == 2:
            # Another worker takes over the slice, and no request is answered from now on.
            world.target.gate.clear()
            JobSlice.objects.update(lease_until=lease.after(60), fence=F("fence") + 1)
            connections.close_all()

    world.target.on_request = on_request
    tasks.work(job.pk)
    after = the_slice()
    assert after.state == SliceState.RUNNING
    assert after.rows_written <= 10
    assert world.target.requests < 10
    assert "took over this slice" in job.log.last().message


def test_a_worker_that_lost_its_lease_before_moving_changes_nothing(world, ready):
    job = ready()
    terms = lease.terms()
    claimed = claim.claim(job, terms)
    JobSlice.objects.update(fence=F("fence") + 1)
    run(job, claimed, terms, time.monotonic())
    assert the_slice().rows_written == 0
    assert the_slice().state == SliceState.RUNNING
    assert "took over this slice" in job.log.last().message


def test_an_error_in_a_worker_that_lost_its_lease_does_not_fail_the_job(world, ready):
    job = ready()
    terms = lease.terms()
    late_slice = claim.claim(job, terms)
    JobSlice.objects.update(lease_until=Now())
    assert claim.claim(job, terms) is not None
    world.source.password = "changed meanwhile"
    run(job, late_slice, terms, time.monotonic())
    job.refresh_from_db()
    assert job.error is None
    assert "took over this slice" in job.log.last().message


def test_a_late_worker_cannot_renew_its_lease_after_the_job_ended(ready):
    job = ready()
    terms = lease.terms()
    late_slice = claim.claim(job, terms)
    JobSlice.objects.update(lease_until=Now())
    services.job_cancel(job=job, user=None, drop=False)
    assert job.status == Status.CANCELED
    assert not lease.renew(late_slice, terms)
    assert the_slice().lease_until is None


def test_a_slice_of_a_dead_worker_is_claimed_when_its_lease_expires(world, ready):
    job = ready()
    assert claim.claim(job, lease.Terms(1000, 300)) is not None
    assert claim.claim(job, lease.terms()) is None
    JobSlice.objects.update(lease_until=Now())
    tasks.work(job.pk)
    assert the_slice().state == SliceState.DONE
    # The target's statistics may count a key twice now, so they are not trusted.
    assert the_slice().repeated


def test_a_slice_is_claimed_only_once_by_concurrent_workers(world, ready):
    job = ready()
    barrier, claimed = threading.Barrier(4), []

    def ask():
        barrier.wait()
        if found := claim.claim(job, lease.terms()):
            claimed.append(found)
        connections.close_all()

    workers = [threading.Thread(target=ask) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(claimed) == 1


def test_no_slice_of_a_stopping_job_is_claimed(ready):
    job = ready()
    Job.objects.update(error_code="target_failed")
    assert claim.claim(job, lease.terms()) is None


# ---------------------------------------------------------------- stops


def test_a_cancel_stops_a_busy_worker(world, ready, pages_of_ten):
    job = ready()
    world.target.gate.clear()
    worker = threading.Thread(target=lambda: (tasks.work(job.pk), connections.close_all()))
    worker.start()
    while not JobSlice.objects.leased().exists():
        pass
    services.job_cancel(job=job, user=None, drop=False)
    assert Job.objects.get().status == Status.CANCELING
    worker.join(10)
    assert not worker.is_alive()
    job.refresh_from_db()
    assert job.status == Status.CANCELED
    assert the_slice().rows_written == 0
    assert the_slice().state == SliceState.WAITING


def test_a_draining_worker_stores_its_checkpoint_and_releases_the_slice(
    world, ready, pages_of_ten, monkeypatch
):
    monkeypatch.setattr(heartbeat.drain, "is_requested", False)
    job = ready()
    pause = threading.Event()

    def on_request(number):
        heartbeat.drain.request()
        pause.wait(0.5)

    world.target.on_request = on_request
    tasks.work(job.pk)
    drained = the_slice()
    assert (drained.state, drained.lease_until) == (SliceState.WAITING, None)
    assert 0 < drained.rows_written < 100
    assert queue.waiting() == {(queue.Task.WORK, job.pk): 1}
    heartbeat.drain.is_requested = False
    world.target.on_request = lambda number: None
    tasks.work(job.pk)
    assert len(world.target.collections["books"].rows) == 100


def test_a_draining_worker_starts_nothing_new(ready, monkeypatch):
    job = ready()
    monkeypatch.setattr(heartbeat.drain, "is_requested", True)
    tasks.work(job.pk)
    assert the_slice().fence == 0
    assert queue.waiting() == {(queue.Task.WORK, job.pk): 1}


# ---------------------------------------------------------------- failures


@pytest.fixture
def no_retries(monkeypatch):
    """The pipeline does not retry: each failure goes to the job at once."""
    monkeypatch.setattr("migrations_app.stages.move.RETRY", RetryPolicy(tries=1))


def test_a_slice_with_a_temporary_failure_is_tried_again_later(
    world, ready, no_retries, pages_of_ten, work_off
):
    world.source.collections["books"].breaks[:] = [20, 50]
    job = ready()
    tasks.work(job.pk)
    broken = the_slice()
    assert (broken.state, broken.rows_written, broken.attempts) == (SliceState.WAITING, 20, 1)
    assert broken.not_before > broken.last_ack_at
    assert claim.claim(job, lease.terms()) is None
    JobSlice.objects.update(not_before=None)
    tasks.work(job.pk)
    assert (the_slice().rows_written, the_slice().attempts) == (50, 1)
    JobSlice.objects.update(not_before=None)
    tasks.work(job.pk)
    assert the_slice().rows_written == 100


def test_a_failure_that_persists_fails_the_job(world, ready, no_retries):
    def away(row):
        raise SourceUnavailable("The source is away.")

    world.source.before_page = away
    job = ready()
    for _ in range(lease.MAX_ATTEMPTS):
        JobSlice.objects.update(not_before=None)
        tasks.work(job.pk)
    job.refresh_from_db()
    assert (job.status, job.error_code) == (Status.FAILED, "source_unavailable")
    assert job.error_message == "books: The source is away."


def test_a_stalled_slice_fails_its_job(world, ready, settings):
    settings.VECTORFERRY_STALL_SECONDS = 1
    world.target.gate.clear()
    job = ready()
    tasks.work(job.pk)
    job.refresh_from_db()
    assert (job.status, job.error_code) == (Status.FAILED, "stalled")


# ---------------------------------------------------------------- Auto ID


AUTO_ID = {"source": "books", "key": "auto"}


def test_an_auto_id_slice_that_ended_normally_is_clean(world, ready):
    job = ready(AUTO_ID)
    tasks.work(job.pk)
    assert not the_slice().unclean
    assert world.target.collections["books"].sent == 100


def test_an_auto_id_slice_that_was_released_normally_continues(world, ready, pages_of_ten, settings):
    settings.VECTORFERRY_SLICE_SECONDS = 0
    job = ready(AUTO_ID)
    for _ in range(11):
        tasks.work(job.pk)
    assert the_slice().state == SliceState.DONE
    assert world.target.collections["books"].sent == 100


def test_an_auto_id_slice_of_a_dead_worker_fails_the_job_and_sends_nothing_again(world, ready):
    job = ready(AUTO_ID)
    claimed = claim.claim(job, lease.terms())
    assert claimed.unclean
    JobSlice.objects.update(lease_until=Now())
    tasks.work(job.pk)
    job.refresh_from_db()
    assert (job.status, job.error_code) == (Status.FAILED, "auto_id_unclean_stop")
    assert list(job.log.filter(message=job.error_message).values_list("level", flat=True)) == [
        LogEntry.Level.ERROR
    ]
    assert world.target.collections["books"].sent == 0


def test_no_slice_of_a_job_with_an_unclean_slice_is_claimed(world, ready):
    world.source.collections["more"] = books(3)
    job = ready(AUTO_ID, {"source": "more"})
    claim.claim(job, lease.terms())
    JobSlice.objects.update(lease_until=Now())
    assert claim.claim(job, lease.terms()) is None
    assert set(JobSlice.objects.values_list("fence", flat=True)) == {0, 1}


def test_an_auto_id_request_with_an_unknown_outcome_fails_the_job(world, ready, pages_of_ten):
    world.target.mishaps += [Mishap.LOST_BUT_LANDED]
    job = ready(AUTO_ID)
    tasks.work(job.pk)
    job.refresh_from_db()
    assert (job.status, job.error_code) == (Status.FAILED, "auto_id_unclean_stop")


# ---------------------------------------------------------------- one writer at a time


def test_a_single_writer_target_is_written_by_one_job_at_a_time(world, ready, work_off):
    from dataclasses import replace

    world.target.capabilities = replace(world.target.capabilities, single_writer=True)
    first, second = (ready({"source": "books", "target": name}) for name in ("a", "b"))
    assert claim.claim(first, lease.terms()) is not None
    tasks.work(second.pk)
    tasks.work(second.pk)
    assert the_slice(second).state == SliceState.WAITING
    wait_lines = second.log.filter(message__startswith="Waiting for the target")
    assert wait_lines.count() == 1
    assert first.public_id in wait_lines.get().message
    JobSlice.objects.filter(collection__job=first).update(lease_until=Now())
    OrmQ.objects.all().delete()
    tasks.work(first.pk)
    assert queue.waiting()[queue.Task.WORK, second.pk] == 1
    work_off()
    assert {job.status for job in Job.objects.all()} == {Status.SUCCESSFUL}


def test_two_jobs_into_a_target_with_many_writers_do_not_wait(ready):
    for name in ("a", "b"):
        job = ready({"source": "books", "target": name})
        assert claim.claim(job, lease.terms()) is not None


def test_a_page_of_the_test_source_is_smaller_than_its_collection(world, pages_of_ten):
    assert PagedSource.batch_bytes < books(100).rows.nbytes


# ---------------------------------------------------------------- only the first rows


@pytest.fixture
def four_slices(monkeypatch):
    monkeypatch.setattr("migrations_app.stages.prepare.slices_wanted", lambda *_: 4)


@pytest.mark.parametrize("limit", [10, 25, 30, 99, 1000])
def test_a_row_limit_takes_the_rows_of_the_first_slices(world, four_slices, work_off, limit):
    job = world.job(limit_rows=limit)
    work_off()
    job.refresh_from_db()
    assert job.status == Status.SUCCESSFUL, job.error
    most = min(limit, 100)
    assert sorted(world.target.collections["books"].rows) == list(range(most))
    row = job.collections.with_counters().get()
    assert (row.rows_source, row.rows_read, row.rows_target, row.verified) == (100, most, most, True)
    assert row.checks[0]["message"] == (
        f"{most} rows read; the source had 100, and the plan asks for the first {limit:,}."
    )
    assert job_totals(job).rows_total == most
    assert job_report(job)["collections"][0]["limit_rows"] == limit


def test_with_a_row_limit_a_slice_waits_for_the_slices_before_it(ready, four_slices):
    job = ready(limit_rows=60)
    first = claim.claim(job, lease.terms())
    assert first.number == 0
    assert claim.claim(job, lease.terms()) is None
    # The first slice is released for a while: the next one still waits.
    lease.release(first, state=SliceState.WAITING, not_before=lease.after(60))
    assert claim.claim(job, lease.terms()) is None
    JobSlice.objects.filter(pk=first.pk).update(state=SliceState.DONE, rows_read=25)
    second = claim.claim(job, lease.terms())
    assert (second.number, rows_wanted(second)) == (1, 35)


def test_a_row_limit_takes_the_first_rows_even_after_a_slice_was_released(
    ready, world, pages_of_ten, settings
):
    settings.VECTORFERRY_SLICE_SECONDS = 0
    job = ready(limit_rows=25)
    for _ in range(4):
        tasks.work(job.pk)
    assert sorted(world.target.collections["books"].rows) == list(range(25))
    assert services.job_is_moved(job=job)


def test_a_plan_may_limit_the_rows_read_per_second(world, ready):
    job = ready(source_rows_per_second=500)
    assert job.log.filter(message="books: 100 rows; at most 500 are read per second.").exists()
    started = time.monotonic()
    tasks.work(job.pk)
    assert time.monotonic() - started >= 100 / 500
    assert the_slice().rows_written == 100
