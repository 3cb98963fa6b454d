"""Step 3, Configure Schema: the mapping table of one collection as the template shows it."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from console import drafts, problems, sheets
from console.forms.mapping import CollectionForm, FieldForm
from console.preview import preview
from console.problems import Problem
from console.sheet import Fate, Row, Sheet
from console.stored import TargetFacts
from console.words import number
from migrations_app.engine.connectors.base import CollectionInfo
from migrations_app.engine.connectors.registry import source_class
from migrations_app.engine.errors import FerryError
from migrations_app.engine.milvus.capabilities import BROUGHT_BY
from migrations_app.engine.schema import MilvusType
from migrations_app.models import Draft

EXISTS_TEXT = "a name that exists: error"


def locked(draft: Draft) -> frozenset[str]:
    return source_class(draft.kind).locked


def context(draft: Draft, index: int) -> dict[str, Any]:
    """Everything on the page of collection ``index``."""
    facts = drafts.target_facts(draft)
    assert facts is not None
    all_sheets = sheets.of(draft)
    found = problems.of_all(all_sheets, facts)
    errors = [problems.blocking(p) for p in found]
    sheet = all_sheets[index]
    shown, preview_error = _preview(sheet, bool(errors[index]))
    first = next(((n, p[0]) for n, p in enumerate(errors) if p), None)
    return {
        "tabs": [
            {
                "title": _title(draft, s),
                "url": url(draft, number),
                "problems": len(p),
                "current": number == index,
            }
            for number, (s, p) in enumerate(zip(all_sheets, errors, strict=True))
        ],
        "collection": _collection(draft, sheet, facts, found[index]),
        "preview": shown,
        "preview_error": preview_error,
        "problem_count": sum(map(len, errors)),
        "problem_text": _problem_text(draft, all_sheets, errors),
        "first_problem_url": f"{url(draft, first[0])}#{first[1].anchor or 'schema'}" if first else "",
    }


def url(draft: Draft, index: int = 0) -> str:
    return reverse("wizard_schema", args=[draft.pk, index] if index else [draft.pk])


def _preview(sheet: Sheet, is_faulty: bool) -> tuple[Any, FerryError | None]:
    if is_faulty:
        return None, None
    try:
        return preview(sheet), None
    except FerryError as error:
        return None, error


def _title(draft: Draft, sheet: Sheet) -> str:
    info = drafts.info(draft, sheet.schema.name)
    return info.label if info else sheet.schema.name


def _problem_text(draft: Draft, all_sheets: list[Sheet], found: list[list[Problem]]) -> str:
    parts = [
        f"{len(p)} problem{'' if len(p) == 1 else 's'} in {_title(draft, s)}"
        for s, p in zip(all_sheets, found, strict=True)
        if p
    ]
    return ", ".join(parts)


def _collection(draft: Draft, sheet: Sheet, facts: TargetFacts, found: list[Problem]) -> dict[str, Any]:
    has, is_locked = facts.capabilities, locked(draft)
    rows = sheet.rows(has)
    info = drafts.info(draft, sheet.schema.name)
    return {
        "source_name": sheet.schema.name,
        "rows": info.rows if info else sheet.schema.rows_estimate,
        "rows_exact": bool(info and info.rows_exact),
        "moving": sum(row.fate is not Fate.LEFT for row in rows),
        "total": len(rows),
        "warnings": warnings(sheet, info),
        "exists_text": EXISTS_TEXT,
        "form": CollectionForm(sheet, has, is_locked),
        "problems": [problem for problem in found if not problem.anchor],
        "fields": [_row(row, sheet, FieldForm(row, sheet, has, is_locked), facts, found) for row in rows],
    }


def warnings(sheet: Sheet, info: CollectionInfo | None) -> list[str]:
    """What a person should know before going on, though nothing is wrong."""
    texts = list(sheet.schema.notes)
    if sheet.plan.is_auto_id:
        kept = sheet.plan.keep_source_key
        what = (
            "stay as an ordinary field"
            if kept
            else "are discarded, unless you keep them as an ordinary field"
        )
        columns = sheet.schema.key.columns if sheet.schema.key else ()
        if len(columns) == 1:
            texts.append(f"Auto ID gives every row a new key. The old keys ({columns[0]}) {what}.")
        elif columns:
            names = ", ".join(columns)
            texts.append(
                f"The key is made of {names}: Auto ID gives every row a new one, and these stay fields."
            )
        else:
            texts.append("The source declares no key: Auto ID gives every row one.")
    if info and info.rows and info.rows > 1_000_000_000:
        texts.append("More than a billion rows: ask the operator of the target, or Zilliz, before you begin.")
    return texts


def _row(row: Row, sheet: Sheet, form: FieldForm, facts: TargetFacts, found: list[Problem]) -> dict[str, Any]:
    controls = {name: form[name] if name in form.fields else None for name in _CONTROLS}
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
        "problems": [problem for problem in found if problem.anchor == row.anchor],
    }


_CONTROLS = (
    "include",
    "target",
    "type",
    "max_length",
    "max_capacity",
    "nullable",
    "default",
    "on_null",
    "fill_null",
)


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


def next_url(draft: Draft) -> str:
    """The last step, or the first problem that is in its way."""
    facts = drafts.target_facts(draft)
    assert facts is not None
    for place, found in enumerate(problems.of_all(sheets.of(draft), facts)):
        if errors := problems.blocking(found):
            return f"{url(draft, place)}#{errors[0].anchor or 'schema'}"
    return reverse("wizard_migrate", args=[draft.pk])
