"""A job run by the process that made it: the same tasks, one after another, without a queue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.db import connections

from migrations_app import tasks, upkeep
from migrations_app.models import Job

PAUSE_SECONDS = 0.1
TURN_SECONDS = 0.5


def run_inline(job: Job, each_turn: Callable[[], object] = lambda: None) -> None:
    """Run ``job`` to its end. ``each_turn`` is called twice a second meanwhile, in the calling thread.

    Interrupted and called again, it goes on where the job stands.
    """
    Job.objects.filter(pk=job.pk).update(inline=True)
    runner = _runner(job)
    while runner.is_alive():
        runner.join(TURN_SECONDS)
        each_turn()
    job.refresh_from_db()


def _runner(job: Job) -> threading.Thread:
    """The thread that runs ``job``: that of an interrupted call, if it is still there."""
    name = f"inline {job.public_id}"
    for running in threading.enumerate():
        if running.name == name:
            return running
    started = threading.Thread(target=_run, args=(job.pk,), name=name, daemon=True)
    started.start()
    return started


def _run(job_id: int) -> None:
    try:
        while not (job := Job.objects.get(pk=job_id)).is_ended:
            for task in upkeep.due(job):
                tasks.BY_NAME[task](job_id)
            time.sleep(PAUSE_SECONDS)
    finally:
        connections.close_all()
