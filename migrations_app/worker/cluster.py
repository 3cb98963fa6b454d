"""Cluster: runs one django_q worker process for one queue, until SIGTERM."""

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
    """django_q's stop event. django_q calls ``wait`` between two of its checks.

    Each ``wait`` calls ``tick``, which shows that the cluster is alive. If the worker process does not take a
    waiting task (for example because a process was killed while it held the queue's lock), the cluster ends
    itself, and the supervisor starts another one.
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
            die("the worker process does not take its waiting task")
        return self._is_set

    def _is_stuck(self) -> bool:
        assert self.sentinel is not None
        is_idle = all(process.timer.value < 0 for process in self.sentinel.pool)
        if not is_idle or not self.sentinel.task_queue.qsize():
            self._idle_since = time.monotonic()
        return time.monotonic() - self._idle_since > STUCK_SECONDS


class OneWorker(Sentinel):
    """django_q's cluster with one worker process. The cluster itself runs in the current process."""

    def reincarnate(self, process: Any) -> None:
        if process.exitcode is None or process.exitcode < 0:
            die(f"process {process.pid} was killed")
        busy.set(False)
        super().reincarnate(process)


def die(reason: str) -> None:
    """Kill the process group: this cluster and its processes."""
    logger.critical("Ending this cluster: %s.", reason)
    os.killpg(0, signal.SIGKILL)


def run_cluster(on_stop: Callable[[], None], tick: Callable[[], None]) -> None:
    """Process the queue named by the environment variable ``Q_CLUSTER_NAME`` until SIGTERM.

    On SIGTERM each process of the cluster calls ``on_stop``, and ends when its current task returns.
    """
    stop_event = ClusterStop(tick)
    sentinel = OneWorker(stop_event, threading.Event(), uuid.uuid4(), broker=Broker(), start=False)
    stop_event.sentinel = sentinel

    def stop(*_signal: object) -> None:
        stop_event.set()
        on_stop()

    # Forked processes inherit these handlers. Ctrl-C is handled by the supervisor.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    post_execute_in_worker.connect(_mark_free, weak=False)
    sentinel.start()


def _mark_free(**_signal: object) -> None:
    busy.set(False)
