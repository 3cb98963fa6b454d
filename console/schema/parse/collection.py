"""Settings of the collection: reads the sent form into the mapping table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from console.schema import key_choices
from console.schema.control_values import whole
from console.schema.forms.collection import CollectionForm
from console.schema.key_choices import JOINED
from console.schema.parse.submitted import SubmittedForm
from console.schema.table import MappingTable, Placement
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.plan import AUTO
from migrations_app.engine.planning import defaults

TICKS = ("dynamic_field", "keep_source_key")
TEXTS = ("target", "description", "if_exists", "rest")


def read_collection(
    table: MappingTable, capabilities: Capabilities, form: CollectionForm, submitted: SubmittedForm
) -> MappingTable:
    """Return the table with all collection settings of the form, except the partition key and full-text
    search, which depend on the rows."""
    plan = table.plan
    changes: dict[str, Any] = {name: submitted.take(form, name, str, getattr(plan, name)) for name in TEXTS}
    changes |= {"shards": submitted.take(form, "shards", whole, plan.shards)}
    # A checkbox that is off is not sent. The target name is always sent, so it shows that the form was sent.
    if "target" in form.data:
        changes |= {name: name in form.data for name in TICKS if name in form.fields}
        changes |= _old_key_checkbox(table, capabilities, form)
    changes |= _key(table, capabilities, form, submitted)
    return replace(table, plan=plan.model_copy(update=changes))


def _old_key_checkbox(
    table: MappingTable, capabilities: Capabilities, form: CollectionForm
) -> dict[str, Any]:
    """Return the change of ``keep_source_key`` by the checkbox in the row of the old key.

    With Auto ID, this checkbox and the setting mean the same; the one that was changed counts.
    """
    for row in table.rows(capabilities):
        is_ticked = f"{row.anchor}-include" in form.data
        if table.is_old_key(row.source.name) and is_ticked != (row.placement is not Placement.LEFT):
            return {"keep_source_key": is_ticked}
    return {}


def _key(
    table: MappingTable, capabilities: Capabilities, form: CollectionForm, submitted: SubmittedForm
) -> dict[str, Any]:
    """Return the key and, if it is not a source field, its name and length; None stands for the default."""
    plan = table.plan
    now = key_choices.chosen(plan, table.schema)
    choice = submitted.take(form, "key", str, now)
    if choice != now:
        key = key_choices.key_of(choice, plan, table.schema, capabilities)
        # If the old key cannot be the key in Milvus, it is kept as a field by default.
        old = table.schema.key.columns if table.schema.key else ()
        keeps = key == AUTO and len(old) == 1 and key_choices.own_key(table.schema, capabilities) is None
        return {"key": key, "key_name": None, "key_max_length": None, "keep_source_key": keeps}
    # As long as the parts of a joined key are not chosen, its name is that of Auto ID.
    own_key = AUTO if key_choices.is_unfinished(plan) else plan.key
    without_choice = plan.model_copy(update={"key": own_key, "key_name": None, "key_max_length": None})
    default = defaults.complete(without_choice, table.schema, capabilities, existing=table.added_to)
    name = submitted.take(form, "key_name", str, plan.key_name)
    length = submitted.take(form, "key_max_length", whole, plan.key_max_length)
    return {
        "key": _parts(table, form, submitted) if choice == JOINED else plan.key,
        "key_name": None if name in ("", default.key_name) else name,
        "key_max_length": None if length == default.key_max_length else length,
    }


def _parts(table: MappingTable, form: CollectionForm, submitted: SubmittedForm) -> list[str]:
    """Return the chosen parts in their order, each once. A part that was not sent stays as it was."""
    before = list(table.plan.key_columns)
    picked = [
        submitted.take(form, field.name, str, before[place] if place < len(before) else "")
        for place, field in enumerate(form.parts)
    ]
    return list(dict.fromkeys(filter(None, picked)))
