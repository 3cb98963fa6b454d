"""Sheets as they are proposed: at first, and where one change changes the whole sheet. No HTTP, no forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from console.anchors import anchor
from console.schema.key_choices import is_unfinished
from console.schema.table import Existing, MappingTable
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.names import free_name
from migrations_app.engine.model.paths import OPEN, last_part
from migrations_app.engine.model.plan import AUTO, CollectionPlan, FieldPlan
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.model.target_schema import TargetSchema
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.planning import defaults

NEW_FIELD = "new_field"


def proposed(
    schema: CollectionSchema,
    capabilities: Capabilities,
    target: str | None = None,
    select: Mapping[str, Any] | None = None,
) -> MappingTable:
    """The sheet as it is first shown. ``target``: another name than the collection's own; ``select``: what of
    it was described."""
    asked = CollectionPlan(source=schema.name, target=target, select=dict(select or {}))
    plan = defaults.complete(asked, schema, capabilities)
    return MappingTable(schema, plan, _spare(schema, plan, capabilities))


def _spare(
    schema: CollectionSchema, plan: CollectionPlan, capabilities: Capabilities
) -> dict[str, FieldPlan]:
    """What would be proposed for the fields that the plan does not make fixed ones."""
    fixed = {f.source for f in plan.fields or () if not f.dynamic}
    open_ones = [f for f in schema.fields if f.choices and f.name not in fixed]
    names = {f.name for f in open_ones}
    # A target name alone keeps a field from being proposed for the dynamic field.
    fields = [FieldPlan(source=f.name, target=last_part(f)) for f in open_ones]
    asked = plan.model_copy(update={"fields": fields, "indexes": None, "partition_key": None})
    found = defaults.complete(asked, schema, capabilities).fields or ()
    return {f.source: f for f in found if f.source in names}


def completed(table: MappingTable, capabilities: Capabilities) -> MappingTable:
    """The sheet with all that follows from its settings filled in: lengths of a new type, the indexes."""
    plan = table.plan.model_copy(update={"indexes": None})
    if not is_unfinished(plan):
        return replace(
            table, plan=defaults.complete(plan, table.schema, capabilities, existing=table.added_to)
        )
    # A key to be: as if there were a new one.
    asked = plan.model_copy(update={"key": AUTO})
    found = defaults.complete(asked, table.schema, capabilities, existing=table.added_to)
    return replace(table, plan=found.model_copy(update={"key": plan.key}))


def reopened(
    table: MappingTable, schema: CollectionSchema, opened: tuple[str, ...], capabilities: Capabilities
) -> MappingTable:
    """The sheet with these columns opened, as ``schema`` was described with them. A column that is opened is
    no field any more, one that is closed becomes one again; what was set of others stays."""
    plan = table.plan
    select = {**plan.select, OPEN: list(opened)} if opened else table.row_selection
    before = {f.source: f for f in plan.fields or () if f.source is not None}
    newly, closed = set(opened) - set(table.opened), set(table.opened) - set(opened)
    fields = {name: f for name, f in before.items() if schema.field(name) and name not in newly}
    fields |= {name: table.spare[name] for name in closed if name in table.spare and name not in fields}
    ordered = [fields[f.name] for f in schema.fields if f.name in fields]
    rest = plan.rest if opened else "dynamic"
    changes = {
        "select": select,
        "rest": rest,
        "fields": [*ordered, *(f for f in plan.fields or () if f.added)],
    }
    asked = plan.model_copy(update=changes)
    spare = {
        **_spare(schema, asked, capabilities),
        **table.spare,
        **{n: before[n] for n in newly if n in before},
    }
    anchors = {anchor(f.name) for f in schema.fields}
    invalid_inputs = {
        key: t
        for key, t in table.invalid_inputs.items()
        if "-" not in key or key.partition("-")[0] in anchors
    }
    spare = {name: settings for name, settings in spare.items() if schema.field(name)}
    found = replace(
        table, schema=schema, plan=asked, spare=spare, invalid_inputs=invalid_inputs, is_edited=True
    )
    return completed(found, capabilities)


def with_field_added(table: MappingTable, capabilities: Capabilities) -> MappingTable:
    """The sheet with one more field that the source does not have: a text, until it is told otherwise."""
    fields = table.plan.fields or []
    taken = {f.target or f.as_ or "" for f in fields} | {f.output for f in table.plan.full_text}
    name = free_name(NEW_FIELD, taken | {table.plan.key_name or ""})
    field = FieldPlan(added=True, target=name, type=str(MilvusType.VARCHAR))
    plan = table.plan.model_copy(update={"fields": [*fields, field]})
    return completed(replace(table, plan=plan, is_edited=True), capabilities)


def beside(
    table: MappingTable, existing: Existing | None, capabilities: Capabilities, *, was_added_to: bool
) -> MappingTable:
    """The sheet beside the collection that is in the target. Where rows are added to it from now on, key,
    fields and options become those of the collection as far as they can; where no more, what they were."""
    found = replace(table, existing=existing)
    if found.added_to is not None and not was_added_to:
        return _adopting(found, found.added_to, capabilities)
    if found.added_to is None and found.own is not None:
        plan, now = found.own, found.plan
        plan = plan.model_copy(
            update={name: getattr(now, name) for name in ("target", "if_exists", "select")}
        )
        return completed(replace(found, plan=plan, own=None, invalid_inputs={}), capabilities)
    return found


def _adopting(table: MappingTable, there: TargetSchema, capabilities: Capabilities) -> MappingTable:
    plan = table.plan
    asked = CollectionPlan(
        source=plan.source,
        select=plan.select,
        target=plan.target,
        description=plan.description,
        if_exists="append",
        rest=plan.rest,
        fields=[_placed(field, there) for field in plan.fields or () if _has_place(field, there)],
    )
    adopted = defaults.complete(asked, table.schema, capabilities, existing=there)
    spare = {**_spare(table.schema, adopted, capabilities), **table.spare}
    own = table.own or plan
    return replace(table, plan=adopted, spare=spare, invalid_inputs={}, is_edited=True, own=own)


def _has_place(field: FieldPlan, there: TargetSchema) -> bool:
    """Whether a field has a place in the collection: a field of its name, or the dynamic field."""
    is_vector = bool(field.type) and MilvusType(field.type).is_vector
    is_there = any(field.target == found.name for found in there.sent_fields)
    return not field.added and (is_there or (there.dynamic and not is_vector))


def _placed(field: FieldPlan, there: TargetSchema) -> FieldPlan:
    if any(field.target == found.name for found in there.sent_fields):
        return FieldPlan(source=field.source, target=field.target)
    return FieldPlan(source=field.source, dynamic=True, as_=field.as_ or field.target)
