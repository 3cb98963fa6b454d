"""Plan file in the browser: its text, its faults with their lines, and the connections that it names."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.files.uploadedfile import UploadedFile

from migrations_app import plan_file
from migrations_app.engine.faults import Fault
from migrations_app.engine.model.plan import Plan
from migrations_app.models import Connection
from migrations_app.plan_file.yaml_text import MAX_BYTES


@dataclass(frozen=True, slots=True)
class LineFault:
    """A fault of a plan file; ``line`` is None if it has none of its own."""

    message: str
    hint: str
    path: str
    line: int | None = None


def read(sent: UploadedFile | None) -> tuple[str | None, list[LineFault]]:
    """Return the text of the file, or why it cannot be read."""
    if sent is None:
        return None, [LineFault("No file was chosen.", "Choose a plan file (YAML).", "")]
    if (sent.size or 0) > MAX_BYTES:
        return None, [LineFault(f"The file is larger than {MAX_BYTES:,} bytes.", "Is it a plan file?", "")]
    try:
        return sent.read().decode("utf-8-sig"), []
    except UnicodeDecodeError:
        return None, [LineFault("The file is not UTF-8 text.", "Choose a plan file (YAML).", "")]


def plan_of(text: str) -> tuple[Plan | None, list[LineFault]]:
    """Return the plan in the text, and its faults in the order of their lines."""
    file = plan_file.read_opened_plan(text)
    faults = [_with_line(fault, text) for fault in file.faults]
    return file.plan, sorted(faults, key=lambda fault: fault.line or 0)


def _with_line(fault: Fault, text: str) -> LineFault:
    return LineFault(fault.message, fault.advice, fault.path, plan_file.line_of(text, fault.path))


def connections(plan: Plan) -> dict[str, Connection | None]:
    """Return the saved connection of each end that the plan names; None if it does not exist here."""
    names = {"source": (plan.source.connection, False), "target": (plan.target.connection, True)}
    return {
        role: Connection.objects.filter(name=name, is_target=is_target).first() if name else None
        for role, (name, is_target) in names.items()
    }


def kind_of(plan: Plan, ends: dict[str, Connection | None]) -> str:
    """Return the kind of the source; empty if the plan does not say it."""
    source = ends["source"]
    return source.kind if source else plan.source.kind or ""
