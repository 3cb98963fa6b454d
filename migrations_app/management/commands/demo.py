"""`make demo`: a console with something in it, in a folder of the checkout that can be thrown away."""

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
    help = "Start a console with a PostgreSQL, a Milvus and a finished migration, and leave it running."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--exit", action="store_true", help="stop what was started, once the sample is done"
        )
        parser.add_argument("--stop", action="store_true", help="stop the demo and keep what it holds")
        parser.add_argument(
            "--reset", action="store_true", help="stop the demo, delete what it holds, begin anew"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder = settings.DATA_DIR.parent
        if folder.name != FOLDER_NAME or settings.DATABASE_URL:
            raise CommandError("The demo must not touch a real installation. Start it with: make demo")
        stack = Stack(folder, settings.BASE_DIR)
        if options["stop"]:
            stack.stop()
            self.stdout.write("The demo is stopped. `make demo` starts it again with what it holds.")
            return
        if options["reset"]:
            self._begin_anew(stack)
        found = stack.alive()
        try:
            self._run(stack, is_short=options["exit"])
        except FerryError as error:
            raise CommandError(f"{error} {error.hint}".strip()) from error
        finally:
            if options["exit"]:
                stack.stop(but=found)

    def _begin_anew(self, stack: Stack) -> None:
        self.stdout.write(f"Stopping the demo and deleting {stack.folder}.")
        stack.stop()
        shutil.rmtree(stack.folder)
        # This process has read secrets that are gone now.
        os.execv(sys.executable, [sys.executable, *(word for word in sys.argv if word != "--reset")])

    def _run(self, stack: Stack, *, is_short: bool) -> None:
        self.stdout.write("Starting PostgreSQL and Milvus …")
        rows = stack.start_engines()
        call_command("migrate", verbosity=0)
        passwords = seed.make_accounts(stack.folder / "accounts.json")
        seed.save_connections(stack)
        if not stack.start_console():
            self.stdout.write(f"The console is on port {stack.web.port}: {WEB_PORT} was taken.")
        self._follow_sample(stack)
        if not is_short:
            self._say_what_next(stack, passwords, rows)

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
                f"The sample migration: {Status(job.status).label}. {job.error_message}".strip()
            )

    def _say_what_next(self, stack: Stack, passwords: dict[str, str], rows: int) -> None:
        administrator, viewer = seed.ADMINISTRATOR, seed.VIEWER
        self.stdout.write(
            f"""
  The console   {stack.url}
  Log in as     {administrator} with the password {passwords[administrator]}
  or, to look   {viewer} with the password {passwords[viewer]}

  A migration of {seed.SAMPLE} is on the Jobs page. To do one yourself: Migrations, PostgreSQL, the saved
  connection {seed.SOURCE}, the table {seed.LEFT_TO_MIGRATE} ({rows:,} rows), into {seed.TARGET}.
  {seed.LARGER} is large enough to watch a job, and to cancel it.

  In a terminal VECTORFERRY_DATA_DIR=.demo/console .venv/bin/python manage.py jobs

  It goes on in the background until `make demo-stop`. `make demo` finds it again; `make demo-reset` begins
  anew.
"""
        )
