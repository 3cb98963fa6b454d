"""The mapping table as it was sent, read back into its sheet.

What is typed and is no value is not refused: the sheet keeps it with the reason, and the plan keeps the last
value that was one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from console.forms.collection import PARTITION_KEY, CollectionForm, may_partition
from console.forms.collection_reading import read_collection
from console.forms.row_reading import read_row
from console.forms.taking import Taking
from console.sheet import Fate, Sheet, completed
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.plan import FieldPlan


def read(
    sheet: Sheet, has: Capabilities, data: Mapping[str, Any], locked: frozenset[str] = frozenset()
) -> Sheet:
    """The sheet as a form sent it. What was not sent stays as it was; nothing sent can make it fail."""
    taking = Taking()
    form = CollectionForm(sheet, has, locked, data)
    partition = taking.take(form, "partition_key", str, form.initial["partition_key"])
    before = {row.source.name: row for row in sheet.rows(has)}
    sheet = read_collection(sheet, has, form, taking)
    planned: list[FieldPlan] = []
    spare: dict[str, FieldPlan] = {}
    partition_key = None
    for row in sheet.rows(has):
        was = before[row.source.name]
        is_new, was_key = bool(was.reason), was.is_key
        settings, fate = read_row(row, sheet, has, data, locked, taking, is_new=is_new, was_key=was_key)
        if partition == PARTITION_KEY + row.source.name and fate is not Fate.LEFT and may_partition(row):
            partition_key, fate = settings.target, Fate.FIXED
            settings = settings.model_copy(update={"nullable": False})
        if fate is not Fate.FIXED and row.choice is not None:
            spare[row.source.name] = settings
        if fate is not Fate.LEFT:
            planned.append(_planned(settings, fate))
    plan = sheet.plan.model_copy(update={"fields": planned, "partition_key": partition_key})
    return completed(replace(sheet, plan=plan, spare=spare, typed=taking.typed, is_edited=True), has)


def _planned(settings: FieldPlan, fate: Fate) -> FieldPlan:
    """The settings as the plan holds them."""
    if fate is Fate.DYNAMIC:
        off = {"target": None, "nullable": None, "default": None, "fill_null": None, "too_long": "reject"}
        return settings.model_copy(update={"dynamic": True, "as_": settings.target, **off})
    return settings.model_copy(update={"dynamic": False, "as_": None})
