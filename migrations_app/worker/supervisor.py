"""Supervisor: runs the clusters of ``manage.py worker``. Each has one worker process, for data or control.

::

    worker ── heartbeat row, scheduler
      ├── cluster "control"   a process group: pusher, worker process, monitor
      ├── cluster "data"
      └── cluster "data"      ... as many as VECTORFERRY_WORKERS

A cluster that died or does not respond is killed with its process group and started again. No cluster
outlives the worker.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections
from django.db.models.functions import Now

from migrations_app.models import Worker
from migrations_app.queue import CONTROL, DATA
from migrations_app.worker import retention, scheduler

logger = logging.getLogger("vectorferry.worker")
POLL_SECONDS = 0.25
SEEN_SECONDS = 5.0
# A cluster that has sent no sign of life for this long is regarded as stuck.
SILENCE_SECONDS = 30.0
STABLE_SECONDS = 10.0
PRUNE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 30.0
# Shutting down takes at most ten seconds. Processes that are still running after this are killed, and their
# leases run out.
DRAIN_SECONDS = 8.0
FORGET_AFTER = timedelta(days=1)


class Cluster:
    """One child process in its own process group, with a pipe on which it sends signs of life."""

    def __init__(self, queue_name: str) -> None:
        self.queue_name = queue_name
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._heard_at = self._started_at = self._start_at = time.monotonic()
        self._pause_seconds = 0.5

    def check(self) -> None:
        """Start the process if it is due; if it is stuck or died, clean up and schedule the next start."""
        if self._process is None:
            if time.monotonic() >= self._start_at:
                self._start()
            return
        self._listen()
        is_stuck = time.monotonic() - self._heard_at > SILENCE_SECONDS
        if is_stuck:
            logger.error("A %s process does not respond; starting another.", self.queue_name)
        if is_stuck or self._process.poll() is not None:
            self._clean_up()

    def _start(self) -> None:
        self._pipe, sign = os.pipe()
        os.set_blocking(self._pipe, False)
        command = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "worker"]
        self._process = subprocess.Popen(
            [*command, "--cluster", self.queue_name, "--sign", str(sign), "--parent", str(os.getpid())],
            env=os.environ | {"Q_CLUSTER_NAME": self.queue_name},
            stdin=subprocess.DEVNULL,
            pass_fds=(sign,),
            start_new_session=True,
        )
        os.close(sign)
        self._heard_at = self._started_at = time.monotonic()

    def _listen(self) -> None:
        with suppress(BlockingIOError):  # the pipe is empty
            while os.read(self._pipe, 4096):
                self._heard_at = time.monotonic()

    def _clean_up(self) -> None:
        """Kill the rest of the process group and set the time of the next start.

        Each process that dies soon after its start doubles the pause.
        """
        code = self.kill()
        lived = time.monotonic() - self._started_at
        self._pause_seconds = (
            0.5 if lived > STABLE_SECONDS else min(LONGEST_PAUSE_SECONDS, self._pause_seconds * 2)
        )
        self._start_at = time.monotonic() + self._pause_seconds
        logger.warning(
            "A %s process ended (%s) after %.0f s; starting another in %.1f s.",
            self.queue_name, code, lived, self._pause_seconds,
        )  # fmt: skip

    def kill(self) -> int | None:
        """Kill the whole process group now. Safe to call at any time."""
        if self._process is None:
            return None
        self._signal(signal.SIGKILL)
        code = self._process.wait()
        os.close(self._pipe)
        self._process = None
        return code

    def drain(self) -> None:
        """Ask each process of the group to release its work and end."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):  # the whole group is gone
                os.killpg(self._process.pid, number)

    @property
    def is_over(self) -> bool:
        return self._process is None or self._process.poll() is not None


class Supervisor:
    """Runs the clusters until it is asked to stop, and updates the ``Worker`` row that the console reads."""

    def __init__(self, slots: int) -> None:
        self._clusters = [Cluster(CONTROL), *(Cluster(DATA) for _ in range(slots))]
        self._slots = slots
        self._row: Worker | None = None
        self._is_asked_to_stop = False
        self._heartbeat = Periodic(SEEN_SECONDS, self._store_heartbeat)
        self._schedule = Periodic(settings.VECTORFERRY_LEASE_SECONDS / 2, scheduler.schedule_all)
        self._prune = Periodic(PRUNE_SECONDS, retention.prune)

    def stop(self, *_signal: object) -> None:
        """For a signal handler."""
        self._is_asked_to_stop = True

    def run(self) -> None:
        try:
            while not self._is_asked_to_stop:
                for cluster in self._clusters:
                    cluster.check()
                self._heartbeat.run_if_due()
                self._schedule.run_if_due()
                self._prune.run_if_due()
                time.sleep(POLL_SECONDS)
            self._drain()
        finally:
            for cluster in self._clusters:
                cluster.kill()
            self._delete_heartbeat()

    def _drain(self) -> None:
        logger.info("Shutting down: storing and releasing the running slices.")
        for cluster in self._clusters:
            cluster.drain()
        deadline = time.monotonic() + DRAIN_SECONDS
        self._heartbeat.run(lambda: self._store_heartbeat(draining=True))
        while time.monotonic() < deadline and not all(cluster.is_over for cluster in self._clusters):
            time.sleep(POLL_SECONDS)

    def _store_heartbeat(self, *, draining: bool = False) -> None:
        row = {"last_seen": Now(), "draining": draining}
        if self._row is not None and Worker.objects.filter(pk=self._row.pk).update(**row):
            return
        Worker.objects.filter(last_seen__lt=Now() - FORGET_AFTER).delete()
        self._row = Worker.objects.create(
            host=socket.gethostname()[:255], pid=os.getpid(), slots=self._slots, **row
        )

    def _delete_heartbeat(self) -> None:
        if self._row is not None:
            self._heartbeat.run(self._row.delete)


class Periodic:
    """A database task that runs at a fixed interval. If the database is unavailable, the next run tries
    again.
    """

    def __init__(self, seconds: float, do: Callable[[], object]) -> None:
        self._seconds = seconds
        self._do = do
        self._due = 0.0

    def run_if_due(self) -> None:
        if time.monotonic() >= self._due:
            self.run(self._do)
            self._due = time.monotonic() + self._seconds

    def run(self, do: Callable[[], object]) -> None:
        try:
            do()
        except DatabaseError as error:
            logger.error("The database cannot be used: %s", error)
            connections.close_all()
