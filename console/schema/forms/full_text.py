"""Full-text search: a line of controls for each field that is searched by its words, and an empty one.

A line names its field by the anchor of its row: a rename does not change it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from console.schema.parse.taking import Taking
from console.schema.table import Fate, Row, Sheet
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.names import free_name
from migrations_app.engine.model.plan import FieldPlan, FullTextPlan
from migrations_app.engine.model.types import MilvusType

PREFIX = "words"
NAME_LENGTH = 255


class FullTextForm(forms.Form):
    """One line. Its settings stand in ``now``; None: a line to add another."""

    field = forms.ChoiceField(label="Field", required=False)
    output = forms.CharField(label="Vectors in", required=False, max_length=NAME_LENGTH)
    analyzer = forms.ChoiceField(required=False)

    def __init__(
        self,
        number: int,
        rows: Sequence[Row],
        now: FullTextPlan | None,
        has: Capabilities,
        typed: Mapping[str, Any],
        data: Mapping[str, Any] | None = None,
    ) -> None:
        prefix = f"{PREFIX}{number}"
        super().__init__(data, prefix=prefix, initial=_initial(rows, now) | _typed(typed, prefix))
        self.now = now
        names = [(row.anchor, row.settings.target or row.name) for row in rows]
        self.fields["field"].choices = [("", "add a field…" if now is None else "no field"), *names]
        known = dict.fromkeys([*has.analyzers, *([now.analyzer] if now else [])])
        self.fields["analyzer"].choices = [(name, name) for name in known]
        if now is None:
            del self.fields["output"], self.fields["analyzer"]


def _initial(rows: Sequence[Row], now: FullTextPlan | None) -> dict[str, Any]:
    if now is None:
        return {"field": ""}
    found = next((row.anchor for row in rows if row.settings.target == now.field), "")
    return {"field": found, "output": now.output, "analyzer": now.analyzer}


def _typed(typed: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        key.removeprefix(f"{prefix}-"): value.text
        for key, value in typed.items()
        if key.startswith(f"{prefix}-")
    }


def full_text_forms(
    sheet: Sheet, has: Capabilities, data: Mapping[str, Any] | None = None
) -> list[FullTextForm]:
    """A line for each entry of the plan and one more; none where the target cannot search so."""
    rows = [row for row in sheet.rows(has) if _is_text(row)]
    entries = sheet.plan.full_text
    free = [row for row in rows if row.settings.target not in {entry.field for entry in entries}]
    if not has.full_text:
        return []
    lines = [FullTextForm(n, rows, entry, has, sheet.typed, data) for n, entry in enumerate(entries)]
    last = [FullTextForm(len(entries), free, None, has, sheet.typed, data)] if free else []
    return [*lines, *last]


def _is_text(row: Row) -> bool:
    is_field = row.fate is Fate.FIXED and not row.is_key and row.added is None
    return is_field and row.settings.type == MilvusType.VARCHAR


def read_full_text(
    lines: Sequence[FullTextForm], fields: Mapping[str, FieldPlan], has: Capabilities, taking: Taking
) -> list[FullTextPlan]:
    """The entries as sent. ``fields`` are those of the collection by the anchors of their rows: one that
    holds no text any more is searched no more."""
    found: list[FullTextPlan] = []
    taken = {field.target or "" for field in fields.values()}
    for line in lines:
        chosen = taking.take(line, "field", str, line.initial["field"])
        field = fields.get(chosen)
        if field is None or field.type != MilvusType.VARCHAR:
            continue
        target = field.target or ""
        usual = free_name(f"{target}_words", taken)
        output = taking.take(line, "output", str, line.now.output if line.now else usual) or usual
        analyzer = taking.take(line, "analyzer", str, line.now.analyzer if line.now else has.analyzers[0])
        found.append(FullTextPlan(field=target, output=output, analyzer=analyzer or has.analyzers[0]))
        taken.add(output)
    return found
