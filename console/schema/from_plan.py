"""Mapping tables from a plan: of a job that is edited as a new migration, or of a plan file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from console.draft import contents
from console.schema import defaults as table_defaults
from console.schema import tables
from console.schema.table import Existing, MappingTable
from migrations_app.engine.errors import ConnectionFailed, FerryError
from migrations_app.engine.mapping.values.convert import convert_values
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.key_paths import source_of
from migrations_app.engine.model.plan import CollectionPlan, FieldPlan
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.planning import defaults
from migrations_app.engine.planning.added_fields import written_choice
from migrations_app.engine.planning.target_names import default_targets
from migrations_app.models import Draft


@dataclass(frozen=True, slots=True)
class OpenedPlans:
    """The draft with the mapping tables, and sentences about the parts of the plan that it does not have."""

    draft: Draft
    notes: tuple[str, ...] = ()


def open_plans(draft: Draft, plans: Sequence[CollectionPlan]) -> OpenedPlans:
    """Store the plans as the mapping tables of the draft, whose source and target are chosen.

    A collection that the source cannot describe any more is left out. Raises ``FerryError`` if the source or
    the target cannot be reached, or if no collection is left.
    """
    facts = contents.target_facts(draft)
    assert facts is not None
    notes: list[str] = []
    schemas: dict[str, CollectionSchema] = {}
    failed: FerryError | None = None
    for plan in plans:
        try:
            schemas |= tables.described(draft, [plan])
        except ConnectionFailed:
            raise
        except FerryError as error:
            failed = error
            notes.append(f"{plan.source} is left out: {error.message} {error.hint}".strip())
    if failed is not None and not schemas:
        raise failed
    left = [plan for plan in plans if plan.source in schemas]
    targets = default_targets(schemas.values())
    opened = []
    for plan in left:
        named = plan.model_copy(update={"target": plan.target or targets[plan.source]})
        existing = None
        if named.if_exists != "error" and named.target in facts.taken:
            existing = tables.existing_of(draft, named.target or "", [p.source for p in left])
        table, table_notes = table_of(named, schemas[plan.source], facts.capabilities, existing)
        opened.append(table)
        notes += table_notes
    return OpenedPlans(tables.save(draft, opened), tuple(notes))


def table_of(
    plan: CollectionPlan,
    schema: CollectionSchema,
    capabilities: Capabilities,
    existing: Existing | None = None,
) -> tuple[MappingTable, list[str]]:
    """Return the mapping table of a plan, and a sentence for each part that the source does not have."""
    gone = _missing(plan, schema)
    notes = [f"{plan.source}: the source has no “{name}” any more; it is left out." for name in gone]
    fields = plan.fields if plan.fields is None else [f for f in plan.fields if f.source not in gone]
    changes: dict[str, object] = {"fields": fields, "exact": None}
    if any(column in gone for column in plan.key_columns):
        changes |= {"key": None, "key_name": None}
    schema = _with_rare_keys(schema, plan, fields or ())
    added_to = existing.schema if existing and plan.if_exists == "append" else None
    completed = defaults.complete(plan.model_copy(update=changes), schema, capabilities, existing=added_to)
    spare = table_defaults.spare_fields(schema, completed, capabilities)
    return MappingTable(schema, completed, spare, is_edited=True, existing=existing), notes


def _missing(plan: CollectionPlan, schema: CollectionSchema) -> list[str]:
    """Return the source names in the plan that the source does not have."""
    names = [field.source for field in plan.fields or () if field.source is not None]
    names += plan.key_columns
    return [name for name in dict.fromkeys(names) if source_of(schema, plan.open, name) is None]


def _with_rare_keys(
    schema: CollectionSchema, plan: CollectionPlan, fields: Sequence[FieldPlan]
) -> CollectionSchema:
    """Return the schema with a field for each document key of the plan that the sample does not show."""
    for field in fields:
        source = source_of(schema, plan.open, field.source)
        choice = written_choice(field) if source is not None else None
        if source is None or choice is None or schema.field(source.name) is not None:
            continue
        source, sample = replace(source, choices=(choice,)), schema.sample
        if sample is not None:
            values = convert_values([None] * sample.num_rows, choice.spec, source.name)[0]
            sample = sample.append_column(source.name, values)
        schema = replace(schema, fields=(*schema.fields, source), sample=sample)
    return schema
