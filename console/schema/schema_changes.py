"""Schema changes: the mapping table after its collection was described again. No HTTP, no forms."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any

from console.html_anchors import anchor
from console.schema.defaults import completed, partition_names_of, spare_fields
from console.schema.table import MappingTable
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.plan import CollectionPlan, FieldPlan
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.planning import defaults

# The settings that divide the rows of a collection.
PARTITIONING = ("partition_key", "partition_by", "partitions")


def reopened(
    table: MappingTable, schema: CollectionSchema, opened: tuple[str, ...], capabilities: Capabilities
) -> MappingTable:
    """Return the table with exactly these columns opened; ``schema`` was described with them.

    A column that is opened is no longer a field; a column that is closed becomes a field again. The settings
    of other fields do not change.
    """
    plan = table.plan
    before = {f.source: f for f in plan.fields or () if f.source is not None}
    newly, closed = set(opened) - set(table.opened), set(table.opened) - set(opened)
    fields = {name: f for name, f in before.items() if schema.field(name) and name not in newly}
    fields |= {name: table.spare[name] for name in closed if name in table.spare and name not in fields}
    ordered = [fields[f.name] for f in schema.fields if f.name in fields]
    rest = plan.rest if opened else "dynamic"
    changes = {
        "open": list(opened),
        "rest": rest,
        "fields": [*ordered, *(f for f in plan.fields or () if f.added)],
    }
    new_plan = plan.model_copy(update=changes)
    spare = {
        **spare_fields(schema, new_plan, capabilities),
        **table.spare,
        **{n: before[n] for n in newly if n in before},
    }
    return _with_schema(table, schema, new_plan, spare, capabilities)


def redescribed(
    table: MappingTable, schema: CollectionSchema, plan: CollectionPlan, capabilities: Capabilities
) -> MappingTable:
    """Return the table with this schema, which was described with ``plan``: another row selection, or other
    options of the source.

    Fields that are new, or have other types than before, get the defaults. Fields that no longer exist are
    removed, and so is what refers to them. Everything else does not change.
    """
    new_plan = _for_schema(plan, table.schema, schema, capabilities)
    own = table.own
    if own is not None:
        described = {"select": plan.select, "source_options": plan.source_options, "open": plan.open}
        own = _for_schema(own.model_copy(update=described), table.schema, schema, capabilities)
    spare = spare_fields(schema, new_plan, capabilities)
    spare |= {name: f for name, f in table.spare.items() if name in _same_fields(table.schema, schema)}
    return _with_schema(replace(table, own=own), schema, new_plan, spare, capabilities)


def _same_fields(before: CollectionSchema, schema: CollectionSchema) -> frozenset[str]:
    """Return the names of the fields that are in both schemas, with the same types."""
    return frozenset(
        f.name for f in schema.fields if (old := before.field(f.name)) and old.choices == f.choices
    )


def _with_new_dim(field: FieldPlan, schema: CollectionSchema) -> FieldPlan:
    """Return the field without a dimension that comes from a sample: other rows may have another one."""
    source = schema.field(field.source or "")
    dims = [choice.spec.dim for choice in source.choices] if source else []
    return field if any(dims) else field.model_copy(update={"dim": None})


def _for_schema(
    plan: CollectionPlan, before: CollectionSchema, schema: CollectionSchema, capabilities: Capabilities
) -> CollectionPlan:
    wanted = CollectionPlan(
        source=plan.source, select=plan.select, source_options=plan.source_options, open=plan.open
    )
    was, proposed = (defaults.complete(wanted, of, capabilities) for of in (before, schema))
    same = _same_fields(before, schema)
    fields = {f.source: f for f in proposed.fields or () if f.source not in same}
    fields |= {f.source: _with_new_dim(f, schema) for f in plan.fields or () if f.source in same}
    ordered = [fields[f.name] for f in schema.fields if f.name in fields]
    targets = {f.target for f in ordered if not f.dynamic}
    changes: dict[str, Any] = {
        "fields": [*ordered, *(f for f in plan.fields or () if f.added)],
        "full_text": [entry for entry in plan.full_text if entry.field in targets],
    }
    is_chosen = plan.key != was.key and all(map(schema.field, plan.key_columns))
    if plan.key != proposed.key and not is_chosen:
        of_key = ("key", "key_name", "key_max_length", "keep_source_key")
        changes |= {name: getattr(proposed, name) for name in of_key}
    if all(getattr(plan, name) == getattr(was, name) for name in PARTITIONING):
        changes |= {name: getattr(proposed, name) for name in PARTITIONING}
    else:
        changes |= _partitioning(plan, schema, targets)
    return plan.model_copy(update=changes)


def _partitioning(plan: CollectionPlan, schema: CollectionSchema, targets: Set[str | None]) -> dict[str, Any]:
    """Return how the plan divides the rows, as far as the fields ``targets`` and the partitions of the source
    exist."""
    if plan.partition_by is not None and schema.field(plan.partition_by) is None:
        return {"partition_by": None, "partitions": {}}
    if plan.partition_key is not None and plan.partition_key not in targets:
        return {"partition_key": None}
    return {"partitions": partition_names_of(schema, plan)} if plan.source_partitions else {}


def _with_schema(
    table: MappingTable,
    schema: CollectionSchema,
    plan: CollectionPlan,
    spare: Mapping[str, FieldPlan],
    capabilities: Capabilities,
) -> MappingTable:
    """Return the table with another schema, without what belongs to fields that no longer exist."""
    gone = {anchor(f.name) for f in table.schema.fields} - {anchor(f.name) for f in schema.fields}
    inputs = {key: t for key, t in table.invalid_inputs.items() if key.partition("-")[0] not in gone}
    spare = {name: settings for name, settings in spare.items() if schema.field(name)}
    changed = replace(table, schema=schema, plan=plan, spare=spare, invalid_inputs=inputs, is_edited=True)
    return completed(changed, capabilities)
