"""Wake-ups for workers: the only file besides the settings that knows django_q.

The queue carries ids, the database the truth. A wake-up that is lost, doubled or late does no harm: leases
decide who works, and the sweep asks again.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.cluster import Sentinel
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signals import post_execute_in_worker
from django_q.tasks import async_task

from migrations_app.models import Job

logger = logging.getLogger(__name__)
DATA, CONTROL = "data", "control"
STUCK_SECONDS = 10.0


class Task(StrEnum):
    """The functions of ``tasks.py``; each takes the id of a job."""

    PREPARE = "prepare"
    WORK = "work"
    FINISH = "finish"
    SETTLE = "settle"
    TEND = "tend"


TASKS = {f"migrations_app.tasks.{task}": task for task in Task}


def queue_of(task: Task) -> str:
    """Only moving rows keeps a process busy for long; all else has a queue and a process of its own."""
    return DATA if task is Task.WORK else CONTROL


def wake(job: Job, task: Task, *, delay_seconds: float = 0) -> None:
    """Have a worker call ``task`` for ``job``, not before ``delay_seconds`` are over.

    A job that a command runs in its own process wakes nobody, but to settle it where that process died.
    """
    if job.inline and task is not Task.SETTLE:
        return
    broker = Broker(queue_of(task), delay_seconds)
    async_task(f"migrations_app.tasks.{task}", job.pk, broker=broker, save=False)


def waiting() -> Counter[tuple[Task, int]]:
    """How many wake-ups of each kind and job nobody has taken yet."""
    found: Counter[tuple[Task, int]] = Counter()
    for row in OrmQ.objects.all():
        task, arguments = TASKS.get(str(row.task.get("func", ""))), row.task.get("args") or ()
        if task is not None and len(arguments) == 1:
            found[task, arguments[0]] += 1
    return found


# ---------------------------------------------------------------- in the processes of a cluster


class Busy:
    """Whether the one worker process of this cluster has a task. Shared by the cluster's processes."""

    def __init__(self) -> None:
        self._has_task = multiprocessing.Value("b", 0)

    def __bool__(self) -> bool:
        return bool(self._has_task.value)

    def set(self, has_task: bool) -> None:
        self._has_task.value = has_task


busy = Busy()


class Broker(ORM):
    """Hands out a task once, when it is due, and only to a worker process that is free.

    django_q's own lets a busy process hoard two more tasks, and marks one taken for a day. What dies with
    its process is delivered again by our leases and the sweep.
    """

    def __init__(self, list_key: str | None = None, delay_seconds: float = 0) -> None:
        super().__init__(list_key)
        self.delay_seconds = delay_seconds

    def enqueue(self, task: str) -> int:
        due = timezone.now() + timedelta(seconds=self.delay_seconds)
        return int(OrmQ.objects.create(key=self.list_key, payload=task, lock=due).pk)

    def dequeue(self) -> list[tuple[int, str]] | None:
        due = self.get_connection().filter(key=self.list_key, lock__lte=timezone.now())
        for task in () if busy else due.order_by("lock", "pk")[:3]:
            if OrmQ.objects.filter(pk=task.pk).delete()[0]:
                busy.set(True)
                return [(task.pk, task.payload)]
        time.sleep(Conf.POLL)
        return None

    def fail(self, task_id: int) -> None:
        """The task could not be read: it never comes to the worker process."""
        busy.set(False)


class ClusterEnd:
    """django_q's stop event, and what happens in the pause between two of its looks around.

    ``tick`` says that the cluster lives. Whatever could leave it standing still without a word (a process
    killed with the queue's lock in its hands) ends it: the supervisor starts another.
    """

    def __init__(self, tick: Callable[[], None]) -> None:
        self.sentinel: OneWorker | None = None
        self._tick = tick
        self._is_set = False
        self._idle_since = time.monotonic()

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, seconds: float) -> bool:
        time.sleep(seconds)
        self._tick()
        if self._is_stuck():
            die("the worker process does not take the task that waits for it")
        return self._is_set

    def _is_stuck(self) -> bool:
        assert self.sentinel is not None
        is_idle = all(process.timer.value < 0 for process in self.sentinel.pool)
        if not is_idle or not self.sentinel.task_queue.qsize():
            self._idle_since = time.monotonic()
        return time.monotonic() - self._idle_since > STUCK_SECONDS


class OneWorker(Sentinel):
    """django_q's cluster of one worker process, run in this very process."""

    def reincarnate(self, process: Any) -> None:
        if process.exitcode is None or process.exitcode < 0:
            die(f"process {process.pid} was killed")
        busy.set(False)
        super().reincarnate(process)


def die(reason: str) -> None:
    """End the whole process group: this cluster and its processes."""
    logger.critical("Ending this cluster: %s.", reason)
    os.killpg(0, signal.SIGKILL)


def run_cluster(on_stop: Callable[[], None], tick: Callable[[], None]) -> None:
    """Work for the queue named by the environment (``Q_CLUSTER_NAME``) until SIGTERM.

    On SIGTERM each process of the cluster calls ``on_stop``; it ends when the task under way returns.
    """
    end = ClusterEnd(tick)
    sentinel = OneWorker(end, threading.Event(), uuid.uuid4(), broker=Broker(), start=False)
    end.sentinel = sentinel

    def stop(*_signal: object) -> None:
        end.set()
        on_stop()

    # The processes it forks inherit this; Ctrl-C is for the supervisor.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    post_execute_in_worker.connect(_is_free, weak=False)
    sentinel.start()


def _is_free(**_signal: object) -> None:
    busy.set(False)
