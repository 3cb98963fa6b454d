"""``manage.py worker``: the process that moves rows on a host."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from migrations_app.execution.heartbeat import drain
from migrations_app.models.keys_check import ensure_keys_fit_database
from migrations_app.worker import cluster
from migrations_app.worker.parent_death import die_with_parent, is_orphan
from migrations_app.worker.supervisor import Supervisor


class Command(BaseCommand):
    help = "Run the jobs until Ctrl-C; move the rows of VECTORFERRY_WORKERS slices at a time."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        # For the worker's own processes: the queue, the pipe for signs of life, and the parent process.
        for name in ("--cluster", "--sign", "--parent"):
            parser.add_argument(name, default="", help="set by the worker for its own processes")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["cluster"]:
            self._serve(sign=int(options["sign"]), parent=int(options["parent"]))
        else:
            self._supervise()

    def _supervise(self) -> None:
        ensure_keys_fit_database()
        slots = settings.VECTORFERRY_WORKERS
        supervisor = Supervisor(slots)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, supervisor.stop)
        self.stdout.write(f"Worker started: {slots} slices at a time. Press Ctrl-C to stop.")
        supervisor.run()

    def _serve(self, *, sign: int, parent: int) -> None:
        die_with_parent(parent)
        os.set_blocking(sign, False)

        def signal_alive() -> None:
            if is_orphan(parent):
                cluster.die("the worker that started it has ended")
            with suppress(BlockingIOError):  # the pipe is full because the worker does not read it now
                os.write(sign, b".")

        # Import the tasks once, before the processes that run them are forked.
        import_module("migrations_app.worker.tasks")
        cluster.run_cluster(drain.request, signal_alive)
