"""The end of a job: counts, verdict, indexes, loading; and the same actions afterwards."""

from dataclasses import replace

import pytest
from django_q.models import OrmQ

from migrations_app import queue, services
from migrations_app.engine.errors import TargetError, TargetUnavailable
from migrations_app.engine.targets.base import IndexState, LoadState
from migrations_app.models import ActionState, Job, JobCollection
from migrations_app.models.status import Stage, Status
from migrations_app.reporting.report import job_report
from migrations_app.worker import scheduler, tasks
from tests.kit import MemoryTarget
from tests.migrations_app.conftest import books

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def moved(world):
    """A job whose rows are all in the target, and an empty queue."""

    def moved(*collections, **options):
        job = world.job(*collections, **options)
        tasks.prepare(job.pk)
        for _ in job.collections.all():
            tasks.work(job.pk)
        OrmQ.objects.all().delete()
        job.refresh_from_db()
        assert services.job_is_moved(job=job), job.error
        return job

    return moved


def ended(job):
    job.refresh_from_db()
    return job


def held(world, name="books"):
    return world.target.collections[name]


def test_values_that_were_cut_by_choice_are_counted_and_said(world, moved):
    title = {"source": "title", "max_length": 6, "too_long": "truncate"}
    job = moved({"source": "books", "fields": [{"source": "embedding"}, title]})
    tasks.finish(job.pk)
    assert ended(job).status == Status.SUCCESSFUL
    told = job.log.get(message__contains=" truncated ")
    assert told.message == "books: 90 values truncated to the length of the field, as the plan requests."
    assert job_report(job)["collections"][0]["values_cut"] == 90


# ---------------------------------------------------------------- the count check


def test_rows_that_vanished_from_the_target_fail_the_job_and_nothing_is_dropped(world, moved, work_off):
    job = moved()
    held(world).sent -= 3
    tasks.finish(job.pk)
    assert ended(job).status == Status.FAILED
    assert job.error_code == "verify_mismatch"
    assert "97" in job.error_message
    row = job.collections.get()
    assert (row.verified, row.rows_target) == (False, 97)
    assert "books" in world.target.collections


def test_the_last_line_of_the_run_log_is_what_the_job_came_to(world, moved):
    job = moved()
    tasks.finish(job.pk)
    assert job.log.last().message == "Successful: 100 rows were written."


def test_rows_that_came_to_the_source_meanwhile_explain_a_difference(world, moved):
    job = moved()
    world.source.collections["books"] = books(120)
    tasks.finish(job.pk)
    assert ended(job).status == Status.SUCCESSFUL
    row = job.collections.get()
    assert (row.rows_source, row.rows_source_after, row.verified) == (100, 120, True)


def test_a_key_sent_twice_is_counted_by_asking_the_collection_itself(world, moved):
    job = moved()
    held(world).sent += 10
    job.collections.get().slices.update(repeated=True)
    tasks.finish(job.pk)
    assert ended(job).status == Status.SUCCESSFUL
    assert job.collections.get().rows_target == 100
    # What the count needed for the moment is undone.
    assert not held(world).indexes
    assert not held(world).is_loaded


def test_a_target_that_refuses_to_be_counted_is_successful_but_not_verified(world, moved, monkeypatch):
    def refuses(self, name):
        raise TargetError("No right to count.")

    monkeypatch.setattr(MemoryTarget, "row_statistics", refuses)
    job = moved()
    tasks.finish(job.pk)
    assert ended(job).status == Status.SUCCESSFUL
    row = job.collections.get()
    assert (row.verified, row.rows_target) == (None, None)
    assert "No right to count." in {check["message"] for check in row.checks}


def test_a_plan_may_leave_verification_out(world, moved):
    job = moved(verify="none")
    held(world).sent -= 3
    tasks.finish(job.pk)
    assert ended(job).status == Status.SUCCESSFUL
    row = job.collections.get()
    assert row.verified is None
    assert row.checks[0]["message"] == "The plan requests no verification."


def test_a_target_that_is_away_for_a_while_delays_the_end_only(world, moved, monkeypatch, work_off):
    flush, away = MemoryTarget.flush, iter([TargetUnavailable("Away."), TargetUnavailable("Away.")])

    def at_last(self, name, stop=None):
        if failure := next(away, None):
            raise failure
        flush(self, name, stop)

    monkeypatch.setattr(MemoryTarget, "flush", at_last)
    job = moved()
    tasks.finish(job.pk)
    assert ended(job).status == Status.IN_PROGRESS
    work_off()
    assert ended(job).status == Status.SUCCESSFUL


def test_a_finish_that_died_in_the_middle_is_gone_on_with(world, moved, monkeypatch):
    world.source.collections["more"] = books(5)
    job = moved({"source": "books"}, {"source": "more"})
    count = MemoryTarget.row_statistics

    def dies(self, name):
        if name == "more":
            raise SystemExit
        return count(self, name)

    monkeypatch.setattr(MemoryTarget, "row_statistics", dies)
    with pytest.raises(SystemExit):
        tasks.finish(job.pk)
    counted = JobCollection.objects.get(source="books")
    assert counted.verified
    monkeypatch.setattr(MemoryTarget, "row_statistics", count)
    Job.objects.update(lease_until=None)
    held(world).sent = 0  # what was checked is not checked again
    tasks.finish(job.pk)
    assert ended(job).status == Status.SUCCESSFUL


def test_a_cancel_while_it_is_verified_ends_it_canceled(world, moved, monkeypatch):
    job = moved()
    flush = MemoryTarget.flush

    def canceled(self, name, stop=None):
        services.job_cancel(job=Job.objects.get(), user=None, drop=False)
        stop.wait(10) if stop else None
        flush(self, name, stop)

    monkeypatch.setattr(MemoryTarget, "flush", canceled)
    tasks.finish(job.pk)
    assert ended(job).status == Status.CANCELED


@pytest.fixture
def half_counted(world, moved, monkeypatch):
    """A job whose count has made an index and waits for the load: nobody holds the job between two turns."""
    load_state = MemoryTarget.load_state
    monkeypatch.setattr(MemoryTarget, "load_state", lambda self, name: LoadState("not_loaded"))
    monkeypatch.setattr("migrations_app.stages.verify.TURN_SECONDS", 0.2)
    job = moved()
    job.collections.get().slices.update(repeated=True)
    tasks.finish(job.pk)
    assert held(world).indexes
    assert held(world).is_loaded
    assert not services.job_is_held(job=job)
    OrmQ.objects.all().delete()
    monkeypatch.setattr(MemoryTarget, "load_state", load_state)
    return job


def test_a_cancel_between_two_turns_of_a_count_restores_what_was_found(world, half_counted, work_off):
    services.job_cancel(job=half_counted, user=None, drop=False)
    work_off()
    assert ended(half_counted).status == Status.CANCELED
    assert not held(world).indexes
    assert not held(world).is_loaded


def test_a_job_that_fails_between_two_turns_of_a_count_restores_what_was_found(world, half_counted, work_off):
    services.job_note_failure(job=half_counted, error=TargetError("Something else."))
    scheduler.schedule_all()
    work_off()
    assert ended(half_counted).status == Status.FAILED
    assert half_counted.error_message == "Something else."
    assert not held(world).indexes


def test_a_target_that_cannot_be_restored_keeps_no_job_from_ending(
    world, half_counted, work_off, monkeypatch
):
    def away(self, name):
        raise TargetUnavailable("Away.")

    monkeypatch.setattr(MemoryTarget, "release", away)
    services.job_cancel(job=half_counted, user=None, drop=False)
    work_off()
    assert ended(half_counted).status == Status.CANCELED
    assert half_counted.error is None
    assert half_counted.log.filter(level="warning", message__contains="could not be restored. Away.").exists()


# ---------------------------------------------------------------- indexes and loading by plan


def test_without_being_asked_nothing_is_indexed_or_loaded(world, moved):
    tasks.finish(moved().pk)
    assert not held(world).indexes
    assert not held(world).is_loaded


def test_a_plan_may_ask_for_index_and_load(world, moved, work_off):
    job = moved(create_index=True, load=True)
    tasks.finish(job.pk)
    work_off()
    assert ended(job).status == Status.SUCCESSFUL
    assert held(world).indexes["embedding"].metric == "COSINE"
    assert held(world).is_loaded
    row = job.collections.get()
    assert (row.index_action_state, row.index_percent, row.load_action_state) == (
        ActionState.DONE,
        100,
        ActionState.DONE,
    )
    assert {"indexing", "loading"} <= set(job.seconds)


def test_an_index_is_waited_for_in_turns_with_its_progress_shown(world, moved, monkeypatch):
    indexes, done = MemoryTarget.indexes, iter([0, 40, 100])

    def slow(self, name):
        return tuple(
            IndexState(state.spec, (rows := next(done, 100)), 100, is_finished=rows == 100)
            for state in indexes(self, name)
        )

    monkeypatch.setattr(MemoryTarget, "indexes", slow)
    job = moved(create_index=True)
    percents = []
    for _ in range(5):
        tasks.finish(job.pk)
        percents.append(job.collections.get().index_percent)
    assert percents[:4] == [0, 0, 40, 100]
    assert ended(job).status == Status.SUCCESSFUL


def test_an_index_that_fails_fails_the_job_that_asked_for_it(world, moved, monkeypatch):
    def broken(self, name):
        spec = next(iter(self.store.collections[name].indexes.values()), None)
        return (IndexState(spec, 0, 100, is_finished=False, failed="no memory"),) if spec else ()

    monkeypatch.setattr(MemoryTarget, "indexes", broken)
    job = moved(create_index=True)
    for _ in range(2):
        tasks.finish(job.pk)
    assert ended(job).status == Status.FAILED
    assert (job.stage, job.error_code) == (Stage.INDEXING, "target_failed")
    assert "no memory" in job.error_message


@pytest.mark.parametrize(("what", "stage"), [("index", Stage.INDEXING), ("load", Stage.LOADING)])
def test_an_index_or_a_load_that_never_ends_fails_the_job_and_says_that_the_rows_are_there(
    world, moved, work_off, monkeypatch, settings, what, stage
):
    if what == "index":
        indexes = MemoryTarget.indexes
        monkeypatch.setattr(
            MemoryTarget,
            "indexes",
            lambda self, name: tuple(
                IndexState(state.spec, 40, 100, is_finished=False) for state in indexes(self, name)
            ),
        )
    else:
        monkeypatch.setattr(MemoryTarget, "load_state", lambda self, name: LoadState("loading", 40))
    job = moved(create_index=True, load=True)
    for _ in range(4):
        tasks.finish(job.pk)
    assert ended(job).status == Status.IN_PROGRESS
    settings.VECTORFERRY_STALL_SECONDS = 0
    tasks.finish(job.pk)
    work_off()
    assert ended(job).status == Status.FAILED
    assert (job.stage, job.error_code) == (stage, f"{what}_stalled")
    assert "All rows are in the target." in job.error_hint
    row = job.collections.get()
    assert row.verified is True
    assert getattr(row, f"{what}_action_state") == ActionState.FAILED


def test_an_action_requested_of_a_job_that_failed_wakes_nobody(world, moved):
    job = moved(create_index=True, load=True)
    services.job_note_failure(job=job, error=TargetError("No."))
    services.job_settle(job=job)
    assert ended(job).status == Status.FAILED
    scheduler.schedule_all()
    assert not queue.waiting()


# ---------------------------------------------------------------- actions on a finished job


@pytest.fixture
def finished(moved):
    job = moved()
    tasks.finish(job.pk)
    assert ended(job).status == Status.SUCCESSFUL
    return job


def test_a_finished_job_can_be_indexed_loaded_and_released(world, finished, work_off):
    services.job_index(job=finished, user=None)
    work_off()
    assert list(held(world).indexes) == ["embedding"]
    services.job_load(job=finished, user=None)
    work_off()
    assert held(world).is_loaded
    services.job_release(job=finished, user=None)
    work_off()
    assert not held(world).is_loaded
    row = finished.collections.get()
    assert (row.load_action, row.load_action_state) == ("release", ActionState.DONE)
    assert ended(finished).status == Status.SUCCESSFUL


def test_a_load_is_waited_for_in_turns_with_its_progress_shown(world, finished, work_off, monkeypatch):
    states = iter([LoadState("loading", 10), LoadState("loading", 60)])
    state = MemoryTarget.load_state
    monkeypatch.setattr(
        MemoryTarget, "load_state", lambda self, name: next(states, None) or state(self, name)
    )
    services.job_index(job=finished, user=None)
    services.job_load(job=finished, user=None)
    OrmQ.objects.all().delete()
    percents = []
    for _ in range(4):
        tasks.post_migration(finished.pk)
        percents.append(finished.collections.get().load_percent)
    assert percents[-3:] == [10, 60, 100]


def test_a_load_on_a_finished_job_that_never_ends_is_given_up(
    world, finished, work_off, monkeypatch, settings
):
    services.job_index(job=finished, user=None)
    work_off()
    settings.VECTORFERRY_STALL_SECONDS = 0
    load_state = MemoryTarget.load_state
    monkeypatch.setattr(MemoryTarget, "load_state", lambda self, name: LoadState("loading", 40))
    services.job_load(job=finished, user=None)
    work_off()
    row = finished.collections.get()
    assert row.load_action_state == ActionState.FAILED
    assert "made no progress for 0 seconds" in row.load_error
    assert ended(finished).status == Status.SUCCESSFUL
    monkeypatch.setattr(MemoryTarget, "load_state", load_state)
    services.job_load(job=finished, user=None)  # asked for again, it has its whole time again
    work_off()
    assert finished.collections.get().load_action_state == ActionState.DONE


def test_a_load_that_broke_off_is_asked_for_again(world, finished, work_off, monkeypatch):
    services.job_index(job=finished, user=None)
    work_off()
    load, calls = MemoryTarget.load, []

    def fails_at_first(self, name):
        calls.append(name)
        if len(calls) > 1:
            load(self, name)

    monkeypatch.setattr(MemoryTarget, "load", fails_at_first)
    services.job_load(job=finished, user=None)
    work_off()
    assert len(calls) == 2
    assert finished.collections.get().load_action_state == ActionState.DONE


def test_an_action_requested_while_another_runs_is_not_lost(world, finished, work_off, monkeypatch):
    services.job_index(job=finished, user=None)
    work_off()
    load = MemoryTarget.load

    def meanwhile(self, name):
        load(self, name)
        services.job_release(job=Job.objects.get(), user=None)

    monkeypatch.setattr(MemoryTarget, "load", meanwhile)
    services.job_load(job=finished, user=None)
    work_off()
    row = finished.collections.get()
    assert (row.load_action, row.load_action_state) == ("release", ActionState.DONE)
    assert not held(world).is_loaded


def test_loading_without_an_index_says_what_to_do_and_leaves_the_status(world, finished, work_off):
    services.job_load(job=finished, user=None)
    work_off()
    row = finished.collections.get()
    assert row.load_action_state == ActionState.FAILED
    assert row.load_error.endswith("Create the index first.")
    assert ended(finished).status == Status.SUCCESSFUL


def test_an_action_that_failed_can_be_asked_again(world, finished, work_off):
    services.job_load(job=finished, user=None)
    work_off()
    services.job_index(job=finished, user=None)
    services.job_load(job=finished, user=None)
    work_off()
    row = finished.collections.get()
    assert (row.load_action_state, row.load_error) == (ActionState.DONE, "")


def test_an_action_on_a_target_that_stays_away_fails_after_some_tries(world, finished, work_off):
    world.target.token = "changed"
    services.job_index(job=finished, user=None)
    work_off()
    row = finished.collections.get()
    assert row.index_action_state == ActionState.FAILED
    assert "refused the token" in row.index_error
    assert ended(finished).error is None


def test_milvus_lite_loads_what_has_no_index(world, finished, work_off):
    world.target.capabilities = replace(world.target.capabilities, count_needs_load=False)
    services.job_load(job=finished, user=None)
    work_off()
    assert held(world).is_loaded
