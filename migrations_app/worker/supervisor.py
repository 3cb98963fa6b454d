"""What ``manage.py worker`` supervises: clusters of one process each, for data and for control.

::

    worker ── heartbeat row, sweep
      ├── cluster "control"   a process group: pusher, worker process, monitor
      ├── cluster "data"
      └── cluster "data"      ... as many as VECTORFERRY_WORKERS

A cluster that died or stands still is killed as a group and started again. None outlives the worker.
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
LOOK_SECONDS = 0.25
SEEN_SECONDS = 5.0
# A cluster that has not given a sign for so long stands still.
SILENCE_SECONDS = 30.0
STABLE_SECONDS = 10.0
PRUNE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 30.0
# Ten seconds in all: what has not let go by then is killed, and its lease runs out.
DRAIN_SECONDS = 8.0
FORGET_AFTER = timedelta(days=1)


class Cluster:
    """One child process with a group of its own, and the pipe on which it says that it lives."""

    def __init__(self, queue_name: str) -> None:
        self.queue_name = queue_name
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._heard_at = self._started_at = self._start_at = time.monotonic()
        self._pause_seconds = 0.5

    def look(self) -> None:
        """Start it if it is due, kill it if it stands still, bury it if it died."""
        if self._process is None:
            if time.monotonic() >= self._start_at:
                self._start()
            return
        self._listen()
        silent = time.monotonic() - self._heard_at > SILENCE_SECONDS
        if silent:
            logger.error("A %s process stands still; starting another.", self.queue_name)
        if silent or self._process.poll() is not None:
            self._bury()

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
        with suppress(BlockingIOError):  # nothing more to hear
            while os.read(self._pipe, 4096):
                self._heard_at = time.monotonic()

    def _bury(self) -> None:
        """Kill what is left of the group; start again soon, the later the sooner it died."""
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
        """End the whole group now. Safe to call at any time."""
        if self._process is None:
            return None
        self._signal(signal.SIGKILL)
        code = self._process.wait()
        os.close(self._pipe)
        self._process = None
        return code

    def drain(self) -> None:
        """Ask each process of the group to let go of its work and end."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):  # the whole group is gone
                os.killpg(self._process.pid, number)

    @property
    def is_over(self) -> bool:
        return self._process is None or self._process.poll() is not None


class Supervisor:
    """Runs the clusters until it is asked to stop, and keeps the row by which the console knows of it."""

    def __init__(self, slots: int) -> None:
        self._clusters = [Cluster(CONTROL), *(Cluster(DATA) for _ in range(slots))]
        self._slots = slots
        self._row: Worker | None = None
        self._is_asked_to_stop = False
        self._seen = Every(SEEN_SECONDS, self._say_alive)
        self._sweep = Every(settings.VECTORFERRY_LEASE_SECONDS / 2, scheduler.sweep)
        self._prune = Every(PRUNE_SECONDS, retention.prune)

    def stop(self, *_signal: object) -> None:
        """For a signal handler."""
        self._is_asked_to_stop = True

    def run(self) -> None:
        try:
            while not self._is_asked_to_stop:
                for cluster in self._clusters:
                    cluster.look()
                self._seen.look()
                self._sweep.look()
                self._prune.look()
                time.sleep(LOOK_SECONDS)
            self._drain()
        finally:
            for cluster in self._clusters:
                cluster.kill()
            self._say_gone()

    def _drain(self) -> None:
        logger.info("Shutting down: slices are being stored and let go.")
        for cluster in self._clusters:
            cluster.drain()
        over = time.monotonic() + DRAIN_SECONDS
        self._seen.now(lambda: self._say_alive(draining=True))
        while time.monotonic() < over and not all(cluster.is_over for cluster in self._clusters):
            time.sleep(LOOK_SECONDS)

    def _say_alive(self, *, draining: bool = False) -> None:
        row = {"last_seen": Now(), "draining": draining}
        if self._row is not None and Worker.objects.filter(pk=self._row.pk).update(**row):
            return
        Worker.objects.filter(last_seen__lt=Now() - FORGET_AFTER).delete()
        self._row = Worker.objects.create(
            host=socket.gethostname()[:255], pid=os.getpid(), slots=self._slots, **row
        )

    def _say_gone(self) -> None:
        if self._row is not None:
            self._seen.now(self._row.delete)


class Every:
    """Does something with the database every so often; where that is away, it is tried again next time."""

    def __init__(self, seconds: float, do: Callable[[], object]) -> None:
        self._seconds = seconds
        self._do = do
        self._due = 0.0

    def look(self) -> None:
        if time.monotonic() >= self._due:
            self.now(self._do)
            self._due = time.monotonic() + self._seconds

    def now(self, do: Callable[[], object]) -> None:
        try:
            do()
        except DatabaseError as error:
            logger.error("The database cannot be used: %s", error)
            connections.close_all()
