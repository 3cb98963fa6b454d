"""The rows of the mapping table as the template shows them: controls beside what a person should know."""

from __future__ import annotations

from typing import Any

from console.forms.mapping import FieldForm
from console.forms.values import shown
from console.problems import Problem
from console.sheet import Fate, Row, Sheet
from console.stored import TargetFacts
from console.words import number
from migrations_app.engine.milvus.features import BROUGHT_BY
from migrations_app.engine.schema import MilvusType

DETAILS = ("default", "too_long")  # behind the fold
CONTROLS = (
    *("include", "target", "type", "max_length", "max_capacity", "nullable", "on_null", "fill_null"),
    *("dynamic", *DETAILS),
)
DEFAULT_LENGTH = 24


def row_context(
    row: Row, sheet: Sheet, form: FieldForm, facts: TargetFacts, found: list[Problem]
) -> dict[str, Any]:
    """What ``_field_row.html`` is given; of the controls, None are those that the row does not have."""
    controls = {name: form[name] if name in form.fields else None for name in CONTROLS}
    is_last_vector = row.source.is_vector and row.fate is Fate.FIXED and _vectors(sheet) == 1
    return controls | {
        "anchor": row.anchor,
        "source_name": row.source.name,
        "native_type": row.source.native_type,
        "is_key": row.is_key,
        "is_vector": row.source.is_vector,
        "samples": list(row.source.samples[:3]),
        "note": _note(row, sheet),
        "moves": row.fate is not Fate.LEFT,
        "locked": row.is_key or is_last_vector,
        "left_out_reason": row.reason,
        "left_note": _left_note(row, sheet, facts),
        "type_text": str(row.choice.spec) if row.choice else "",
        "length_note": _length_note(row),
        "options_text": _options_text(row, facts),
        "details": _details(row),
        "is_details_open": any(form[name].errors for name in DETAILS if name in form.fields),
        "problems": [problem for problem in found if problem.anchor == row.anchor],
    }


def _details(row: Row) -> str:
    """What is set behind the fold, in few words; empty where it is as always."""
    default = shown(row.settings.default)
    if len(default) > DEFAULT_LENGTH:
        default = default[:DEFAULT_LENGTH] + "…"
    parts = [f"default {default}"] if row.settings.default is not None else []
    return ", ".join([*parts, "longer text is cut"] if row.settings.too_long == "truncate" else parts)


def _vectors(sheet: Sheet) -> int:
    return sum(bool(f.type) and MilvusType(f.type).is_vector for f in sheet.plan.fields or ())


def _note(row: Row, sheet: Sheet) -> str:
    if row.source.is_vector:
        index = next((i for i in sheet.plan.indexes or () if i.field == row.settings.target), None)
        metric = row.source.metric or (index.metric if index else None) or "COSINE"
        return f"metric {metric}" + (", from the source's index" if row.source.metric else "")
    return row.source.description


def _left_note(row: Row, sheet: Sheet, facts: TargetFacts) -> str:
    """Why a field that could move was proposed as left out."""
    has = facts.capabilities
    is_too_many = row.source.is_vector and _vectors(sheet) >= has.max_vector_fields
    return f"{has} takes {number(has.max_vector_fields)} of them" if is_too_many else ""


def _length_note(row: Row) -> str:
    parts = []
    if row.source.longest_bytes is not None and row.settings.max_length:
        parts.append(f"longest in the sample: {number(row.source.longest_bytes)}")
    if row.source.longest_items is not None and row.settings.max_capacity:
        parts.append(f"most items in the sample: {number(row.source.longest_items)}")
    note = row.choice.note.rstrip(".") if row.choice else ""
    return " · ".join([*parts, note] if note else parts)


def _options_text(row: Row, facts: TargetFacts) -> str:
    if row.is_key:
        return "primary key"
    if row.is_partition_key:
        return "partition key, never null"
    if row.choice and row.choice.spec.type.is_vector:
        return "" if facts.capabilities.null_vectors else "rows without it are skipped and counted"
    if not facts.capabilities.nullable and row.source.nullable:
        return f"nullable needs {BROUGHT_BY['nullable']} or later"
    if row.fate is Fate.DYNAMIC:
        return "in the dynamic field"
    if row.settings.nullable and row.settings.default is not None:
        return "a null becomes the default"
    return ""
