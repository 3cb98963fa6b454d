"""Rows of the mapping table for the template: the controls of each field, and notes for the user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from console.draft.snapshot import TargetFacts
from console.format import number
from console.schema.control_values import shown
from console.schema.forms.field import FieldForm, index_choice
from console.schema.forms.index import PARAM
from console.schema.problems import Problem
from console.schema.table import FieldRow, MappingTable, Placement
from migrations_app.engine.log import counted
from migrations_app.engine.milvus.features import INTRODUCED_IN
from migrations_app.engine.model.key_paths import level
from migrations_app.engine.model.source_schema import SourceField
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.planning.target_names import why_renamed

DETAILS = ("default", "too_long", "misfit")  # controls that are folded away
CONTROLS = (
    *("include", "target", "type", "max_length", "max_capacity", "raise_limit"),
    *("metric", "index_type"),
    *("nullable", "absent", "on_null", "fill_null", "dynamic", *DETAILS),
)
DEFAULT_LENGTH = 24


def row_context(
    row: FieldRow, table: MappingTable, form: FieldForm, facts: TargetFacts, problems: list[Problem]
) -> dict[str, Any]:
    """Return the context of ``schema/_field_row.html``. A control that the row does not have is None."""
    controls = {name: form[name] if name in form.fields else None for name in CONTROLS}
    is_last_vector = row.is_vector and row.placement is Placement.FIXED and _vectors(table) == 1
    return (
        controls
        | _index_context(row, table, form, facts)
        | {
            "anchor": row.anchor,
            "source_name": row.name,
            "native_type": row.source.native_type,
            "tag": "KEY" if row.is_key else f"KEY {row.part}" if row.part else "",
            "is_vector": row.is_vector,
            "is_added": row.added is not None,
            "opened_from": row.source.opened_from,
            "level": level(row.source),
            "facts": ", ".join(_facts(row.source)),
            "can_open": row.source.can_open and not row.source.is_rest,
            "is_open": row.is_open,
            "samples": list(row.source.samples[:3]),
            "note": _note(row, table),
            "moves": row.placement is not Placement.LEFT,
            "is_old_key": table.is_old_key(row.source.name),
            "is_dynamic": row.placement is Placement.DYNAMIC,
            "locked": row.is_key or is_last_vector,
            "left_out_reason": row.reason,
            "left_note": _left_note(row, table, facts),
            "type_text": str(row.choice.spec) if row.choice else "",
            "length_note": _length_note(row),
            "options_text": _options_text(row, table, facts),
            "details": _details(row),
            "is_details_open": any(form[name].errors for name in DETAILS if name in form.fields),
            "problems": [problem for problem in problems if problem.anchor == row.anchor],
        }
    )


def _index_context(row: FieldRow, table: MappingTable, form: FieldForm, facts: TargetFacts) -> dict[str, Any]:
    """Return what the row shows of the index: the controls of its parameters, and the source's own index."""
    params = [form[name] for name in form.fields if name.startswith(PARAM)]
    if "index_type" not in form.fields:
        return {"params": params, "index_note": ""}
    hint = index_choice(row, table, facts.capabilities).hint
    return {"params": params, "index_note": f"index in the source: {hint}" if hint else ""}


def _facts(source: SourceField) -> Iterator[str]:
    """Yield what the sample says about a document key: how many rows have it, and the kinds of its values."""
    if source.share is None:
        return
    yield "in all rows" if source.share == 1 else f"in {_percent(source.share)} of rows"
    if source.null_share:
        yield f"null in {_percent(source.null_share)}"
    if len(source.kinds) > 1:
        yield from (f"{kind} in {number(rows)}" for kind, rows in source.kinds)
    if source.longest_bytes:
        yield f"longest text {counted(source.longest_bytes, 'byte')}"
    if source.longest_items:
        yield f"at most {counted(source.longest_items, 'item')}"


def _percent(share: float) -> str:
    return f"{max(share, 0.01):.0%}".replace("%", " %")


def _details(row: FieldRow) -> str:
    """Return a short text for the folded settings; empty if they have their defaults."""
    default = shown(row.settings.default)
    if len(default) > DEFAULT_LENGTH:
        default = default[:DEFAULT_LENGTH] + "…"
    parts = [f"default {default}"] if row.settings.default is not None else []
    parts += ["longer text is cut"] if row.settings.too_long == "truncate" else []
    parts += ["type mismatches go to the dynamic field"] if row.settings.misfit == "dynamic" else []
    return ", ".join(parts)


def _vectors(table: MappingTable) -> int:
    return sum(bool(f.type) and MilvusType(f.type).is_vector for f in table.plan.fields or ())


def _note(row: FieldRow, table: MappingTable) -> str:
    reason = why_renamed(row.source, row.settings.target, table.schema)
    return " · ".join(filter(None, (f"renamed: {reason}" if reason else "", _what_it_is(row, table))))


def _what_it_is(row: FieldRow, table: MappingTable) -> str:
    if row.is_vector:
        metric, index = row.source.metric or "", table.index_on(row.settings.target)
        chosen = (index.metric or "") if index else ""
        return "" if metric in ("", chosen) else f"metric in the source: {metric}"
    if row.is_searched:
        made = next(f.output for f in table.plan.full_text if f.field == row.settings.target)
        return f"full-text search in {made}"
    return row.source.description


def _left_note(row: FieldRow, table: MappingTable, facts: TargetFacts) -> str:
    """Return a text for a field that is not moved as a field: where its values go, or why it is left out."""
    destination = "stays in the dynamic field" if table.plan.rest == "dynamic" else "left out"
    if row.source.opened_from:
        return destination
    if row.is_open:
        return "see its keys below"
    capabilities = facts.capabilities
    is_too_many = row.is_vector and _vectors(table) >= capabilities.max_vector_fields
    if is_too_many:
        return f"left out: {capabilities} allows {counted(capabilities.max_vector_fields, 'vector field')}"
    if row.source.left_out:
        return f"left out: {row.source.left_out.rstrip('.')}"
    if row.choice and row.choice.note and not row.choice.is_proposed:
        return f"left out: {row.choice.note.rstrip('.')}"
    return "left out"


def _length_note(row: FieldRow) -> str:
    parts = []
    if row.source.longest_bytes is not None and row.settings.max_length:
        parts.append(f"longest in the sample: {counted(row.source.longest_bytes, 'byte')}")
    if row.source.longest_items is not None and row.settings.max_capacity:
        parts.append(f"longest list in the sample: {counted(row.source.longest_items, 'item')}")
    if row.source.is_sampled and not row.source.opened_from:
        parts.append("types seen in a sample only")
    if row.settings.raise_limit:
        parts.append("the job raises the limit in the collection")
    note = row.choice.note.rstrip(".") if row.choice else ""
    return " · ".join([*parts, note] if note else parts)


def _options_text(row: FieldRow, table: MappingTable, facts: TargetFacts) -> str:
    if row.is_key:
        return "primary key"
    if row.is_partition_key:
        return "partition key, never null"
    if row.choice and row.choice.spec.type.is_vector:
        return ""
    if not facts.capabilities.nullable and row.source.nullable and not row.source.opened_from:
        return f"nullable needs {INTRODUCED_IN['nullable']} or later"
    if row.placement is Placement.DYNAMIC:
        return "in the dynamic field"
    if row.settings.nullable and row.settings.default is not None:
        return "null becomes the default"
    return ""
