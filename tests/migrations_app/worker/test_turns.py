"""Turns: a control task gives its process back after a short time and continues where it was."""

import time
from contextlib import suppress

import pytest
from django_q.models import OrmQ

from migrations_app import queue, services
from migrations_app.engine.errors import SourceError
from migrations_app.models import Job, JobStep, StepKind, StepState
from migrations_app.models.status import Stage, Status
from migrations_app.worker import scheduler, tasks
from tests.kit import MemorySource, MemoryTarget
from tests.migrations_app.stages.test_provision import APPEND, fill

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


def answer_slowly(monkeypatch, seconds):
    """Let the source count for so long, in a process whose turns are shorter."""
    count = MemorySource.count
    monkeypatch.setattr("migrations_app.execution.task_runner.CONTROL_SECONDS", 0.2)

    def slow(self, ref, ctx):
        ctx.stop.wait(seconds)
        return count(self, ref, ctx)

    monkeypatch.setattr(MemorySource, "count", slow)


@pytest.mark.parametrize("stage", [Stage.PREPARING, Stage.VERIFYING])
def test_a_question_that_takes_long_is_asked_again_in_the_data_queue(world, work_off, monkeypatch, stage):
    job = world.job()
    if stage == Stage.VERIFYING:
        tasks.prepare(job.pk)
        tasks.work(job.pk)
    OrmQ.objects.all().delete()
    answer_slowly(monkeypatch, 0.6)
    (tasks.prepare if stage == Stage.PREPARING else tasks.finish)(job.pk)
    job.refresh_from_db()
    assert (job.stage, job.error, services.job_is_held(job=job)) == (stage, None, False)
    scheduler.schedule_all()
    assert queue.waiting() == {(queue.Task.CONTINUE, job.pk): 1}
    assert OrmQ.objects.get().key == queue.DATA
    work_off()
    job.refresh_from_db()
    assert job.status == Status.SUCCESSFUL, job.error


@pytest.mark.parametrize("method", ["collections", "drop"])
def test_a_target_that_does_not_answer_does_not_hold_the_control_process(world, monkeypatch, method):
    """A preparation asks for the collections, a cleanup drops one."""
    job = world.job()
    if method == "drop":
        tasks.prepare(job.pk)
        services.job_cancel(job=job, user=None, drop=True)
    OrmQ.objects.all().delete()
    monkeypatch.setattr("migrations_app.execution.task_runner.CONTROL_SECONDS", 0.2)
    monkeypatch.setattr(MemoryTarget, method, lambda self, *names: self.stop.wait(30))
    began = time.monotonic()
    (tasks.prepare if method == "collections" else tasks.settle)(job.pk)
    assert time.monotonic() - began < 5
    scheduler.schedule_all()
    assert queue.waiting() == {(queue.Task.CONTINUE, job.pk): 1}


def test_a_job_that_a_command_runs_has_no_short_turns(world, monkeypatch):
    job = world.job()
    Job.objects.update(inline=True)
    answer_slowly(monkeypatch, 0.4)
    tasks.prepare(job.pk)
    job.refresh_from_db()
    assert job.stage == Stage.MOVING


def test_a_job_that_is_canceled_while_it_waits_for_its_long_turn_ends(world, work_off, monkeypatch):
    job = world.job()
    answer_slowly(monkeypatch, 30)
    OrmQ.objects.all().delete()
    tasks.prepare(job.pk)
    services.job_cancel(job=job, user=None, drop=False)
    assert work_off() == 1
    job.refresh_from_db()
    assert job.status == Status.CANCELED


def test_a_step_that_fails_holds_the_error(world, work_off, monkeypatch):
    def refuses(self, ref, wanted, ctx):
        raise SourceError("The table cannot be divided.", "Add a key.")

    monkeypatch.setattr(MemorySource, "slices", refuses)
    job = world.job()
    work_off()
    job.refresh_from_db()
    assert (job.status, job.error_message) == (Status.FAILED, "The table cannot be divided.")
    states = dict(job.steps.values_list("kind", "state"))
    assert states == {StepKind.PREPARE: StepState.DONE, StepKind.PLAN_SLICES: StepState.FAILED}
    assert job.steps.get(kind=StepKind.PLAN_SLICES).error == "The table cannot be divided. Add a key."


class Died(BaseException):
    """The process is gone."""


def test_a_key_check_works_in_turns_and_continues_in_another_process_where_it_stood(
    world, work_off, monkeypatch, pages_of_ten, settings
):
    """Half of the rows replace existing ones, so only the keys can show that all rows arrived."""
    fill(world, range(50))
    job = world.job(APPEND)
    tasks.prepare(job.pk)
    tasks.work(job.pk)
    OrmQ.objects.all().delete()
    settings.VECTORFERRY_SLICE_SECONDS = 0
    count_keys, asked = MemoryTarget.count_keys, []

    def dies_once(self, name, field, keys):
        asked.extend(keys.to_pylist())
        if len(asked) == 50:
            asked[:] = asked[:-10]
            asked.append("died")
            raise Died
        return count_keys(self, name, field, keys)

    monkeypatch.setattr(MemoryTarget, "count_keys", dies_once)
    turns = 0
    while JobStep.objects.filter(kind=StepKind.VERIFY, state=StepState.DONE).count() == 0:
        turns += 1
        assert turns < 30
        with suppress(Died):
            tasks.finish(job.pk)
        Job.objects.update(lease_until=None)
    asked.remove("died")
    assert (asked, turns > 10) == (list(range(100)), True)
    step = JobStep.objects.get(kind=StepKind.KEY_CHECK)
    assert (step.state, step.percent, step.position["found"]) == (StepState.DONE, 100, 100)
    work_off()
    job.refresh_from_db()
    assert (job.status, job.collections.get().verified) == (Status.SUCCESSFUL, True)
