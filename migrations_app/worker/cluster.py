"""Cluster: one django_q worker process and its queue, run until SIGTERM."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from django_q.cluster import Sentinel
from django_q.signals import post_execute_in_worker

from migrations_app.queue import Broker, busy, logger

STUCK_SECONDS = 10.0


class ClusterStop:
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
    end = ClusterStop(tick)
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
