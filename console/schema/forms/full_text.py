"""Forms of full-text search: one line for each field with full-text search, and an empty line to add one.

A line refers to its field by the anchor of the row, which a rename does not change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from console.schema.table import FieldRow, MappingTable, Placement
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.names import MAX_BYTES
from migrations_app.engine.model.plan import FullTextPlan
from migrations_app.engine.model.types import MilvusType

PREFIX = "words"


class FullTextForm(forms.Form):
    """One line. ``now`` holds its current settings; None is the line that adds a field."""

    field = forms.ChoiceField(label="Field", required=False)
    output = forms.CharField(label="Output field", required=False, max_length=MAX_BYTES)
    analyzer = forms.ChoiceField(required=False)

    def __init__(
        self,
        number: int,
        rows: Sequence[FieldRow],
        now: FullTextPlan | None,
        capabilities: Capabilities,
        invalid_inputs: Mapping[str, Any],
        data: Mapping[str, Any] | None = None,
    ) -> None:
        prefix = f"{PREFIX}{number}"
        super().__init__(
            data, prefix=prefix, initial=_initial(rows, now) | _invalid_texts(invalid_inputs, prefix)
        )
        self.now = now
        names = [(row.anchor, row.settings.target or row.name) for row in rows]
        self.fields["field"].choices = [("", "Add a field…" if now is None else "No field"), *names]
        known = dict.fromkeys([*capabilities.analyzers, *([now.analyzer] if now else [])])
        self.fields["analyzer"].choices = [(name, name) for name in known]
        if now is None:
            del self.fields["output"], self.fields["analyzer"]


def _initial(rows: Sequence[FieldRow], now: FullTextPlan | None) -> dict[str, Any]:
    if now is None:
        return {"field": ""}
    place = next((row.anchor for row in rows if row.settings.target == now.field), "")
    return {"field": place, "output": now.output, "analyzer": now.analyzer}


def _invalid_texts(invalid_inputs: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        key.removeprefix(f"{prefix}-"): value.text
        for key, value in invalid_inputs.items()
        if key.startswith(f"{prefix}-")
    }


def full_text_forms(
    table: MappingTable, capabilities: Capabilities, data: Mapping[str, Any] | None = None
) -> list[FullTextForm]:
    """Return a line for each entry of the plan and an empty one; no lines if the target has no full-text
    search."""
    rows = [row for row in table.rows(capabilities) if _is_text(row)]
    entries = table.plan.full_text
    if table.copied is not None:
        # The full-text search of the source itself cannot be changed.
        own = {entry.field for entry in entries if entry.output in table.copied.outputs}
        entries = [entry for entry in entries if entry.field not in own]
        can_be_null = capabilities.full_text_null
        rows = [
            row
            for row in rows
            if row.settings.target not in own and (can_be_null or not row.settings.nullable)
        ]
    free = [row for row in rows if row.settings.target not in {entry.field for entry in entries}]
    if not capabilities.full_text:
        return []
    lines = [
        FullTextForm(n, rows, entry, capabilities, table.invalid_inputs, data)
        for n, entry in enumerate(entries)
    ]
    last = [FullTextForm(len(entries), free, None, capabilities, table.invalid_inputs, data)] if free else []
    return [*lines, *last]


def _is_text(row: FieldRow) -> bool:
    is_field = row.placement is Placement.FIXED and not row.is_key and row.added is None
    return is_field and row.settings.type == MilvusType.VARCHAR
