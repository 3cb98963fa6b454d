"""Problems of a mapping table: each is shown next to its control, with buttons that fix it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode

from django.http import QueryDict

from console.draft.snapshot import TargetFacts
from console.html_anchors import added_anchor, anchor
from console.schema import key_choices
from console.schema.forms.collection import NAMED_PARTITIONS, PART, PARTITION_NAME
from console.schema.forms.full_text import PREFIX
from console.schema.forms.index import PARAM
from console.schema.forms.source_options import PREFIX as SOURCE_OPTIONS
from console.schema.key_choices import is_unfinished
from console.schema.table import MappingTable
from migrations_app.engine import preflight
from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.model import names
from migrations_app.engine.model.plan import AUTO, CollectionPlan
from migrations_app.engine.preflight.rules.exact_copy import is_of_schema
from migrations_app.engine.preflight.rules.partitions import partition_path
from migrations_app.engine.preflight.scans.same_collection import refusal

# The part of a row, or the setting of the collection, that shows the problems of an option.
COLUMNS = {
    "target": "target",
    "as": "target",
    **dict.fromkeys(("type", "max_length", "max_capacity", "dim", "element_type", "raise_limit"), "type"),
    **dict.fromkeys(("metric", "index_type", "indexes"), "index"),
}
SETTINGS = {
    "collection_target": "target",
    "key": "key",
    "key_name": "key_name",
    "key_max_length": "key_name",
    "keep_source_key": "key",
    "partition_key": "partition_key",
    "partition_by": "partition_by",
    "partitions": "partition_by",
    "full_text": "full_text",
    "if_exists": "if_exists",
    "rest": "rest",
    "shards": "shards",
    "description": "description",
}
COPIED = "copied"  # the place of a problem of an exact copy, which has no controls for most settings
# If a fault of one of these settings names a field, it is shown in the row of the field.
OF_ROWS = frozenset({"rest"})
# Options whose controls have another name.
CONTROLS = {
    "collection_target": "target",
    "as": "target",
    "partitions": "partition_by",
}
EXISTS = {"append": "Add rows to it", "replace": "Replace it…"}
FIELD_PATH = re.compile(r"fields\[(\d+)\]")
INDEX_PATH = re.compile(r"indexes\[(\d+)\]")
TICKS = frozenset({"include", "nullable", "dynamic", "dynamic_field", "keep_source_key"})


@dataclass(frozen=True, slots=True)
class ProblemFix:
    """A fix as a button. ``value`` holds the texts of controls: ``control=text``, in the form of a URL's
    query."""

    label: str
    value: str
    name: str = "fix"


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem, and the place where it is shown.

    ``anchor`` is its row, empty for the settings of the collection. ``column`` is the part of the row;
    ``field`` is the setting of the collection.
    """

    message: str
    anchor: str = ""
    column: str = ""
    field: str = ""
    fixes: tuple[ProblemFix, ...] = ()
    is_warning: bool = False
    code: str = ""


def of_all(mapping_tables: Sequence[MappingTable], facts: TargetFacts) -> list[list[Problem]]:
    """Return the problems of each table, including those between tables."""
    duplicates = names.duplicates(table.plan.target or "" for table in mapping_tables)
    used = {table.plan.target or "" for table in mapping_tables} | set(facts.taken)
    return [
        [
            *_invalid_inputs(table),
            *_names(table, facts, duplicates, used),
            *_same_collection(table, used),
            *_key(table),
            *_faults(table, facts, used),
        ]
        for table in mapping_tables
    ]


def _invalid_inputs(table: MappingTable) -> Iterator[Problem]:
    """The controls whose input is not a valid value."""
    anchors = {anchor(f.name) for f in table.schema.fields} | set(_added(table).values())
    for control, invalid in table.invalid_inputs.items():
        row, _, option = control.rpartition("-")
        if row in anchors:
            yield Problem(invalid.message, row, _column(option))
        else:
            yield Problem(invalid.message, field=_setting(control))


def _setting(control: str) -> str:
    """Return the setting of the collection that a control belongs to."""
    name = control.partition("-")[0].rstrip("0123456789")
    if name in (SOURCE_OPTIONS, PARTITION_NAME):
        return control
    of_parts = {PART: "key", PREFIX: "full_text"}
    return of_parts.get(name) or SETTINGS.get(control, "target")


def _added(table: MappingTable) -> dict[int, str]:
    """Return the row anchors of added fields, by their position among the fields of the plan."""
    places = [place for place, field in enumerate(table.plan.fields or ()) if field.added]
    return {place: added_anchor(number) for number, place in enumerate(places)}


def _key(table: MappingTable) -> Iterator[Problem]:
    if is_unfinished(table.plan):
        yield Problem("Choose at least two fields to join.", field="key")


def _names(
    table: MappingTable, facts: TargetFacts, duplicates: frozenset[str], used: set[str]
) -> Iterator[Problem]:
    """The problem of a collection name that is taken in the target or used twice in this migration."""
    name, plan = table.plan.target or "", table.plan
    fixes: tuple[ProblemFix, ...] = ()
    if name in facts.taken and plan.if_exists == "error":
        message = f"The database “{facts.database}” already has a collection “{name}”."
        fixes = tuple(ProblemFix(label, f"if_exists={value}") for value, label in EXISTS.items())
    elif name in duplicates and name:
        message = f"Two collections of this migration have the name “{name}”."
    else:
        return
    free = names.suggest(name, used, "collection")
    yield Problem(
        message, field="target", fixes=(ProblemFix(f"Use {free}", urlencode({"target": free})), *fixes)
    )


def _same_collection(table: MappingTable, used: set[str]) -> Iterator[Problem]:
    """The problem of a collection that is to be replaced or added to, but is read by this migration."""
    existing = table.existing
    if existing is not None and existing.source:
        fault = refusal(existing.schema.name, existing.source, used)
        fixes = tuple(problem_fix(fix, "", table) for fix in fault.fixes)
        yield replace(_place(fault, ""), fixes=fixes)


def _faults(table: MappingTable, facts: TargetFacts, used: set[str]) -> Iterator[Problem]:
    """The problems of the plan. A legal name that is suggested for the collection is added to ``used``, so
    that no other collection gets it too."""
    anchors, added = {f.name: anchor(f.name) for f in table.schema.fields}, _added(table)
    partitions = _partition_controls(table)
    # A key that is not chosen yet is checked as Auto ID, which has no faults.
    plan = table.plan.model_copy(update={"key": AUTO}) if is_unfinished(table.plan) else table.plan
    for fault in preflight.check_collection(plan, table.schema, facts.capabilities, table.added_to):
        place = FIELD_PATH.match(fault.path)
        row = anchors.get(fault.field) or (added.get(int(place[1]), "") if place else "")
        row = row or _row_of_index(fault, plan)
        problem = _place(fault, row)
        if table.copied is not None and not row and is_of_schema(fault):
            problem = replace(problem, field=COPIED)
        elif fault.option in partitions:
            problem = replace(problem, field=partitions[fault.option])
        if fault.option == "collection_target" and fault.fixes:
            free = names.suggest(fault.fixes[0].value, used, "collection")
            used.add(free)
            fault = replace(fault, fixes=(Fix(f"Use {free}", "target", free),))
        yield replace(problem, fixes=tuple(problem_fix(fix, row, table) for fix in fault.fixes))


def with_losses(found: Sequence[Problem], table: MappingTable, losses: Sequence[Fault]) -> list[Problem]:
    """Return the problems of a table with the counted ``losses`` of all its rows, which replace the warnings
    about the sample."""
    lost = []
    for fault in losses:
        row = anchor(fault.field) if fault.field else ""
        problem = replace(_place(fault, row), is_warning=True)
        lost.append(replace(problem, fixes=tuple(problem_fix(fix, row, table) for fix in fault.fixes)))
    known = {problem.anchor for problem in lost}
    return [*(p for p in found if p.code != "limit_too_small" or p.anchor not in known), *lost]


def _partition_controls(table: MappingTable) -> dict[str, str]:
    """Return the controls of the names of partitions, by the option of the plan that they change."""
    named = list(table.plan.source_partitions)[:NAMED_PARTITIONS]
    return {partition_path(source): f"{PARTITION_NAME}{place}" for place, source in enumerate(named)}


def _column(option: str) -> str:
    """Return the part of a row that shows the problems of an option or a control."""
    return "index" if option.startswith(PARAM) else COLUMNS.get(option, "options")


def _row_of_index(fault: Fault, plan: CollectionPlan) -> str:
    """Return the anchor of the row of the vector whose index has the fault; empty if it has no row."""
    place = INDEX_PATH.match(fault.path)
    indexes = plan.indexes or []
    target = indexes[int(place[1])].field if place and int(place[1]) < len(indexes) else None
    fields = (f.source for f in plan.fields or () if f.target == target and not f.dynamic and f.source)
    return next((anchor(source) for source in fields), "")


def page_text(fault: Fault, *, has_buttons: bool) -> str:
    """Return the message as a page shows it: with its hint if there are no buttons, without plan lines."""
    return fault.message if has_buttons else f"{fault.message} {without_plan_lines(fault.hint)}".strip()


def without_plan_lines(text: str) -> str:
    """Return a sentence without its end that says what to write in a plan file."""
    return re.split(r" In (?:a|the) plan file[:,] ", text)[0]


def _place(fault: Fault, row: str) -> Problem:
    """Return the problem with the place of its control. The hint is added only if there is no fix."""
    message = page_text(fault, has_buttons=bool(fault.fixes))
    is_warning = fault.severity == "warning"
    option = re.split(r"[.\[]", fault.option)[0]
    if row and (option not in SETTINGS or option in OF_ROWS):
        column = _column(option)
        return Problem(message, row, column, is_warning=is_warning, code=fault.code)
    return Problem(message, field=SETTINGS.get(option, "target"), is_warning=is_warning, code=fault.code)


def problem_fix(fix: Fix, row: str, table: MappingTable) -> ProblemFix:
    """Return the fix as a button that sends it with the form."""
    value = fix.value
    if fix.option == "key":
        value = AUTO if fix.value == AUTO else key_choices.choice_of(fix.value, table.schema)
    if fix.option == "partition_key":
        fields = table.plan.fields or ()
        value = next((f.source or "" for f in fields if f.target == fix.value), "")
    control = CONTROLS.get(fix.option) or _partition_controls(table).get(fix.option, fix.option)
    is_of_row = row and fix.option not in (*SETTINGS, "dynamic_field")
    name = f"{row}-{control}" if is_of_row else control
    also = ((f"{row}-{option}", text) for option, text in fix.also)
    return ProblemFix(fix.label, urlencode([(name, value), *also]))


def blocking(problems: Sequence[Problem]) -> list[Problem]:
    """Return the problems that prevent the start of the migration."""
    return [problem for problem in problems if not problem.is_warning]


def applied(data: QueryDict, fix: str) -> QueryDict:
    """Return the sent form data with a fix applied. As in a browser, a checkbox that is off is left out."""
    changed = data.copy()
    changed.pop("fix", None)
    for control, value in parse_qsl(fix, keep_blank_values=True):
        changed.pop(control, None)
        is_tick = control.rpartition("-")[2] in TICKS
        if not (is_tick and value in ("", "false")):
            changed[control] = value
    return changed
