"""What is wrong with a sheet, each problem at its control, with the repair one click away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from console import key_choices
from console.forms.collection import PARTITION_KEY
from console.sheet import Sheet, anchor
from console.stored import TargetFacts
from migrations_app.engine import naming, preflight
from migrations_app.engine.errors import Fault, Fix
from migrations_app.engine.plan import AUTO

# Which part of a row, or which setting of the collection, shows the problems of an option.
COLUMNS = {
    "target": "target",
    "as": "target",
    **dict.fromkeys(("type", "max_length", "max_capacity", "dim", "element_type"), "type"),
}
SETTINGS = {
    "collection_target": "target",
    "key": "key",
    "key_name": "key",
    "keep_source_key": "key",
    "partition_key": "partition_key",
    "shards": "shards",
    "description": "description",
}
# What a fault calls a setting of the collection, where its control has another name.
CONTROLS = {"collection_target": "target", "as": "target"}
FIX_SEPARATOR = "="
TICKS = frozenset({"include", "nullable", "dynamic", "dynamic_field", "keep_source_key"})


@dataclass(frozen=True, slots=True)
class Repair:
    """A fix as a button: ``value`` is ``control=text``."""

    label: str
    value: str
    name: str = "fix"


@dataclass(frozen=True, slots=True)
class Problem:
    """``anchor`` is the row it belongs to, empty for the collection's own settings; ``column`` (of a row) and
    ``field`` (of the collection) say where it is shown."""

    message: str
    anchor: str = ""
    column: str = ""
    field: str = ""
    fixes: tuple[Repair, ...] = ()
    is_warning: bool = False


def of_all(sheets: Sequence[Sheet], facts: TargetFacts) -> list[list[Problem]]:
    """The problems of each sheet, those between them included."""
    twice = naming.duplicates(sheet.plan.target or "" for sheet in sheets)
    used = {sheet.plan.target or "" for sheet in sheets} | set(facts.taken)
    return [[*_typed(sheet), *_names(sheet, facts, twice, used), *_faults(sheet, facts)] for sheet in sheets]


def _typed(sheet: Sheet) -> Iterator[Problem]:
    """Controls that hold what is no value."""
    anchors = {anchor(f.name) for f in sheet.schema.fields}
    for control, typed in sheet.typed.items():
        row, _, option = control.rpartition("-")
        if row in anchors:
            yield Problem(typed.message, row, COLUMNS.get(option, "options"))
        else:
            yield Problem(typed.message, field=SETTINGS.get(control, "target"))


def _names(sheet: Sheet, facts: TargetFacts, twice: frozenset[str], used: set[str]) -> Iterator[Problem]:
    """A collection name that is not free in the target, or in this migration."""
    name = sheet.plan.target or ""
    if name in facts.taken:
        message = f"The database “{facts.database}” has a collection “{name}” already."
    elif name in twice and name:
        message = f"Two collections of this migration are called “{name}”."
    else:
        return
    free = naming.suggest(name, used, "collection")
    yield Problem(message, field="target", fixes=(Repair(f"Use {free}", f"target={free}"),))


def _faults(sheet: Sheet, facts: TargetFacts) -> Iterator[Problem]:
    anchors = {f.name: anchor(f.name) for f in sheet.schema.fields}
    for fault in preflight.check_collection(sheet.plan, sheet.schema, facts.capabilities):
        row = anchors.get(fault.field, "")
        yield replace(_place(fault, row), fixes=tuple(repair(fix, row, sheet) for fix in fault.fixes))


def _place(fault: Fault, row: str) -> Problem:
    """The problem where its control is. A fix says what to do; without one the hint does."""
    message = fault.message if fault.fixes else f"{fault.message} {fault.hint}".strip()
    is_warning = fault.severity == "warning"
    if row and fault.option not in SETTINGS:
        return Problem(message, row, COLUMNS.get(fault.option, "options"), is_warning=is_warning)
    return Problem(message, field=SETTINGS.get(fault.option, "target"), is_warning=is_warning)


def repair(fix: Fix, row: str, sheet: Sheet) -> Repair:
    """A fix as the form would send it."""
    value = fix.value
    if fix.option == "key":
        value = AUTO if fix.value == AUTO else key_choices.choice_of(fix.value, sheet.schema)
    if fix.option == "partition_key":
        fields = sheet.plan.fields or ()
        value = next((PARTITION_KEY + (f.source or "") for f in fields if f.target == fix.value), "")
    control = CONTROLS.get(fix.option, fix.option)
    is_of_row = row and fix.option not in (*SETTINGS, "dynamic_field")
    name = f"{row}-{control}" if is_of_row else control
    return Repair(fix.label, f"{name}{FIX_SEPARATOR}{value}")


def blocking(found: Sequence[Problem]) -> list[Problem]:
    """Those that keep the migration from starting."""
    return [problem for problem in found if not problem.is_warning]


def applied(data: Mapping[str, Any], fix: str) -> dict[str, str]:
    """The form as sent, with a fix in it. An off tick is not sent at all."""
    control, _, value = fix.partition(FIX_SEPARATOR)
    changed = {name: str(data.get(name, "")) for name in data if name != "fix"}
    changed.pop(control, None)
    is_tick = control.rpartition("-")[2] in TICKS
    if not (is_tick and value in ("", "false")):
        changed[control] = value
    return changed
