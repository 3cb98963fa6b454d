"""``manage.py jobs``: lists, shows and controls jobs in a terminal."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from django.core.management.base import CommandParser

from migrations_app import services
from migrations_app.engine.errors import FerryError, SettingsError
from migrations_app.management.base import ConsoleCommand
from migrations_app.management.terminal import status_line
from migrations_app.models import Job
from migrations_app.reporting.report import job_report
from migrations_app.services.resume import CHANGEABLE

NOT_BUILT = ("give-up", "start-over", "retry", "verify")
MAX_LISTED = 100
NO_LIMIT = "none"


class Command(ConsoleCommand):
    help = (
        "List, show, cancel and resume jobs; index, load and release their collections; "
        "show run logs and rejected rows."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", metavar="ACTION")
        for name, (_, description) in ACTIONS.items():
            action = actions.add_parser(name, help=description)
            if name != "list":
                action.add_argument("id", help="the id of the job (job-…), or its first characters")
            if name == "cancel":
                action.add_argument("--drop", action="store_true", help="drop the collections it created")
            if name == "resume":
                _add_limits(action)
            action.add_argument("--json", action="store_true", help="JSON on standard output")
        for name in NOT_BUILT:
            action = actions.add_parser(name, add_help=False)
            action.add_argument("rest", nargs="*")
            for flag in ("--drop", "--yes", "--json"):
                action.add_argument(flag, action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        action = options["action"] or "list"
        try:
            if action in NOT_BUILT:
                raise SettingsError(
                    f"“jobs {action}” is not available yet.", "See “jobs --help”.", code="not_available"
                )
            job = None if action == "list" else find(options["id"])
            ACTIONS[action][0](self, job, options)
            self.stdout.flush()
        except BrokenPipeError:
            # The reader closed the pipe (“| head”). Otherwise Python would report the error again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except FerryError as error:
            self.stderr.write(f"{error.message}\n  {error.hint}\n  [{error.code}]")
            sys.exit(2)

    def _emit(self, data: Any) -> None:
        self.stdout.write(json.dumps(data))

    def list(self, _: None, options: dict[str, Any]) -> None:
        jobs = Job.objects.all()[:MAX_LISTED]
        if options.get("json"):
            self._emit([job_report(job, with_collections=False) for job in jobs])
            return
        for job in jobs:
            self.stdout.write(f"{status_line(job)} · {job.description}")
        if not jobs:
            self.stdout.write("No jobs yet.")

    def show(self, job: Job, options: dict[str, Any]) -> None:
        report = job_report(job)
        if options["json"]:
            self._emit(report)
            return
        self.stdout.write(status_line(job))
        if job.error:
            self.stdout.write(f"{job.error_message}\n  {job.error_hint}\n  [{job.error_code}]")
        for row in report["collections"]:
            verified = {True: "verified", False: "counts differ", None: "not verified"}[row["verified"]]
            self.stdout.write(
                f"{row['source']} → {row['target']}: {row['rows_read']:,} read, "
                f"{row['rows_written']:,} written, "
                f"{row['rows_rejected']:,} rejected, {row['rows_skipped']:,} skipped, "
                f"{row['rows_collapsed']:,} collapsed, {verified}"
            )

    def cancel(self, job: Job, options: dict[str, Any]) -> None:
        services.job_cancel(job=job, user=None, drop=options["drop"])
        self._show_state(job, options)

    def resume(self, job: Job, options: dict[str, Any]) -> None:
        limits = {name: options[name] for name in CHANGEABLE if options[name] is not None}
        changes = {name: None if value == NO_LIMIT else value for name, value in limits.items()}
        services.job_resume(job=job, user=None, changes=changes)
        self._show_state(job, options)

    def index(self, job: Job, options: dict[str, Any]) -> None:
        services.job_index(job=job, user=None)
        self._show_state(job, options)

    def load(self, job: Job, options: dict[str, Any]) -> None:
        services.job_load(job=job, user=None)
        self._show_state(job, options)

    def release(self, job: Job, options: dict[str, Any]) -> None:
        services.job_release(job=job, user=None)
        self._show_state(job, options)

    def _show_state(self, job: Job, options: dict[str, Any]) -> None:
        job.refresh_from_db()
        if options["json"]:
            self._emit(job_report(job))
        else:
            self.stdout.write(status_line(job))

    def logs(self, job: Job, options: dict[str, Any]) -> None:
        for entry in job.log.iterator():
            if options["json"]:
                self._emit({"at": entry.at.isoformat(), "level": entry.level, "message": entry.message})
            else:
                self.stdout.write(
                    f"{entry.at:%Y-%m-%d %H:%M:%S} {entry.get_level_display():5} {entry.message}"
                )

    def rejected(self, job: Job, options: dict[str, Any]) -> None:
        rows = job.rejected_rows.select_related("slice__collection")
        for row in rows.iterator():
            source = row.slice.collection.source
            if options["json"]:
                facts = {"key": row.locator, "field": row.field, "code": row.code, "reason": row.reason}
                self._emit({"collection": source, **facts, "row": row.row})
            else:
                self.stdout.write(f"{source} {row.locator}: {row.field}: {row.reason} [{row.code}]")


ACTIONS = {
    "list": (Command.list, "the newest jobs"),
    "show": (Command.show, "one job: status, numbers, error"),
    "cancel": (Command.cancel, "stop a job"),
    "resume": (Command.resume, "continue a Failed or Canceled job where it stopped"),
    "index": (Command.index, "create the indexes of a Successful job's collections"),
    "load": (Command.load, "load a Successful job's collections"),
    "release": (Command.release, "release a Successful job's collections"),
    "logs": (Command.logs, "the run log"),
    "rejected": (Command.rejected, "the rejected rows, one per line"),
}


def _add_limits(action: CommandParser) -> None:
    """Add the options of the plan that a resume may change."""
    action.add_argument(
        "--max-rejected",
        type=lambda text: text if text == NO_LIMIT else int(text),
        metavar="N",
        help="allow so many rejected rows; none: any number",
    )
    action.add_argument(
        "--max-skipped",
        type=float,
        metavar="SHARE",
        help="allow this share (0 to 1) of the rows of a collection to be rejected or skipped",
    )


def find(public_id: str) -> Job:
    """Return the job with this id, or the only job whose id starts with it. Else raises ``SettingsError``."""
    jobs = list(Job.objects.filter(public_id__startswith=public_id)[:2]) if public_id else []
    if len(jobs) == 1:
        return jobs[0]
    problem = f"Several job ids start with “{public_id}”." if jobs else f"There is no job “{public_id}”."
    raise SettingsError(problem, "See “manage.py jobs list”.", code="job_unknown", field="id")
