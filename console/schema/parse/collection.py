"""The settings of the collection as they were sent, read back into its sheet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from console.schema import key_choices
from console.schema.forms.collection import CollectionForm
from console.schema.key_choices import JOINED
from console.schema.parse.submitted import SubmittedForm
from console.schema.parse.values import whole
from console.schema.table import MappingTable, Placement
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.plan import AUTO
from migrations_app.engine.planning import defaults

TICKS = ("dynamic_field", "keep_source_key", "skip_null_vectors")
TEXTS = ("target", "description", "if_exists", "rest")


def read_collection(
    table: MappingTable, capabilities: Capabilities, form: CollectionForm, submitted: SubmittedForm
) -> MappingTable:
    """All but what depends on the rows: the partition key and full-text search."""
    plan = table.plan
    changes: dict[str, Any] = {name: submitted.take(form, name, str, getattr(plan, name)) for name in TEXTS}
    changes |= {"shards": submitted.take(form, "shards", whole, plan.shards)}
    # A tick that is taken away is not sent: the target's name, always there, tells that the form was.
    if "target" in form.data:
        changes |= {name: name in form.data for name in TICKS if name in form.fields}
        changes |= _tick_of_old_key(table, capabilities, form)
    changes |= _key(table, capabilities, form, submitted)
    return replace(table, plan=plan.model_copy(update=changes))


def _tick_of_old_key(table: MappingTable, capabilities: Capabilities, form: CollectionForm) -> dict[str, Any]:
    """Beside Auto ID the tick in the old key's own row says the same as the setting: whichever was changed
    counts."""
    for row in table.rows(capabilities):
        is_ticked = f"{row.anchor}-include" in form.data
        if table.is_old_key(row.source.name) and is_ticked != (row.placement is not Placement.LEFT):
            return {"keep_source_key": is_ticked}
    return {}


def _key(
    table: MappingTable, capabilities: Capabilities, form: CollectionForm, submitted: SubmittedForm
) -> dict[str, Any]:
    """The key and, where it is no field, its name and length: proposed anew where nobody chose them."""
    plan = table.plan
    now = key_choices.chosen(plan, table.schema)
    choice = submitted.take(form, "key", str, now)
    if choice != now:
        key = key_choices.key_of(choice, plan, table.schema, capabilities)
        # An old key that could not be the new one stays beside new keys, unless somebody says otherwise.
        old = table.schema.key.columns if table.schema.key else ()
        keeps = key == AUTO and len(old) == 1 and key_choices.own_key(table.schema, capabilities) is None
        return {"key": key, "key_name": None, "key_max_length": None, "keep_source_key": keeps}
    nobody = plan.model_copy(update={"key_name": None, "key_max_length": None})
    usual = defaults.complete(nobody, table.schema, capabilities, existing=table.added_to)
    name = submitted.take(form, "key_name", str, plan.key_name)
    length = submitted.take(form, "key_max_length", whole, plan.key_max_length)
    return {
        "key": _parts(table, form, submitted) if choice == JOINED else plan.key,
        "key_name": None if name in ("", usual.key_name) else name,
        "key_max_length": None if length == usual.key_max_length else length,
    }


def _parts(table: MappingTable, form: CollectionForm, submitted: SubmittedForm) -> list[str]:
    """The parts that were picked, in their order, each once; as they were where none was sent."""
    before = list(table.plan.key_columns)
    picked = [
        submitted.take(form, field.name, str, before[place] if place < len(before) else "")
        for place, field in enumerate(form.parts)
    ]
    return list(dict.fromkeys(filter(None, picked)))
