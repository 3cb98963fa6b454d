"""Legal names: one fix for all names of a migration that Milvus refuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar
from urllib.parse import parse_qsl

from console.html_anchors import added_anchor, anchor
from console.schema.defaults import completed
from console.schema.forms.collection import PARTITION_NAME
from console.schema.problems import Problem
from console.schema.table import MappingTable
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.plan import FieldPlan, FullTextPlan, IndexPlan

Entry = TypeVar("Entry", IndexPlan, FullTextPlan)

NAME_CODES = frozenset({"name_illegal", "name_reserved", "name_too_long"})


def refused_names(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems with names that a fix can solve."""
    return [problem for problem in problems if problem.code in NAME_CODES and problem.fixes]


def with_legal_names(
    table: MappingTable, problems: Iterable[Problem], capabilities: Capabilities
) -> MappingTable:
    """Return the table with the names that the fixes of its problems suggest, wherever the plan uses them."""
    fixes = (problem.fixes[0].value for problem in refused_names(problems))
    names = dict(parse_qsl("&".join(fixes)))
    if not names:
        return table
    plan = table.plan
    old = plan.fields or []
    fields = [
        field.model_copy(update={"target": names.get(control, field.target)})
        for control, field in zip(_name_controls(old), old, strict=True)
    ]
    renamed = {before.target: after.target for before, after in zip(old, fields, strict=True)}
    changes = {
        "target": names.get("target", plan.target),
        "key_name": names.get("key_name", plan.key_name),
        "fields": fields,
        "indexes": [_with_field(index, renamed) for index in plan.indexes or []],
        "partition_key": renamed.get(plan.partition_key, plan.partition_key),
        "full_text": [_with_field(entry, renamed) for entry in plan.full_text],
    }
    if plan.source_partitions:
        changes["partitions"] = {
            source: names.get(f"{PARTITION_NAME}{place}", name)
            for place, (source, name) in enumerate(plan.source_partitions.items())
        }
    changed = replace(table, plan=plan.model_copy(update=changes), is_edited=True)
    return completed(changed, capabilities)


def _with_field(entry: Entry, renamed: Mapping[str | None, str | None]) -> Entry:
    return entry.model_copy(update={"field": renamed.get(entry.field, entry.field)})


def _name_controls(fields: Iterable[FieldPlan]) -> list[str]:
    """Return the control that holds the name of each field."""
    added = 0
    controls = []
    for field in fields:
        place = added_anchor(added) if field.added else anchor(field.source or "")
        added += bool(field.added)
        controls.append(f"{place}-target")
    return controls
