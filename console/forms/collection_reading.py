"""The settings of the collection as they were sent, read back into its sheet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from console import key_choices
from console.forms.collection import CollectionForm
from console.forms.taking import Taking
from console.forms.values import whole
from console.sheet import Sheet
from migrations_app.engine.milvus.capabilities import Capabilities

TICKS = ("dynamic_field", "keep_source_key")


def read_collection(sheet: Sheet, has: Capabilities, form: CollectionForm, taking: Taking) -> Sheet:
    """All but the partition key, which depends on the rows."""
    plan = sheet.plan
    changes: dict[str, Any] = {
        "target": taking.take(form, "target", str, plan.target),
        "description": taking.take(form, "description", str, plan.description),
        "shards": taking.take(form, "shards", whole, plan.shards),
        "key": _key(sheet, has, form, taking),
    }
    # A tick that is taken away is not sent: the target's name, always there, tells that the form was.
    if "target" in form.data:
        changes |= {name: name in form.data for name in TICKS if name in form.fields}
    return replace(sheet, plan=plan.model_copy(update=changes))


def _key(sheet: Sheet, has: Capabilities, form: CollectionForm, taking: Taking) -> str | list[str] | None:
    now = key_choices.chosen(sheet.plan, sheet.schema)
    choice = taking.take(form, "key", str, now)
    return sheet.plan.key if choice == now else key_choices.key_of(choice, sheet.plan, sheet.schema, has)
