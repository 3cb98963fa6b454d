"""Queue: sends wake-ups to the workers. Apart from the settings and ``worker/cluster.py``, only this module
uses django_q.

A wake-up carries only the id of a job; the state is in the database. A wake-up that is lost, sent twice or
late does no harm: leases decide who works, and the scheduler sends lost wake-ups again.
"""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections import Counter
from datetime import timedelta
from enum import StrEnum

from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.tasks import async_task

from migrations_app.models import Job

logger = logging.getLogger(__name__)
DATA, CONTROL = "data", "control"


class Task(StrEnum):
    """The functions of ``worker/tasks.py``. Each takes the id of a job."""

    PREPARE = "prepare"
    WORK = "work"
    FINISH = "finish"
    CONTINUE = "continue_control_task"
    SETTLE = "settle"
    POST_MIGRATION = "post_migration"


TASKS = {f"migrations_app.worker.tasks.{task}": task for task in Task}


def queue_of(task: Task) -> str:
    """Return the queue of a task. What takes long uses a separate queue."""
    return DATA if task in (Task.WORK, Task.CONTINUE) else CONTROL


def wake(job: Job, task: Task, *, delay_seconds: float = 0) -> None:
    """Make a worker call ``task`` for ``job``, after ``delay_seconds`` at the earliest.

    For a job that a command runs in its own process this does nothing, except for ``SETTLE`` and
    ``POST_MIGRATION``: that process may be dead, or has ended.
    """
    if job.inline and task not in (Task.SETTLE, Task.POST_MIGRATION):
        return
    broker = Broker(queue_of(task), delay_seconds)
    async_task(f"migrations_app.worker.tasks.{task}", job.pk, broker=broker, save=False)


def send_check(check_id: str) -> None:
    """Make a worker run a connection check. It is not sent again if it is lost: the user tests again."""
    async_task("migrations_app.worker.tasks.check_connection", check_id, broker=Broker(CONTROL), save=False)


def waiting() -> Counter[tuple[Task, int]]:
    """Count the wake-ups that no worker has taken yet, by task and job."""
    counts: Counter[tuple[Task, int]] = Counter()
    for row in OrmQ.objects.all():
        task, arguments = TASKS.get(str(row.task.get("func", ""))), row.task.get("args") or ()
        if task is not None and len(arguments) == 1:
            counts[task, arguments[0]] += 1
    return counts


# ---------------------------------------------------------------- in the processes of a cluster


class Busy:
    """True while the worker process of this cluster has a task. All processes of the cluster share it."""

    def __init__(self) -> None:
        self._has_task = multiprocessing.Value("b", 0)

    def __bool__(self) -> bool:
        return bool(self._has_task.value)

    def set(self, has_task: bool) -> None:
        self._has_task.value = has_task


busy = Busy()


class Broker(ORM):
    """Broker that hands out a task once, when it is due, and only to a worker process that is free.

    django_q's own broker gives a busy process two more tasks, and reserves a task for a day. If a process
    dies, our leases and the scheduler deliver its task again.
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
        """The task could not be read and does not reach the worker process: mark that process as free."""
        busy.set(False)
