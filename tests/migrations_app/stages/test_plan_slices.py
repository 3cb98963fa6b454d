"""Plan slices stage: how many slices, stored as they come, and several of them moved at the same time."""

import time
from dataclasses import replace
from types import SimpleNamespace

import pyarrow as pa
import pytest
from django.db import connections
from django.db.models import F
from django.db.models.functions import Now
from django_q.models import OrmQ

from migrations_app import queue, services
from migrations_app.engine.errors import BoundsLost, SourceUnavailable
from migrations_app.engine.model.batch import Slice
from migrations_app.execution import claim, lease
from migrations_app.models import Job, JobSlice, StepKind, Worker
from migrations_app.models.status import Stage, Status
from migrations_app.queue import Task
from migrations_app.reporting.report import written_by
from migrations_app.stages import plan_slices as stage
from migrations_app.stages.plan_slices import slices_wanted
from migrations_app.stages.shared_limits import SharedLimits
from migrations_app.worker import scheduler, tasks
from tests.kit import MemorySource, memory_collection
from tests.migrations_app.conftest import SPECS, PagedSource, books

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def four_slices(monkeypatch):
    monkeypatch.setattr("migrations_app.stages.prepare.slices_wanted", lambda *_: 4)


# ---------------------------------------------------------------- how many


@pytest.fixture
def workers():
    Worker.objects.create(host="here", pid=1, slots=8, last_seen=Now())


def row(**changes):
    job = SimpleNamespace(inline=False, single_writer=False, kind="memory")
    facts = {"job": job, "one_slice_at_a_time": False, "limit_rows": None}
    return SimpleNamespace(**facts | changes)


GIB = 2**30


@pytest.mark.parametrize(
    ("rows", "size_bytes", "wanted"),
    [
        (0, 0, 1),
        (49_999, None, 1),
        (60_000, None, 2),  # not more than are worth it
        (None, None, 8),
        (3_000_000, None, 8),
        (20_000_000, GIB, 20),
        (3_000_000, 90 * GIB, 90),
        (1_000, 3 * GIB, 3),
        (9_000_000_000, None, 2_000),
    ],
)
def test_there_is_a_slice_for_each_worker_each_million_rows_and_each_gib(
    memory_kinds, workers, rows, size_bytes, wanted
):
    assert slices_wanted(row(), rows, size_bytes) == wanted


def test_workers_count_only_if_they_can_move_slices_at_the_same_time(memory_kinds, workers, monkeypatch):
    in_one_process = SimpleNamespace(inline=True, single_writer=False, kind="memory")
    one_writer = SimpleNamespace(inline=False, single_writer=True, kind="memory")
    for one in (row(one_slice_at_a_time=True), row(job=in_one_process), row(job=one_writer)):
        assert slices_wanted(one, 3_000_000, None) == 3
        assert slices_wanted(one, 500_000, None) == 1
    monkeypatch.setattr(PagedSource, "most_readers", 2)
    assert slices_wanted(row(), 500_000, None) == 2


def test_of_a_limited_collection_only_the_rows_that_are_moved_count(memory_kinds, workers):
    limited = row(limit_rows=2_000_000, one_slice_at_a_time=True)
    assert slices_wanted(limited, 1_000_000_000, 1_000 * GIB) == 2
    assert slices_wanted(limited, None, None) == 2


# ---------------------------------------------------------------- stored as they come


def test_slices_are_stored_as_they_come_and_none_is_claimed_before_the_last(world, monkeypatch):
    """A planning that breaks off starts over; the slices of the first one are gone."""
    monkeypatch.setattr(stage, "STORED_AT_ONCE", 2)
    seen = []

    def slow(self, ref, wanted, ctx):
        for number in range(5):
            seen.append(JobSlice.objects.count())
            if number == 4 and len(seen) == 5:
                assert claim.claim(Job.objects.get(), lease.terms()) is None
                raise SourceUnavailable("The server went away.")
            yield Slice(f"{len(seen)}", [20 * number, 20 * number + 20], 20)

    monkeypatch.setattr(MemorySource, "slices", slow)
    job = world.job()
    tasks.prepare(job.pk)
    assert seen == [0, 0, 2, 2, 4]
    job.refresh_from_db()
    assert (job.stage, job.error_code, job.attempts) == (Stage.PREPARING, "", 1)
    Job.objects.update(not_before=None)
    tasks.prepare(job.pk)
    assert seen[5:] == [0, 0, 2, 2, 4]
    assert [part.number for part in JobSlice.objects.order_by("number")] == [0, 1, 2, 3, 4]
    assert len(set(JobSlice.objects.values_list("part_id", flat=True))) == 5
    assert claim.claim(Job.objects.get(), lease.terms()).number == 0


def test_a_planning_that_lost_its_lease_stores_nothing(world, monkeypatch):
    def overtaken(self, ref, wanted, ctx):
        yield Slice("1", [0, 100], 100)
        Job.objects.update(fence=F("fence") + 1)

    monkeypatch.setattr(MemorySource, "slices", overtaken)
    job = world.job()
    tasks.prepare(job.pk)
    assert not JobSlice.objects.exists()
    assert not job.steps.done(StepKind.PLAN_SLICES).exists()


def test_a_cancel_ends_a_planning(world, monkeypatch, settings):
    settings.VECTORFERRY_LEASE_SECONDS = 1
    asked = []

    def endless(self, ref, wanted, ctx):
        asked.append(wanted)
        services.job_cancel(job=Job.objects.get(), user=None, drop=False)
        ctx.stop.wait(20)
        yield Slice("1", [0, 100], 100)

    monkeypatch.setattr(MemorySource, "slices", endless)
    job = world.job()
    tasks.prepare(job.pk)
    job.refresh_from_db()
    assert (asked, job.status) == ([1], Status.CANCELED)
    assert not JobSlice.objects.exists()


# ---------------------------------------------------------------- several at the same time


def claimed(job):
    """Claim slices as long as there are any, and return their numbers."""
    taken = []
    while (found := claim.claim(job, lease.terms())) is not None:
        taken.append(found.number)
    return taken


def woken(job):
    return scheduler.due(job)[Task.WORK]


def test_several_slices_of_a_collection_are_moved_at_the_same_time(ready, four_slices, workers):
    job = ready()
    assert woken(job) == 4
    assert claimed(job) == [0, 1, 2, 3]


def test_a_source_is_read_by_at_most_as_many_workers_as_it_allows(ready, four_slices, workers, monkeypatch):
    monkeypatch.setattr(PagedSource, "most_readers", 3)
    job = ready()
    assert woken(job) == 3
    assert claimed(job) == [0, 1, 2]
    assert woken(job) == 0
    lease.release(JobSlice.objects.get(number=1))
    assert woken(job) == 1
    assert claimed(job) == [1]


def test_a_target_with_a_single_writer_gets_one_slice_at_a_time(world, ready, four_slices, workers):
    world.target.capabilities = replace(world.target.capabilities, single_writer=True)
    job = ready()
    assert woken(job) == 1
    assert claimed(job) == [0]
    assert woken(job) == 0


@pytest.mark.parametrize(("keys", "at_once"), [(range(100), 4), ([0, 0, *range(98)], 1)])
def test_rows_with_equal_keys_are_sent_one_slice_after_another(
    world, ready, four_slices, workers, keys, at_once
):
    """Otherwise it would depend on the timing of the workers which of them stays."""
    rows = books(100).rows.set_column(0, "id", pa.array(keys, pa.int64()))
    world.source.collections["books"] = memory_collection(rows, SPECS)
    job = ready({"source": "books", "key": "id"})
    assert job.collections.get().duplicate_keys == 100 - len(set(keys))
    assert len(claimed(job)) == at_once


def test_the_running_slices_of_a_job_share_its_allowance_of_rejected_rows(
    world, ready, four_slices, pages_of_ten, monkeypatch
):
    """While one slice is moved, another one rejects rows: the first one finds out at its next heartbeat."""
    monkeypatch.setattr(lease, "SHORTEST_INTERVAL_SECONDS", 0.1)
    world.source.collections["books"].unreadable = frozenset({1})
    job = ready(max_rejected=3)

    def reject_elsewhere(number):
        if number == 1:
            JobSlice.objects.filter(number=3).update(rows_rejected=3)
        for _ in range(100 if number > 1 else 0):
            if Job.objects.exclude(error_code="").exists():
                break
            time.sleep(0.05)
        connections.close_all()

    world.target.on_request = reject_elsewhere
    tasks.work(job.pk)
    job.refresh_from_db()
    assert job.error_code == "too_many_rejected"
    assert job.error_message == "4 rows could not be moved; the plan allows 3."


def test_the_running_slices_of_a_job_share_its_read_limit_from_their_start(ready, four_slices, workers):
    job = ready(source_rows_per_second=100)
    parts = [claim.claim(job, lease.terms()) for _ in range(4)]
    assert [SharedLimits(job, part).throttle.sharers for part in parts] == [4] * 4


# ---------------------------------------------------------------- bounds that are lost


@pytest.fixture
def rewritten(monkeypatch):
    """The source is rewritten while its second slice is read: none of its slices is valid then."""
    state = SimpleNamespace(times=1, epoch=0)
    plan, read = MemorySource.slices, PagedSource.read

    def slices(self, ref, wanted, ctx):
        for part in plan(self, ref, wanted, ctx):
            yield replace(part, id=f"{part.id} of {state.epoch}", bounds=[*part.bounds, state.epoch])

    def checked(self, ref, part, after, wanted, ctx):
        start, end, epoch = part.bounds
        if start == 25 and state.times > 0:
            state.times, state.epoch = state.times - 1, state.epoch + 1
        if epoch != state.epoch:
            raise BoundsLost("The store was rewritten.")
        yield from read(self, ref, replace(part, bounds=[start, end]), after, wanted, ctx)

    monkeypatch.setattr(PagedSource, "slices", slices)
    monkeypatch.setattr(PagedSource, "read", checked)
    return state


def test_a_collection_whose_bounds_are_lost_is_planned_and_moved_again(
    world, four_slices, rewritten, work_off
):
    world.target.refuse = lambda row: "Never." if row["id"] == 3 else ""
    job = world.job()
    work_off()
    job.refresh_from_db()
    assert job.status == Status.SUCCESSFUL, job.error
    found = job.collections.with_counters().get()
    assert (found.slices_total, found.rows_read, found.rows_written, found.rows_rejected) == (4, 100, 99, 1)
    assert found.verified
    assert job.rejected_rows.count() == 1
    assert world.target.collections["books"].sent == 99 + 24
    assert set(JobSlice.objects.values_list("repeated", flat=True)) == {True}
    assert job.log.filter(message__contains="divided into slices again").count() == 1


def test_a_source_that_is_rewritten_again_and_again_fails_the_job(world, four_slices, rewritten, work_off):
    rewritten.times = 99
    job = world.job()
    work_off()
    job.refresh_from_db()
    assert (job.status, job.error_code) == (Status.FAILED, "bounds_lost")
    assert rewritten.epoch == stage.MOST_PLANNINGS


def test_a_job_that_stops_after_a_new_planning_does_not_say_that_nothing_was_written(
    world, four_slices, rewritten, work_off
):
    job = world.job()
    tasks.prepare(job.pk)
    tasks.work(job.pk)
    tasks.work(job.pk)
    services.job_cancel(job=job, user=None, drop=False)
    work_off()
    job.refresh_from_db()
    assert (job.status, world.target.collections["books"].sent) == (Status.CANCELED, 25)
    assert job.log.order_by("pk").last().message == (
        "Canceled: no rows were written after the source was divided into slices again; rows from before may "
        "be in the target as well."
    )
    assert written_by(job)[0]["is_planned_again"]


@pytest.mark.parametrize("case", [{"limit_rows": 60}, {"key": "auto"}])
def test_rows_are_never_written_twice_because_bounds_were_lost(world, four_slices, rewritten, work_off, case):
    options = {name: value for name, value in case.items() if name == "limit_rows"}
    collection = {"source": "books"} | {name: value for name, value in case.items() if name == "key"}
    job = world.job(collection, **options)
    work_off()
    job.refresh_from_db()
    assert (job.status, job.error_code) == (Status.FAILED, "auto_id_unclean_stop")
    assert world.target.collections["books"].sent == 25
    assert not queue.waiting()
    assert not OrmQ.objects.exists()


@pytest.mark.parametrize("case", [{"limit_rows": 60}, {"key": "auto"}])
def test_nor_because_bounds_were_lost_in_the_middle_of_a_slice(
    world, four_slices, pages_of_ten, work_off, monkeypatch, case
):
    """The rows that the same run wrote before are not stored yet."""
    read = PagedSource.read

    def broken_off(self, ref, part, after, wanted, ctx):
        stream = read(self, ref, part, after, wanted, ctx)
        yield next(stream)
        while world.target.requests == 0:
            time.sleep(0.01)
        raise BoundsLost("The store was rewritten.")

    monkeypatch.setattr(PagedSource, "read", broken_off)
    options = {name: value for name, value in case.items() if name == "limit_rows"}
    collection = {"source": "books"} | {name: value for name, value in case.items() if name == "key"}
    job = world.job(collection, **options)
    work_off()
    job.refresh_from_db()
    assert (job.status, job.error_code) == (Status.FAILED, "auto_id_unclean_stop")
    assert world.target.collections["books"].sent == 10
