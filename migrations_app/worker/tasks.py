"""Tasks: the functions that a worker calls. Each loads the job, does its work, and schedules what comes next.

Each may run twice without harm.
"""

from __future__ import annotations

import time

from django.db.models import Q

from migrations_app import services
from migrations_app.execution import claim, lease
from migrations_app.execution.heartbeat import drain
from migrations_app.execution.task_runner import ACTIVE, STOPPING, ControlTask, run_under_lease
from migrations_app.models import ConnectionCheck, Job
from migrations_app.models.status import Stage, Status
from migrations_app.queue import Task, wake
from migrations_app.stages.cleanup import cleanup, cleanup_failed
from migrations_app.stages.finish import finish as finish_job
from migrations_app.stages.finish import finish_failed
from migrations_app.stages.move import run
from migrations_app.stages.post_migration import post_migration as run_post_migration
from migrations_app.stages.post_migration import post_migration_failed
from migrations_app.stages.prepare import prepare as prepare_job
from migrations_app.stages.prepare import prepare_failed
from migrations_app.worker.scheduler import due, schedule

# Slices may have to be planned again while others are moved.
IS_PREPARING = ACTIVE & Q(stage__in=(Stage.PREPARING, Stage.MOVING))

PREPARE = ControlTask(Task.PREPARE, prepare_job, IS_PREPARING, prepare_failed)
FINISH = ControlTask(Task.FINISH, finish_job, ACTIVE & ~Q(stage=Stage.PREPARING), finish_failed)
SETTLE = ControlTask(Task.SETTLE, cleanup, STOPPING, cleanup_failed)
POST_MIGRATION = ControlTask(
    Task.POST_MIGRATION, run_post_migration, Q(status=Status.SUCCESSFUL), post_migration_failed
)


def prepare(job_id: int) -> None:
    """Run preflight, create the collections, store the slices."""
    job = _job(job_id, Task.PREPARE)
    if job and (job.status != Status.PENDING or services.job_start(job=job)):
        run_under_lease(job, PREPARE)
        schedule(job)


def work(job_id: int) -> None:
    """Claim a slice and move its rows, until it is done or its time is over."""
    if (job := _job(job_id, Task.WORK)) is None:
        return
    terms, since = lease.terms(), time.monotonic()
    if (claimed := claim.claim(job, terms)) is not None:
        run(job, claimed, terms, since)
        for other in claim.waiting_for_target(job):
            schedule(other)
    else:
        claim.report_nothing_claimed(job)
    schedule(job)


def finish(job_id: int) -> None:
    """Verify, index and load as the plan requests, and end the job."""
    job = _job(job_id, Task.FINISH)
    if job and services.job_is_moved(job=job):
        run_under_lease(job, FINISH)
        schedule(job)


def settle(job_id: int) -> None:
    """Run the cleanup of a stopping job, which then ends."""
    job = _job(job_id, Task.SETTLE)
    if job and not services.job_is_held(job=job):
        run_under_lease(job, SETTLE)
        schedule(job)


def post_migration(job_id: int) -> None:
    """Index, load and release collections as requested on the page of a finished job."""
    if job := _job(job_id, Task.POST_MIGRATION):
        run_under_lease(job, POST_MIGRATION)
        schedule(job)


def continue_control_task(job_id: int) -> None:
    """Continue a control task that needs longer than a turn in the control queue."""
    if job := _job(job_id, Task.CONTINUE):
        for control in (PREPARE, FINISH, SETTLE, POST_MIGRATION):
            if control.task in due(job):
                run_under_lease(job, control, is_long=True)
        schedule(job)


def check_connection(check_id: str) -> None:
    """Test a connection from this host, for a page that waits for the result."""
    check = ConnectionCheck.objects.filter(pk=check_id, result__isnull=True).first()
    if check is not None:
        services.check_run(check=check)


def _job(job_id: int, task: Task) -> Job | None:
    """Return the job if it exists and this process accepts new work, else None."""
    job = Job.objects.select_related("source_connection", "target_connection").filter(pk=job_id).first()
    if job is not None and drain.is_requested:
        wake(job, task, delay_seconds=1)
        return None
    return job


BY_NAME = {
    Task.PREPARE: prepare,
    Task.WORK: work,
    Task.FINISH: finish,
    Task.CONTINUE: continue_control_task,
    Task.SETTLE: settle,
    Task.POST_MIGRATION: post_migration,
}
