"""Mapping table: reads the sent form into it.

Invalid input is not refused: the table stores it with the reason, and the plan keeps the last valid value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from console.schema.defaults import completed, partition_names_of
from console.schema.forms.collection import (
    PARTITION_BY,
    PARTITION_NAME,
    SOURCE_PARTITIONS,
    CollectionForm,
    may_partition,
)
from console.schema.forms.full_text import FullTextForm, full_text_forms
from console.schema.parse.collection import read_collection
from console.schema.parse.full_text import read_full_text
from console.schema.parse.row import is_vector, read_index, read_row
from console.schema.parse.source_options import read_source_options
from console.schema.parse.submitted import SubmittedForm
from console.schema.table import FieldRow, MappingTable, Placement
from migrations_app.engine.endpoint import NoSettings, SettingsModel
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.plan import FieldPlan, FullTextPlan, IndexPlan
from migrations_app.engine.model.target_schema import TargetSchema


def read(
    table: MappingTable,
    capabilities: Capabilities,
    data: Mapping[str, Any],
    options: type[SettingsModel] = NoSettings,
) -> MappingTable:
    """Return the table with the values of the sent form. Controls that were not sent stay unchanged; no input
    raises an error. ``options`` is the source's model of its own options."""
    submitted = SubmittedForm()
    form = CollectionForm(table, capabilities, data)
    lines = full_text_forms(table, capabilities, data)
    table = read_source_options(table, options, data, submitted)
    if table.copied is not None:
        return _read_copied(table, table.copied, capabilities, form, lines, submitted)
    key, named = _partitioning(form, submitted)
    before = {row.anchor: row for row in table.rows(capabilities)}
    table = read_collection(table, capabilities, form, submitted)
    planned: dict[str, FieldPlan] = {}
    spare: dict[str, FieldPlan] = {}
    indexes: list[IndexPlan] = []
    partition_key = None
    for row in table.rows(capabilities):
        settings, placement = read_row(row, before[row.anchor], table, capabilities, data, submitted)
        if key == row.source.name and placement is not Placement.LEFT and may_partition(row):
            partition_key, placement = settings.target, Placement.FIXED
            settings = settings.model_copy(update={"nullable": False, "misfit": None})
        if placement is not Placement.FIXED and row.choice is not None and row.added is None:
            spare[row.source.name] = settings
        if placement is not Placement.LEFT:
            planned[row.anchor] = _planned(row, settings, placement)
        if placement is Placement.FIXED and is_vector(settings):
            index = read_index(row, settings, table, capabilities, data, submitted)
            indexes += [index] if index else []
    fixed = {place: field for place, field in planned.items() if not field.dynamic}
    searched = read_full_text(lines, fixed, capabilities, submitted)
    fields = [_never_null(f, searched, capabilities) for f in planned.values()]
    outputs = {entry.output for entry in searched}
    indexes += [index for index in table.plan.indexes or () if index.field in outputs]
    changes: dict[str, Any] = {"fields": fields, "indexes": indexes}
    changes |= {"partition_key": partition_key, "full_text": searched}
    changes |= _partitions(named, table, form, submitted)
    plan = table.plan.model_copy(update=changes)
    return completed(
        replace(table, plan=plan, spare=spare, invalid_inputs=submitted.invalid_inputs, is_edited=True),
        capabilities,
    )


def _read_copied(
    table: MappingTable,
    copied: TargetSchema,
    capabilities: Capabilities,
    form: CollectionForm,
    lines: Sequence[FullTextForm],
    submitted: SubmittedForm,
) -> MappingTable:
    """Return a table that copies a schema exactly, with the few settings that can be changed."""
    fixed = {row.anchor: row.settings for row in table.rows(capabilities) if row.placement is Placement.FIXED}
    analyzers = {field.name: field.analyzer for field in copied.fields if field.analyzer}
    searched = [
        entry.model_copy(update={"analyzer": analyzers.get(entry.field, entry.analyzer)})
        for entry in read_full_text(lines, fixed, capabilities, submitted)
    ]
    changes = {name: submitted.take(form, name, str, getattr(table.plan, name)) for name in form.fields}
    plan = table.plan.model_copy(update=changes | {"full_text": searched})
    changed = replace(table, plan=plan, invalid_inputs=submitted.invalid_inputs, is_edited=True)
    return completed(changed, capabilities)


def _partitioning(form: CollectionForm, submitted: SubmittedForm) -> tuple[str | None, str]:
    """Return the field that is the partition key, and the choice of named partitions. If only one of the two
    was changed, the other is removed, because a collection cannot have both."""
    before = {name: form.initial[name] for name in ("partition_key", "partition_by")}
    key, named = (submitted.take(form, name, str, was) for name, was in before.items())
    if key and named and (key == before["partition_key"]) != (named == before["partition_by"]):
        key, named = (key, "") if named == before["partition_by"] else ("", named)
    return key or None, named


def _partitions(
    chosen: str, table: MappingTable, form: CollectionForm, submitted: SubmittedForm
) -> dict[str, Any]:
    """Return the changes of the plan for the chosen partitions: those of the source, or one for each value of
    a field."""
    if chosen == SOURCE_PARTITIONS:
        named = table.plan.model_copy(update={"partitions": _partition_names(table, form, submitted)})
        return {"partition_by": None, "partitions": partition_names_of(table.schema, named)}
    by = chosen.removeprefix(PARTITION_BY) if chosen.startswith(PARTITION_BY) else None
    is_changed = by != table.plan.partition_by or bool(table.plan.source_partitions)
    return {"partition_by": by, "partitions": {}} if is_changed else {}


def _partition_names(table: MappingTable, form: CollectionForm, submitted: SubmittedForm) -> dict[str, str]:
    """Return the typed names of the partitions of the source, without those that were emptied."""
    names = enumerate(table.plan.source_partitions.items())
    typed = {
        source: submitted.take(form, f"{PARTITION_NAME}{place}", str, name) for place, (source, name) in names
    }
    return {source: name for source, name in typed.items() if name}


def _planned(row: FieldRow, settings: FieldPlan, placement: Placement) -> FieldPlan:
    """Return the settings as the plan stores them."""
    if placement is not Placement.DYNAMIC:
        return settings.model_copy(update={"dynamic": False, "as_": None})
    off: dict[str, Any] = {"target": None, "nullable": None, "default": None, "fill_null": None}
    off |= {"too_long": "reject", "misfit": None, "max_length": None, "max_capacity": None}
    if row.source.opened_from or row.source.is_sampled:  # goes into the dynamic field unchanged
        off |= {"type": None, "element_type": None}
    return settings.model_copy(update={"dynamic": True, "as_": settings.target, **off})


def _never_null(field: FieldPlan, searched: list[FullTextPlan], capabilities: Capabilities) -> FieldPlan:
    """Return the field as not nullable if it has full-text search and the target cannot search NULLs."""
    if capabilities.full_text_null or field.target not in {entry.field for entry in searched}:
        return field
    return field.model_copy(update={"nullable": False, "misfit": None})
