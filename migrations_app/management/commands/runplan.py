"""``manage.py runplan PLAN``: runs a plan file as a job (docs/plan-file.md)."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings as host_settings
from django.core.management.base import CommandParser

from migrations_app import endpoints, plan_file, services
from migrations_app.engine import preflight
from migrations_app.engine.errors import DatabaseMissing, FerryError, PlanRefused
from migrations_app.engine.faults import Fault
from migrations_app.engine.model.plan import Plan
from migrations_app.engine.model.row_tests import RowCounts
from migrations_app.engine.preflight.plan import PreparedCollection
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import Source
from migrations_app.engine.targets.base import Target
from migrations_app.management.base import ConsoleCommand
from migrations_app.management.terminal import Follower, exit_code
from migrations_app.models import Connection, Job
from migrations_app.reporting.report import job_report

REFUSED = 2


@dataclass
class Found:
    """What ``--check`` says about a plan that can run: notes, and the rows that would not be moved."""

    notes: list[str] = field(default_factory=list)
    collections: list[dict[str, Any]] = field(default_factory=list)

    def add(self, collections: Iterable[PreparedCollection]) -> None:
        for one in collections:
            self.notes += (f"{one.plan.source}: {note}" for note in (*one.schema.facts, *one.notes))
            counted = {"source": one.plan.source, **_losses(one.losses), "looked": one.looked}
            self.collections.append(counted)

    @property
    def verdict(self) -> str:
        lost = [
            name for name in ("rejected", "skipped") if any(one[f"rows_{name}"] for one in self.collections)
        ]
        if lost:
            return f"The plan can run, but some rows would be {' or '.join(lost)}."
        return "No problems found. The plan can run."

    @property
    def looked(self) -> list[str]:
        return [f"{one['source']}: {one['looked']}" for one in self.collections if one["looked"]]

    def as_dict(self) -> dict[str, Any]:
        return {"faults": [], "notes": self.notes, "collections": self.collections}


def _losses(losses: RowCounts | None) -> dict[str, int | None]:
    """Return the counted rows for JSON; None means that they were not counted."""
    names = ("rows", "rejected", "skipped")
    return {
        name if name == "rows" else f"rows_{name}": getattr(losses, name) if losses else None
        for name in names
    }


class Command(ConsoleCommand):
    help = "Run a plan file: create a job, let the workers run it, and follow it to its end."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("plan", help="the plan file (YAML); - reads standard input")
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--inline", action="store_true", help="run it in this process, without a worker")
        mode.add_argument("--no-wait", action="store_true", help="print the id of the job and return")
        mode.add_argument("--check", action="store_true", help="connect and check the plan, write nothing")
        parser.add_argument("--json", action="store_true", help="one JSON report on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            file = self._read(options["plan"])
            faults = list(file.faults)
            connections = self._connections(file, faults)
            found = Found()
            if faults or options["check"]:
                faults += self._preflight(file, connections, faults, found)
            if faults:
                raise PlanRefused(tuple(faults))
            if options["check"]:
                text = "\n".join([found.verdict, *found.notes, *found.looked])
                self._print(options, found.as_dict(), text)
                return
            job = self._create(file.checked(), file, connections, inline=options["inline"])
        except FerryError as error:
            self._refuse(error, options)
        self._run(job, options)

    def _read(self, name: str) -> plan_file.PlanFile:
        try:
            text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            message = f"The plan “{name}” cannot be read: {reason}."
            return plan_file.PlanFile(None, faults=(Fault("file_unreadable", message, "Check the path."),))
        folder = Path() if name == "-" else Path(name).parent
        return plan_file.read_plan(text, environ=os.environ, folder=folder)

    def _connections(self, file: plan_file.PlanFile, faults: list[Fault]) -> dict[str, Connection | None]:
        """Return the saved connection of each role; None if its settings are in the plan."""
        connections: dict[str, Connection | None] = {"source": None, "target": None}
        for role, is_target in (("source", False), ("target", True)):
            name = getattr(file.plan, role).connection if file.plan else None
            if name is None:
                continue
            try:
                connections[role] = endpoints.saved_connection(name, is_target=is_target)
            except FerryError as error:
                faults.append(Fault(error.code, error.message, error.hint, f"{role}.connection"))
        return connections

    def _preflight(
        self,
        file: plan_file.PlanFile,
        connections: dict[str, Connection | None],
        faults: list[Fault],
        found: Found,
    ) -> list[Fault]:
        """Return the faults that need a connection: an endpoint that cannot be used, and the faults of
        preflight.

        Adds the notes and the counted losses of preflight to ``found``.
        """
        if file.plan is None:
            return []
        new_faults: list[Fault] = []
        opened: dict[str, Any] = {}
        with ExitStack() as stack:
            for role, connection in connections.items():
                if any(_concerns_connecting(fault, role) for fault in faults):
                    continue  # connecting would fail for the same reason
                try:
                    opened[role] = stack.enter_context(self._open(file, connections, role))
                    found.notes += (f"{role}: {notice}" for notice in opened[role].settings.notices())
                    _check_endpoint(opened[role])
                except FerryError as error:
                    new_faults.append(_endpoint_fault(error, role, is_saved=connection is not None))
            if new_faults or len(opened) < len(connections):
                return new_faults
            try:
                checked = preflight.check_plan(
                    file.plan,
                    opened["source"],
                    opened["target"],
                    ReadContext(),
                    max_collections=host_settings.VECTORFERRY_MAX_COLLECTIONS,
                )
            except FerryError as error:
                return [Fault(error.code, error.message, error.hint, error.path)]
        found.add(checked.collections)
        known = {(fault.path, fault.code) for fault in file.faults}
        errors = [fault for fault in checked.faults if fault.severity == "error"]
        return [fault for fault in errors if (fault.path, fault.code) not in known]

    def _open(self, file: plan_file.PlanFile, connections: dict[str, Connection | None], role: str) -> Any:
        assert file.plan is not None
        endpoint_plan = getattr(file.plan, role)
        connection = connections[role]
        kind = connection.kind if connection else endpoint_plan.kind
        settings = connection.settings if connection else file.settings.get(role, {})
        if role == "source":
            return endpoints.open_source(kind, settings)
        return endpoints.open_target(kind, settings, file.plan.target.database)

    def _create(
        self,
        plan: Plan,
        file: plan_file.PlanFile,
        connections: dict[str, Connection | None],
        *,
        inline: bool,
    ) -> Job:
        return services.job_create(
            plan=plan,
            user=None,
            source_connection=connections["source"],
            target_connection=connections["target"],
            secrets=file.settings,
            inline=inline,
        )

    def _run(self, job: Job, options: dict[str, Any]) -> None:
        if options["no_wait"]:
            self._print(options, {"job": job.public_id}, job.public_id)
            return
        follower = Follower(job, self.stderr, is_quiet=options["json"])
        follower.run_inline() if options["inline"] else follower.follow()
        if options["json"]:
            self.stdout.write(json.dumps(job_report(job)))
        sys.exit(exit_code(job))

    def _print(self, options: dict[str, Any], data: dict[str, Any], text: str) -> None:
        self.stdout.write(json.dumps(data) if options["json"] else text)

    def _refuse(self, error: FerryError, options: dict[str, Any]) -> None:
        faults = error.faults if isinstance(error, PlanRefused) else ()
        for fault in faults or (Fault(error.code, error.message, error.hint, error.path),):
            place = f"{fault.path}: " if fault.path else ""
            hint = f"\n  {fault.advice}" if fault.advice else ""
            self.stderr.write(f"{place}{fault.message}{hint}\n  [{fault.code}]")
        if options["json"]:
            refused = {"job": None, "status": None, "error": error.as_dict()}
            self.stdout.write(json.dumps(refused | {"faults": [fault.as_dict() for fault in faults]}))
        sys.exit(REFUSED)


def _concerns_connecting(fault: Fault, role: str) -> bool:
    parts = fault.path.split(".")
    return parts[0] == role and parts[1:2] in ([], ["kind"], ["settings"], ["connection"])


def _check_endpoint(endpoint: Source | Target) -> None:
    """Raise the error if connecting fails. A missing target database is reported by preflight."""
    missing = suppress(DatabaseMissing) if isinstance(endpoint, Target) else nullcontext()
    with missing, endpoints.looking(endpoint) as ctx:
        endpoint.check(ctx)


def _endpoint_fault(error: FerryError, role: str, *, is_saved: bool) -> Fault:
    place = f"{role}.connection" if is_saved else f"{role}.settings.{error.field}".rstrip(".")
    return Fault(error.code, error.message, error.hint, place, field=error.field)
