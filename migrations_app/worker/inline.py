"""Inline jobs: runs a job in the process that created it, with the same tasks but without a queue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.db import connections

from migrations_app.models import Job
from migrations_app.worker import scheduler, tasks

PAUSE_SECONDS = 0.1
TURN_SECONDS = 0.5


def run_inline(job: Job, each_turn: Callable[[], object] = lambda: None) -> None:
    """Run ``job`` to its end. Meanwhile ``each_turn`` is called twice a second, in the calling thread.

    After an interrupt it can be called again, and continues the job.
    """
    Job.objects.filter(pk=job.pk).update(inline=True)
    runner = _runner(job)
    # Not ``join`` and ``is_alive``: after a Ctrl-C inside ``join``, Python regards the thread as ended.
    while not runner.ended.wait(TURN_SECONDS):
        each_turn()
    each_turn()
    job.refresh_from_db()


class _Runner(threading.Thread):
    """The thread that runs a job; ``ended`` is set when it has finished."""

    def __init__(self, job_id: int) -> None:
        super().__init__(name=f"inline {job_id}", daemon=True)
        self.job_id = job_id
        self.ended = threading.Event()

    def run(self) -> None:
        try:
            while not (job := Job.objects.get(pk=self.job_id)).is_ended:
                for task in scheduler.due(job):
                    tasks.BY_NAME[task](self.job_id)
                time.sleep(PAUSE_SECONDS)
        finally:
            connections.close_all()
            self.ended.set()


def _runner(job: Job) -> _Runner:
    """Return the thread of an interrupted call if it still runs, else start a new one."""
    for running in threading.enumerate():
        if isinstance(running, _Runner) and running.job_id == job.pk and not running.ended.is_set():
            return running
    started = _Runner(job.pk)
    started.start()
    return started
