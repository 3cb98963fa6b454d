"""Fixes of a mapping table: applies one without the page, as if its button was pressed there."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict

from console.html_anchors import anchor
from console.schema import problems
from console.schema.forms.field import FieldForm
from console.schema.parse.table import read
from console.schema.table import MappingTable
from migrations_app.engine.endpoint import SettingsModel
from migrations_app.engine.faults import Fix
from migrations_app.engine.milvus.capabilities import Capabilities


def with_fix(
    table: MappingTable, fix: Fix, field: str, capabilities: Capabilities, options: type[SettingsModel]
) -> MappingTable:
    """Return the table after a fix of the source field ``field``; empty for the collection itself."""
    place = anchor(field) if field else ""
    row = next((row for row in table.rows(capabilities) if row.anchor == place), None)
    data = QueryDict(mutable=True)
    if row is not None:
        data.update(_sent(FieldForm(row, table, capabilities)))
    pressed = problems.problem_fix(fix, place, table).value
    return read(table, capabilities, problems.applied(data, pressed), options)


def _sent(form: forms.Form) -> dict[str, str]:
    """Return what a browser sends for the controls as they are. It does not send a checkbox that is off."""
    sent: dict[str, str] = {}
    for name, control in form.fields.items():
        value: Any = form.initial.get(name)
        if not isinstance(control, forms.BooleanField):
            sent[form.add_prefix(name)] = "" if value is None else str(value)
        elif value:
            sent[form.add_prefix(name)] = "on"
    return sent
