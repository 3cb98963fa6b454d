"""Defaults of the mapping table: its first state, and changes to the whole table. No HTTP, no forms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from console.schema.key_choices import is_unfinished
from console.schema.table import Existing, MappingTable
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.milvus.metrics import FULL_TEXT_METRICS, INDEX_TYPES, METRICS_OF_TYPE
from migrations_app.engine.model.key_paths import last_part
from migrations_app.engine.model.names import free_name
from migrations_app.engine.model.partition_names import names_of_source_partitions
from migrations_app.engine.model.plan import AUTO, CollectionPlan, FieldPlan, IndexPlan
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.model.target_schema import TargetSchema
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.planning import defaults
from migrations_app.engine.planning.from_existing import without_copied
from migrations_app.engine.planning.index_defaults import copied_outputs
from migrations_app.engine.planning.target_names import target_names

NEW_FIELD = "new_field"


def default_table(
    schema: CollectionSchema, capabilities: Capabilities, wanted: CollectionPlan | None = None
) -> MappingTable:
    """Return the mapping table as it is first shown. ``wanted`` is the plan with which the collection was
    described: its row selection, its options and its opened columns; it may name the target collection."""
    plan = defaults.complete(wanted or CollectionPlan(source=schema.name), schema, capabilities)
    return MappingTable(schema, plan, spare_fields(schema, plan, capabilities))


def spare_fields(
    schema: CollectionSchema, plan: CollectionPlan, capabilities: Capabilities
) -> dict[str, FieldPlan]:
    """Return the default settings of the fields that are not fixed fields in the plan."""
    fixed = {f.source for f in plan.fields or () if not f.dynamic}
    others = [f for f in schema.fields if f.choices and f.name not in fixed]
    names = {f.name for f in others}
    # With a target name the defaults never put a field into the dynamic field.
    proposed = target_names(plan, schema, capabilities)
    fields = [FieldPlan(source=f.name, target=proposed.get(f.name, last_part(f))) for f in others]
    wanted = plan.model_copy(update={"fields": fields, "indexes": None, "partition_key": None})
    completed_fields = defaults.complete(wanted, schema, capabilities).fields or ()
    return {f.source: f for f in completed_fields if f.source in names}


def partition_names_of(schema: CollectionSchema, plan: CollectionPlan) -> dict[str, str]:
    """Return a name for each partition of the source. Those that have a name in the plan keep it."""
    return names_of_source_partitions(schema.partitions or (), plan.source_partitions)


def completed(table: MappingTable, capabilities: Capabilities) -> MappingTable:
    """Return the table with everything filled in that follows from its settings: lengths of a new type,
    indexes."""
    plan = table.plan.model_copy(update={"indexes": None})
    if table.copied is not None:
        plan = without_copied(plan)
    # If the key is not chosen yet, the rest is completed as for Auto ID.
    wanted = plan.model_copy(update={"key": AUTO}) if is_unfinished(plan) else plan
    complete = defaults.complete(wanted, table.schema, capabilities, existing=table.added_to)
    changes: dict[str, Any] = {"indexes": _with_chosen(complete, table, capabilities)}
    if is_unfinished(plan):
        changes["key"] = plan.key
    return replace(table, plan=complete.model_copy(update=changes))


def _with_chosen(plan: CollectionPlan, table: MappingTable, capabilities: Capabilities) -> list[IndexPlan]:
    """Return the default indexes of ``plan``, with what was chosen for the fields in ``table`` and suits
    them."""
    types = {f.target: MilvusType(f.type) for f in plan.fields or () if f.type and not f.dynamic}
    outputs = {entry.output for entry in plan.full_text}
    types |= dict.fromkeys(outputs, MilvusType.SPARSE_FLOAT_VECTOR)
    types |= {field.name: field.spec.type for field in copied_outputs(plan, table.copied)}
    proposed = {index.field: index for index in plan.indexes or ()}
    indexes = dict(proposed)
    for index in table.plan.indexes or ():
        of = types.get(index.field)
        if of is None or not of.is_vector:
            continue
        metrics = FULL_TEXT_METRICS if index.field in outputs else METRICS_OF_TYPE[of]
        usual = proposed.get(index.field)
        if index.metric not in metrics or (index.guessed and not (usual and usual.guessed)):
            if usual is None:
                continue
            index = index.model_copy(update={"metric": usual.metric, "guessed": usual.guessed})
        if index.type not in INDEX_TYPES[of] or index.type not in capabilities.index_types:
            usual_type = usual.type if usual else "AUTOINDEX"
            index = index.model_copy(update={"type": usual_type, "params": {}})
        indexes[index.field] = index
    return list(indexes.values())


def with_field_added(table: MappingTable, capabilities: Capabilities) -> MappingTable:
    """Return the table with one more added field, which the source does not have; at first it is a
    VARCHAR."""
    fields = table.plan.fields or []
    taken = {f.target or f.as_ or "" for f in fields} | {f.output for f in table.plan.full_text}
    name = free_name(NEW_FIELD, taken | {table.plan.key_name or ""})
    field = FieldPlan(added=True, target=name, type=str(MilvusType.VARCHAR))
    plan = table.plan.model_copy(update={"fields": [*fields, field]})
    return completed(replace(table, plan=plan, is_edited=True), capabilities)


def with_existing(
    table: MappingTable, existing: Existing | None, capabilities: Capabilities, *, was_added_to: bool
) -> MappingTable:
    """Return the table with this existing collection of the target.

    If rows are now to be added to it, key, fields and options become those of the collection as far as
    possible. If rows are no longer to be added, they become what they were before.
    """
    changed = replace(table, existing=existing)
    if changed.added_to is not None and not was_added_to:
        return _from_existing(changed, changed.added_to, capabilities)
    if changed.added_to is None and changed.own is not None:
        plan, now = changed.own, changed.plan
        names = ("target", "if_exists", "select", "source_options", "open")
        plan = plan.model_copy(update={name: getattr(now, name) for name in names})
        return completed(replace(changed, plan=plan, own=None, invalid_inputs={}), capabilities)
    return changed


def _from_existing(table: MappingTable, existing: TargetSchema, capabilities: Capabilities) -> MappingTable:
    """Return the table with key, fields and options of the existing collection."""
    plan = table.plan
    has_partition_key = any(field.is_partition_key for field in existing.fields)
    wanted = CollectionPlan(
        source=plan.source,
        select=plan.select,
        source_options=plan.source_options,
        open=plan.open,
        target=plan.target,
        description=plan.description,
        if_exists="append",
        rest=plan.rest,
        partitions={} if has_partition_key else plan.source_partitions,
        fields=[_placed(field, existing) for field in plan.fields or () if _has_place(field, existing)],
    )
    adopted = defaults.complete(wanted, table.schema, capabilities, existing=existing)
    spare = {**spare_fields(table.schema, adopted, capabilities), **table.spare}
    own = table.own or plan
    return replace(table, plan=adopted, spare=spare, invalid_inputs={}, is_edited=True, own=own)


def _has_place(field: FieldPlan, existing: TargetSchema) -> bool:
    """True if the collection can hold the field: it has a field of this name, or a dynamic field."""
    is_vector = bool(field.type) and MilvusType(field.type).is_vector
    has_field = any(field.target == other.name for other in existing.sent_fields)
    return not field.added and (has_field or (existing.dynamic and not is_vector))


def _placed(field: FieldPlan, existing: TargetSchema) -> FieldPlan:
    if any(field.target == other.name for other in existing.sent_fields):
        return FieldPlan(source=field.source, target=field.target)
    return FieldPlan(source=field.source, dynamic=True, as_=field.as_ or field.target)
