"""The mapping table as it was sent, read back into its sheet.

What is typed and is no value is not refused: the sheet keeps it with the reason, and the plan keeps the last
value that was one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from console.schema.defaults import completed
from console.schema.forms.collection import PARTITION_BY, PARTITION_KEY, CollectionForm, may_partition
from console.schema.forms.full_text import full_text_forms, read_full_text
from console.schema.parse.collection import read_collection
from console.schema.parse.row import read_row
from console.schema.parse.taking import Taking
from console.schema.table import Fate, Row, Sheet
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.plan import FieldPlan, FullTextPlan


def read(
    sheet: Sheet, has: Capabilities, data: Mapping[str, Any], locked: frozenset[str] = frozenset()
) -> Sheet:
    """The sheet as a form sent it. What was not sent stays as it was; nothing sent can make it fail."""
    taking = Taking()
    form = CollectionForm(sheet, has, locked, data)
    lines = full_text_forms(sheet, has, data)
    partition = taking.take(form, "partition_key", str, form.initial["partition_key"])
    before = {row.anchor: row for row in sheet.rows(has)}
    sheet = read_collection(sheet, has, form, taking)
    planned: dict[str, FieldPlan] = {}
    spare: dict[str, FieldPlan] = {}
    partition_key = None
    for row in sheet.rows(has):
        settings, fate = read_row(row, before[row.anchor], sheet, has, data, locked, taking)
        if partition == PARTITION_KEY + row.source.name and fate is not Fate.LEFT and may_partition(row):
            partition_key, fate = settings.target, Fate.FIXED
            settings = settings.model_copy(update={"nullable": False})
        if fate is not Fate.FIXED and row.choice is not None and row.added is None:
            spare[row.source.name] = settings
        if fate is not Fate.LEFT:
            planned[row.anchor] = _planned(row, settings, fate)
    fixed = {place: field for place, field in planned.items() if not field.dynamic}
    searched = read_full_text(lines, fixed, has, taking)
    fields = [_never_null(f, searched, has) for f in planned.values()]
    changes: dict[str, Any] = {"fields": fields, "partition_key": partition_key, "full_text": searched}
    by = partition.removeprefix(PARTITION_BY) if partition.startswith(PARTITION_BY) else None
    if by != sheet.plan.partition_by:
        changes |= {"partition_by": by, "partitions": {}}
    plan = sheet.plan.model_copy(update=changes)
    return completed(replace(sheet, plan=plan, spare=spare, typed=taking.typed, is_edited=True), has)


def _planned(row: Row, settings: FieldPlan, fate: Fate) -> FieldPlan:
    """The settings as the plan holds them."""
    if fate is not Fate.DYNAMIC:
        return settings.model_copy(update={"dynamic": False, "as_": None})
    off: dict[str, Any] = {"target": None, "nullable": None, "default": None, "fill_null": None}
    off |= {"too_long": "reject", "misfit": "reject", "max_length": None, "max_capacity": None}
    if row.source.opened_from:  # it goes there as it is
        off |= {"type": None, "element_type": None}
    return settings.model_copy(update={"dynamic": True, "as_": settings.target, **off})


def _never_null(field: FieldPlan, searched: list[FullTextPlan], has: Capabilities) -> FieldPlan:
    """A text that is searched by its words is never NULL where the target cannot search it then."""
    if has.full_text_null or field.target not in {entry.field for entry in searched}:
        return field
    return field.model_copy(update={"nullable": False})
