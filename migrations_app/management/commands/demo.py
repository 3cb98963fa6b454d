"""`make demo`: starts a console with sample data, in a folder of the checkout that can be deleted."""

import os
import shutil
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from migrations_app.demo import seed
from migrations_app.demo.stack import WEB_PORT, Stack
from migrations_app.engine.errors import FerryError
from migrations_app.management.terminal import status_line
from migrations_app.models.status import Status

FOLDER_NAME = ".demo"
SAMPLE_SECONDS = 300


class Command(BaseCommand):
    help = "Start a console with PostgreSQL, Qdrant, Milvus and a finished migration, and leave it running."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--exit",
            action="store_true",
            help="stop what was started when the sample migration is done",
        )
        parser.add_argument("--stop", action="store_true", help="stop the demo and keep its data")
        parser.add_argument(
            "--reset", action="store_true", help="stop the demo, delete its data and start again"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder = settings.DATA_DIR.parent
        if folder.name != FOLDER_NAME or settings.DATABASE_URL:
            raise CommandError("The demo must not use a real installation. Start it with: make demo")
        stack = Stack(folder, settings.BASE_DIR)
        if options["stop"]:
            stack.stop()
            self.stdout.write("The demo is stopped. `make demo` starts it again with the same data.")
            return
        if options["reset"]:
            self._reset(stack)
        running = stack.alive()
        try:
            self._run(stack, exits=options["exit"])
        except FerryError as error:
            raise CommandError(f"{error} {error.hint}".strip()) from error
        finally:
            if options["exit"]:
                stack.stop(except_for=running)

    def _reset(self, stack: Stack) -> None:
        self.stdout.write(f"Stopping the demo and deleting {stack.folder}.")
        stack.stop()
        shutil.rmtree(stack.folder)
        # This process has read secrets that no longer exist: start a new one.
        os.execv(sys.executable, [sys.executable, *(word for word in sys.argv if word != "--reset")])

    def _run(self, stack: Stack, *, exits: bool) -> None:
        self.stdout.write("Starting PostgreSQL, Qdrant and Milvus …")
        rows = stack.start_engines()
        call_command("migrate", verbosity=0)
        passwords = seed.make_accounts(stack.folder / "accounts.json")
        seed.save_connections(stack)
        if not stack.start_console():
            self.stdout.write(f"The console uses port {stack.web.port}, because port {WEB_PORT} is in use.")
        self._follow_sample(stack)
        if not exits:
            self._print_next_steps(stack, passwords, rows)

    def _follow_sample(self, stack: Stack) -> None:
        job = seed.sample_job()

        def has_ended() -> bool:
            job.refresh_from_db()
            return bool(job.is_ended)

        if not has_ended():
            self.stdout.write(f"Migrating {seed.SAMPLE} …")
            stack.worker.wait_until(has_ended, SAMPLE_SECONDS)
            self.stdout.write(status_line(job))
        if job.status != Status.SUCCESSFUL:
            raise CommandError(
                f"The sample migration is {Status(job.status).label}. {job.error_message}".strip()
            )

    def _print_next_steps(self, stack: Stack, passwords: dict[str, str], rows: int) -> None:
        administrator, viewer = seed.ADMINISTRATOR, seed.VIEWER
        self.stdout.write(
            f"""
  Console       {stack.url}
  Log in as     {administrator} with the password {passwords[administrator]}
  or read-only  {viewer} with the password {passwords[viewer]}

  The Jobs page shows a finished migration of {seed.SAMPLE}. To start one yourself, open Migrations and
  choose PostgreSQL, the saved connection {seed.SOURCE}, the table {seed.LEFT_TO_MIGRATE} ({rows:,} rows)
  and the target {seed.TARGET}. The table {seed.LARGER} is large enough to watch a job, and to cancel it.
  The saved connection {seed.QDRANT} is a small server with Qdrant's own engine: its records have no schema.

  In a terminal VECTORFERRY_DATA_DIR=.demo/console .venv/bin/python manage.py jobs

  The demo runs in the background until `make demo-stop`. `make demo` shows this text again; `make demo-reset`
  deletes its data and starts again.
"""
        )
