"""Finish stage: counts, verdict, indexes and loading at the end of a job, and the same actions afterwards."""

from dataclasses import replace

import pyarrow as pa
import pytest
from django_q.models import OrmQ

from migrations_app import queue, services
from migrations_app.engine.errors import TargetError, TargetUnavailable
from migrations_app.engine.preflight.scans import read_rows
from migrations_app.engine.reading import measure
from migrations_app.engine.sources.base import Source
from migrations_app.engine.targets.base import IndexState, LoadState
from migrations_app.models import Job, JobCollection, JobStep, StepState
from migrations_app.models.status import Stage, Status
from migrations_app.reporting.report import job_report
from migrations_app.worker import scheduler, tasks
from tests.kit import MemorySource, MemoryTarget
from tests.migrations_app.conftest import books

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def moved(world):
    """Return a function that runs a job until all its rows are in the target, and empties the queue."""

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


def refreshed(job):
    job.refresh_from_db()
    return job


def step(job, kind) -> JobStep:
    return job.steps.get(kind=kind)


def target_collection(world, name="books"):
    return world.target.collections[name]


def test_values_truncated_by_the_plan_are_counted_and_reported(world, moved):
    title = {"source": "title", "max_length": 6, "too_long": "truncate"}
    job = moved({"source": "books", "fields": [{"source": "embedding"}, title]})
    tasks.finish(job.pk)
    assert refreshed(job).status == Status.SUCCESSFUL
    entry = job.log.get(message__contains=" truncated ")
    assert entry.message == "books: 90 values truncated to the length of the field, as the plan requests."
    assert job_report(job)["collections"][0]["values_cut"] == 90


def test_a_job_of_which_no_row_arrives_fails(world, moved, monkeypatch):
    # The source cannot count the rows that lack a vector, and they are too many to be read before the move.
    for name in ("can_measure", "measure"):
        monkeypatch.setattr(MemorySource, name, getattr(Source, name))
    monkeypatch.setattr(measure, "MAX_ROWS", 99)
    monkeypatch.setattr(read_rows, "FEW_ROWS", 99)
    found = world.source.collections["books"]
    vectors = pa.nulls(100, found.rows.column("embedding").type)
    found.rows = found.rows.set_column(1, "embedding", vectors)
    job = moved()
    tasks.finish(job.pk)
    assert (refreshed(job).status, job.error_code) == (Status.FAILED, "no_row_arrived")
    assert job.error_message == "None of the 100 rows of “books” arrived: 100 skipped."


@pytest.mark.parametrize(("most", "status"), [(0.5, Status.FAILED), (0.57, Status.SUCCESSFUL)])
def test_a_job_that_moves_less_than_half_of_the_rows_fails_unless_the_plan_allows_it(
    world, moved, most, status
):
    found = world.source.collections["books"]
    vectors = found.rows.column("embedding").to_pylist()
    vectors = pa.array([None] * 57 + vectors[57:], found.rows.column("embedding").type)
    found.rows = found.rows.set_column(1, "embedding", vectors)
    job = moved(max_skipped=most)
    tasks.finish(job.pk)
    assert refreshed(job).status == status
    if status == Status.FAILED:
        assert job.error_code == "mostly_rejected"
        assert job.error_message.startswith("Only 43 of the 100 rows of “books” arrived: 57 skipped.")
        assert f"manage.py jobs resume {job.public_id} --max-skipped 0.57" in job.error["hint"]
    assert len(world.target.collections["books"].rows) == 43


# ---------------------------------------------------------------- the count check


def test_rows_missing_in_the_target_fail_the_job_and_nothing_is_dropped(world, moved, work_off):
    job = moved()
    target_collection(world).sent -= 3
    tasks.finish(job.pk)
    assert refreshed(job).status == Status.FAILED
    assert job.error_code == "verify_mismatch"
    assert "97" in job.error_message
    row = job.collections.get()
    assert (row.verified, row.rows_target) == (False, 97)
    assert "books" in world.target.collections


def test_the_last_line_of_the_run_log_is_the_result_of_the_job(world, moved):
    job = moved()
    tasks.finish(job.pk)
    assert job.log.last().message == "Successful: 100 rows were written."


def test_rows_added_to_the_source_meanwhile_explain_a_difference(world, moved):
    job = moved()
    world.source.collections["books"] = books(120)
    tasks.finish(job.pk)
    assert refreshed(job).status == Status.SUCCESSFUL
    row = job.collections.get()
    assert (row.rows_source, row.rows_source_after, row.verified) == (100, 120, True)


def test_keys_that_were_sent_twice_are_counted_once_with_a_query(world, moved):
    job = moved()
    target_collection(world).sent += 10
    job.collections.get().slices.update(repeated=True)
    tasks.finish(job.pk)
    assert refreshed(job).status == Status.SUCCESSFUL
    assert job.collections.get().rows_target == 100
    # The index and the load that the count needed are undone.
    assert not target_collection(world).indexes
    assert not target_collection(world).is_loaded


def test_a_job_whose_target_cannot_be_counted_is_successful_but_not_verified(world, moved, monkeypatch):
    def refuses(self, name):
        raise TargetError("No right to count.")

    monkeypatch.setattr(MemoryTarget, "row_statistics", refuses)
    job = moved()
    tasks.finish(job.pk)
    assert refreshed(job).status == Status.SUCCESSFUL
    row = job.collections.get()
    assert (row.verified, row.rows_target) == (None, None)
    assert "No right to count." in {check["message"] for check in row.checks}


def test_a_plan_may_turn_off_verification(world, moved):
    job = moved(verify="none")
    target_collection(world).sent -= 3
    tasks.finish(job.pk)
    assert refreshed(job).status == Status.SUCCESSFUL
    row = job.collections.get()
    assert row.verified is None
    assert row.checks[0]["message"] == "The plan requests no verification."


def test_a_target_that_is_unavailable_for_a_while_only_delays_the_end(world, moved, monkeypatch, work_off):
    flush, outages = MemoryTarget.flush, iter([TargetUnavailable("Away."), TargetUnavailable("Away.")])

    def flush_after_outages(self, name):
        if failure := next(outages, None):
            raise failure
        flush(self, name)

    monkeypatch.setattr(MemoryTarget, "flush", flush_after_outages)
    job = moved()
    tasks.finish(job.pk)
    assert refreshed(job).status == Status.IN_PROGRESS
    work_off()
    assert refreshed(job).status == Status.SUCCESSFUL


def test_a_finish_that_died_in_the_middle_is_continued(world, moved, monkeypatch):
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
    target_collection(world).sent = 0  # a verified collection is not verified again
    tasks.finish(job.pk)
    assert refreshed(job).status == Status.SUCCESSFUL


def test_a_job_that_is_canceled_during_verification_ends_canceled(world, moved, monkeypatch):
    job = moved()
    flush = MemoryTarget.flush

    def cancel_and_flush(self, name):
        services.job_cancel(job=Job.objects.get(), user=None, drop=False)
        self.stop.wait(10)
        flush(self, name)

    monkeypatch.setattr(MemoryTarget, "flush", cancel_and_flush)
    tasks.finish(job.pk)
    assert refreshed(job).status == Status.CANCELED


@pytest.fixture
def half_counted(world, moved, monkeypatch):
    """A job whose count created an index and waits for the load; between two turns the job has no lease."""
    load_state = MemoryTarget.load_state
    monkeypatch.setattr(MemoryTarget, "load_state", lambda self, name: LoadState("not_loaded"))
    monkeypatch.setattr("migrations_app.engine.verification.row_count.MAX_WAIT_SECONDS", 0.1)
    job = moved()
    job.collections.get().slices.update(repeated=True)
    tasks.finish(job.pk)
    assert target_collection(world).indexes
    assert target_collection(world).is_loaded
    assert not services.job_is_held(job=job)
    OrmQ.objects.all().delete()
    monkeypatch.setattr(MemoryTarget, "load_state", load_state)
    return job


def test_a_cancel_between_two_turns_of_a_count_restores_the_index_and_load_state(
    world, half_counted, work_off
):
    services.job_cancel(job=half_counted, user=None, drop=False)
    work_off()
    assert refreshed(half_counted).status == Status.CANCELED
    assert not target_collection(world).indexes
    assert not target_collection(world).is_loaded


def test_a_failure_between_two_turns_of_a_count_restores_the_index_state(world, half_counted, work_off):
    services.job_note_failure(job=half_counted, error=TargetError("Something else."))
    scheduler.schedule_all()
    work_off()
    assert refreshed(half_counted).status == Status.FAILED
    assert half_counted.error_message == "Something else."
    assert not target_collection(world).indexes


def test_a_job_ends_even_if_its_target_cannot_be_restored(world, half_counted, work_off, monkeypatch):
    def unavailable(self, name):
        raise TargetUnavailable("Away.")

    monkeypatch.setattr(MemoryTarget, "release", unavailable)
    services.job_cancel(job=half_counted, user=None, drop=False)
    work_off()
    assert refreshed(half_counted).status == Status.CANCELED
    assert half_counted.error is None
    assert half_counted.log.filter(level="warning", message__contains="could not be restored. Away.").exists()


# ---------------------------------------------------------------- indexes and loading by plan


def test_nothing_is_indexed_or_loaded_unless_requested(world, moved):
    tasks.finish(moved().pk)
    assert not target_collection(world).indexes
    assert not target_collection(world).is_loaded


def test_a_plan_may_request_index_and_load(world, moved, work_off):
    job = moved(create_index=True, load=True)
    tasks.finish(job.pk)
    work_off()
    assert refreshed(job).status == Status.SUCCESSFUL
    assert target_collection(world).indexes["embedding"].metric == "COSINE"
    assert target_collection(world).is_loaded
    assert (step(job, "index").percent, step(job, "index").state) == (100, StepState.DONE)
    assert step(job, "load").state == StepState.DONE
    assert {"indexing", "loading"} <= set(job.seconds)


def test_a_job_waits_for_an_index_in_turns_and_shows_its_progress(world, moved, monkeypatch):
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
        percents.append(step(job, "index").percent)
    assert percents[:4] == [0, 0, 40, 100]
    assert refreshed(job).status == Status.SUCCESSFUL


def test_a_failed_index_fails_the_job_that_requested_it(world, moved, monkeypatch):
    def broken(self, name):
        spec = next(iter(self.store.collections[name].indexes.values()), None)
        return (IndexState(spec, 0, 100, is_finished=False, failed="no memory"),) if spec else ()

    monkeypatch.setattr(MemoryTarget, "indexes", broken)
    job = moved(create_index=True)
    for _ in range(2):
        tasks.finish(job.pk)
    assert refreshed(job).status == Status.FAILED
    assert (job.stage, job.error_code) == (Stage.INDEXING, "target_failed")
    assert "no memory" in job.error_message


@pytest.mark.parametrize(("action", "stage"), [("index", Stage.INDEXING), ("load", Stage.LOADING)])
def test_a_stalled_index_or_load_fails_the_job_and_says_that_the_rows_are_in_the_target(
    world, moved, work_off, monkeypatch, settings, action, stage
):
    if action == "index":
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
    assert refreshed(job).status == Status.IN_PROGRESS
    settings.VECTORFERRY_STALL_SECONDS = 0
    tasks.finish(job.pk)
    work_off()
    assert refreshed(job).status == Status.FAILED
    assert (job.stage, job.error_code) == (stage, f"{action}_stalled")
    assert "All rows are in the target." in job.error_hint
    assert job.collections.get().verified is True
    assert (step(job, action).state, step(job, action).error_code) == (StepState.FAILED, f"{action}_stalled")


def test_a_requested_action_of_a_failed_job_wakes_no_worker(world, moved):
    job = moved(create_index=True, load=True)
    services.job_note_failure(job=job, error=TargetError("No."))
    services.job_settle(job=job)
    assert refreshed(job).status == Status.FAILED
    scheduler.schedule_all()
    assert not queue.waiting()


# ---------------------------------------------------------------- actions on a finished job


@pytest.fixture
def finished(moved):
    job = moved()
    tasks.finish(job.pk)
    assert refreshed(job).status == Status.SUCCESSFUL
    return job


def test_a_finished_job_can_be_indexed_loaded_and_released(world, finished, work_off):
    services.job_index(job=finished, user=None)
    work_off()
    assert list(target_collection(world).indexes) == ["embedding"]
    services.job_load(job=finished, user=None)
    work_off()
    assert target_collection(world).is_loaded
    services.job_release(job=finished, user=None)
    work_off()
    assert not target_collection(world).is_loaded
    assert step(finished, "release").state == StepState.DONE
    assert not finished.steps.filter(kind="load").exists()
    assert refreshed(finished).status == Status.SUCCESSFUL


def test_a_load_on_a_finished_job_is_waited_for_in_turns_with_its_progress_shown(
    world, finished, work_off, monkeypatch
):
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
        percents.append(step(finished, "load").percent)
    assert percents[-3:] == [10, 60, 100]


def test_a_stalled_load_on_a_finished_job_is_given_up(world, finished, work_off, monkeypatch, settings):
    services.job_index(job=finished, user=None)
    work_off()
    settings.VECTORFERRY_STALL_SECONDS = 0
    load_state = MemoryTarget.load_state
    monkeypatch.setattr(MemoryTarget, "load_state", lambda self, name: LoadState("loading", 40))
    services.job_load(job=finished, user=None)
    work_off()
    assert step(finished, "load").state == StepState.FAILED
    assert "made no progress for 0 seconds" in step(finished, "load").error
    assert refreshed(finished).status == Status.SUCCESSFUL
    monkeypatch.setattr(MemoryTarget, "load_state", load_state)
    services.job_load(job=finished, user=None)  # a new request has the full time again
    work_off()
    assert step(finished, "load").state == StepState.DONE


def test_a_load_that_was_interrupted_is_requested_again(world, finished, work_off, monkeypatch):
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
    assert step(finished, "load").state == StepState.DONE


def test_an_action_requested_while_another_runs_is_not_lost(world, finished, work_off, monkeypatch):
    services.job_index(job=finished, user=None)
    work_off()
    load = MemoryTarget.load

    def load_and_request_release(self, name):
        load(self, name)
        services.job_release(job=Job.objects.get(), user=None)

    monkeypatch.setattr(MemoryTarget, "load", load_and_request_release)
    services.job_load(job=finished, user=None)
    work_off()
    assert step(finished, "release").state == StepState.DONE
    assert not finished.steps.filter(kind="load").exists()
    assert not target_collection(world).is_loaded


def test_loading_without_an_index_fails_with_a_hint_and_does_not_change_the_status(world, finished, work_off):
    services.job_load(job=finished, user=None)
    work_off()
    assert step(finished, "load").state == StepState.FAILED
    assert step(finished, "load").error.endswith("Create the index first.")
    assert refreshed(finished).status == Status.SUCCESSFUL


def test_no_index_is_created_for_vectors_whose_metric_milvus_lacks(world, moved, work_off):
    found = world.source.collections["books"]
    found.fields = tuple(replace(f, metric="L1" if f.is_vector else None) for f in found.fields)
    job = moved()
    tasks.finish(job.pk)
    for action in (services.job_index, services.job_load):
        action(job=job, user=None)
        work_off()
    assert "no vector has a metric that Milvus has" in step(job, "index").error
    assert "books.embedding” has no index" in step(job, "load").error
    assert (target_collection(world).indexes, refreshed(job).status) == ({}, Status.SUCCESSFUL)


def test_an_action_that_failed_can_be_requested_again(world, finished, work_off):
    services.job_load(job=finished, user=None)
    work_off()
    services.job_index(job=finished, user=None)
    services.job_load(job=finished, user=None)
    work_off()
    assert (step(finished, "load").state, step(finished, "load").error) == (StepState.DONE, "")


def test_an_action_on_a_target_that_refuses_the_token_fails(world, finished, work_off):
    world.target.token = "changed"
    services.job_index(job=finished, user=None)
    work_off()
    assert step(finished, "index").state == StepState.FAILED
    assert "refused the token" in step(finished, "index").error
    assert refreshed(finished).error is None


def test_milvus_lite_loads_a_collection_without_an_index(world, finished, work_off):
    world.target.capabilities = replace(world.target.capabilities, count_needs_load=False)
    services.job_load(job=finished, user=None)
    work_off()
    assert target_collection(world).is_loaded
