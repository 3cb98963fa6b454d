"""Plan file: the paths of faults in the file as it was written, the lines that fix them, and notes on the
fields that it leaves out.

The rules check a completed collection. Its list of fields can be longer than that of the plan.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from migrations_app.engine.faults import Fault, Fix, quoted
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.plan import CollectionPlan, FieldPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField
from migrations_app.engine.model.target_schema import TargetSchema
from migrations_app.engine.planning.type_choices import choice_of, left_out

_FIELD = re.compile(r"fields\[(\d+)\]")
# The values of these keys are texts; without quotes, YAML would read some texts as something else.
_TEXTS = frozenset({"source", "target", "as", "key", "key_name", "partition_key"})
_OTHER_THAN_TEXT = re.compile(r"null|true|false|yes|no|on|off|y|n|-?\d.*", re.I)
_PLAIN = re.compile(r"[A-Za-z_][\w.$/() =]*|-?\d+(\.\d+)?")


def as_written(fault: Fault, written: CollectionPlan, completed: CollectionPlan) -> Fault:
    """Return a fault of ``completed``, with its path in ``written`` and with the lines that fix it."""
    found = _FIELD.match(fault.path)
    is_listed = written.fields is not None
    path = fault.path
    if found is not None and written.fields is not None:
        place = _place(written, (completed.fields or ())[int(found[1])])
        path = "fields" if place is None else f"fields[{place}]{path[found.end() :]}"
    lines = fault.typed or [_line(fix, fault.field if found else "") for fix in fault.fixes]
    typed = tuple(line if is_listed else _overriding(line) for line in lines if line)
    return replace(fault, path=path, typed=typed)


def with_lines(fault: Fault) -> Fault:
    """Return a fault that is not one of a field, with the lines that fix it."""
    lines = (_line(fix, "") for fix in fault.fixes)
    return replace(fault, typed=fault.typed or tuple(line for line in lines if line))


def _place(written: CollectionPlan, field: FieldPlan) -> int | None:
    """Return the number of the field in the list of the plan; None if it is not listed."""
    for place, listed in enumerate(written.fields or ()):
        is_same = listed.target == field.target if field.added else listed.source == field.source
        if is_same and listed.added == field.added:
            return place
    return None


def _line(fix: Fix, source: str) -> str:
    """Return the line of a plan file that does the same as ``fix``; empty if the fix removes a line."""
    if fix.option == "select":
        return f"select: {flow(json.loads(fix.value))}"
    if not fix.value:
        return ""
    is_of_field = source and fix.option in {*FieldPlan.model_fields, "as"}
    if not is_of_field:
        return f"{fix.option}: {_scalar(fix.value, fix.option)}"
    also = {name: value for name, value in fix.also if (name, value) != ("include", "true")}
    return flow({"source": source, **also, fix.option: fix.value})


def _overriding(line: str) -> str:
    """Return the line for a plan without a list of fields: an entry of a field becomes the only one."""
    return f"override: true\nfields: [{line}]" if line.startswith("{") else line


def flow(entry: Mapping[str, str]) -> str:
    """Return a mapping of texts in one line of YAML."""
    return "{" + ", ".join(f"{key}: {_scalar(value, key)}" for key, value in entry.items()) + "}"


def _scalar(text: str, option: str) -> str:
    is_plain = _PLAIN.fullmatch(text) and not (option in _TEXTS and _OTHER_THAN_TEXT.fullmatch(text))
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def left_out_notes(
    written: CollectionPlan,
    completed: CollectionPlan,
    schema: CollectionSchema,
    capabilities: Capabilities,
    append_to: TargetSchema | None,
) -> tuple[str, ...]:
    """Return a note for each source field that the defaults leave out: the reason, and how to move it."""
    if written.fields is not None and not written.override:
        return ()
    chosen = {field.source for field in (*(completed.fields or ()), *(written.fields or ()))}
    reasons = left_out(schema, capabilities, len(completed.full_text))
    usual = "Auto ID creates new keys"
    if append_to is not None:
        usual = f"“{append_to.name}” has no field with this name"
    return tuple(
        " ".join(
            (
                f"“{field.name}” is left out: {reasons.get(field.name, usual).rstrip('.')}.",
                *(_how_to_move(field, completed, capabilities) if append_to is None else ()),
            )
        )
        for field in schema.fields
        if field.name not in chosen and not field.opened_from and field.name not in completed.open
    )


def _how_to_move(field: SourceField, completed: CollectionPlan, capabilities: Capabilities) -> Iterator[str]:
    choice = choice_of(field, capabilities)
    if choice is None:
        return
    if not choice.is_proposed:
        line = _overriding(flow({"source": field.name, "type": choice.spec.type.value}))
        yield f"To move it, tick it on Configure Schema; in a plan file, write {quoted(line)}."
    elif completed.is_auto_id and not choice.spec.type.is_vector:
        keep = "To keep it as an ordinary field, see Advanced settings"
        yield f"{keep}; in a plan file, write “keep_source_key: true”."
