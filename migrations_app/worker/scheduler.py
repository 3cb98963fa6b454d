"""Scheduler: wakes workers for what each job needs next. It runs after each task, and regularly to replace
lost wake-ups.
"""

from __future__ import annotations

from collections import Counter

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from migrations_app import queue, services
from migrations_app.execution import claim
from migrations_app.models import Job, JobSlice, JobStep, Worker
from migrations_app.models.status import RUNNING, Stage, Status
from migrations_app.queue import Task


def schedule_all() -> None:
    """Wake the workers that all jobs need, and end the stopping jobs that no worker holds."""
    _adopt_orphans()
    waiting = queue.waiting()
    for job in Job.objects.filter(status__in=RUNNING):
        schedule(job, waiting)
    room = settings.VECTORFERRY_JOBS_AT_ONCE - Job.objects.filter(status__in=RUNNING).count()
    pending = Job.objects.filter(status=Status.PENDING).order_by("created_at", "pk")
    for job in pending[: max(0, room)]:
        schedule(job, waiting)
    with_action = JobStep.objects.open_actions().values("job")
    for job in Job.objects.filter(status=Status.SUCCESSFUL, pk__in=with_action):
        schedule(job, waiting)


def _adopt_orphans() -> None:
    """Let the workers run the jobs that a command ran in its own process, if that process died."""
    with_expired_slice = JobSlice.objects.filter(lease_until__lte=Now()).values("collection__job")
    abandoned = Q(lease_until__lte=Now()) | Q(pk__in=with_expired_slice)
    Job.objects.filter(abandoned, inline=True, status__in=RUNNING).update(inline=False)


def schedule(job: Job, waiting: Counter[tuple[Task, int]] | None = None) -> None:
    """Wake the workers that ``job`` needs, minus the wake-ups already sent. End it if it is ready to end."""
    job.refresh_from_db()
    if job.is_stopping and services.job_settle(job=job):
        return
    wanted = due(job)
    if not wanted:
        return
    waiting = queue.waiting() if waiting is None else waiting
    for task, number in wanted.items():
        continued = 0 if task is Task.WORK else waiting[Task.CONTINUE, job.pk]
        for _ in range(number - waiting[task, job.pk] - continued):
            queue.wake(job, task)


def due(job: Job) -> Counter[Task]:
    """Return the tasks that workers can do for the job now, and the number of workers for each."""
    if job.is_running and job.stage == Stage.MOVING and not job.is_stopping:
        return _moving(job)
    is_free = Job.objects.filter(pk=job.pk).due().exists()
    task = _control_task(job) if is_free else None
    return Counter({task: 1}) if task else Counter()


def _moving(job: Job) -> Counter[Task]:
    if services.job_is_moved(job=job):
        return Counter({Task.FINISH: 1})
    slots = max(1, Worker.objects.slots()) - claim.running(job).count()
    room = claim.room(job)
    slots = slots if room is None else min(slots, room)
    wanted = Counter({Task.WORK: max(0, min(claim.claimable(job).count(), slots))})
    # The source may have asked for the slices of a collection to be planned again.
    if not services.job_is_planned(job=job) and Job.objects.filter(pk=job.pk).due().exists():
        wanted[Task.PREPARE] = 1
    return +wanted


def _control_task(job: Job) -> Task | None:
    if job.is_stopping:
        return None if services.job_is_held(job=job) else Task.SETTLE
    if job.status == Status.PENDING:
        return Task.PREPARE
    if job.is_running:
        return Task.PREPARE if job.stage == Stage.PREPARING else Task.FINISH
    if job.status == Status.SUCCESSFUL and job.steps.open_actions().exists():
        return Task.POST_MIGRATION
    return None
