"""Exact copy: the fields and options of a schema that is copied, for the template."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from console.format import number
from console.html_anchors import anchor
from console.schema.control_values import shown
from console.schema.problems import COPIED, Problem
from console.schema.table import MappingTable
from migrations_app.engine.log import counted
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.milvus.schema import CLUSTER_PROPERTIES
from migrations_app.engine.model.target_schema import BM25, Function, TargetField, TargetSchema

DEFAULT_LENGTH = 40


def copied_context(
    table: MappingTable, copied: TargetSchema, capabilities: Capabilities, problems: list[Problem]
) -> dict[str, Any]:
    """Return the context of ``schema/_copied.html``."""
    metrics = {index.field: index.metric for index in table.plan.indexes or ()}
    return {
        "fields": [_field(field, copied, metrics.get(field.name), problems) for field in copied.fields],
        "options": list(_options(copied, capabilities)),
    }


def _field(
    field: TargetField, copied: TargetSchema, metric: str | None, problems: list[Problem]
) -> dict[str, Any]:
    place = anchor(field.name)
    tags = {
        "KEY": field.is_key,
        "PARTITION KEY": field.is_partition_key,
        "CLUSTERING KEY": field.is_clustering_key,
    }
    return {
        "anchor": place,
        "name": field.name,
        "tags": [tag for tag, has in tags.items() if has],
        "is_vector": field.spec.type.is_vector,
        "type_text": _type(field),
        "details": " · ".join([*([f"metric {metric}"] if metric else []), *_details(field, copied)]),
        "description": field.description,
        "problems": [replace(problem, column=COPIED) for problem in problems if problem.anchor == place],
    }


def _type(field: TargetField) -> str:
    spec = field.spec
    parts = [str(spec)]
    parts += [f"{number(spec.max_capacity)} items"] if spec.max_capacity else []
    parts += [f"{number(spec.max_length)} bytes"] if spec.max_length else []
    return " · ".join(parts)


def _details(field: TargetField, copied: TargetSchema) -> Iterator[str]:
    for function in copied.functions:
        if field.name in function.outputs:
            yield f"made by the function {function.name}"
    if field.auto_id:
        yield "Auto ID"
    if field.nullable:
        yield "nullable"
    if field.default is not None:
        default = shown(field.default)
        yield f"default {default if len(default) <= DEFAULT_LENGTH else default[:DEFAULT_LENGTH] + '…'}"
    if field.analyzer:
        yield "analyzer with its own parameters" if field.analyzer[0] == "{" else f"analyzer {field.analyzer}"
    if field.match:
        yield "text match"
    yield from (f"{name} {value}" for name, value in field.params.items())


def _options(copied: TargetSchema, capabilities: Capabilities) -> Iterator[tuple[str, str]]:
    """Yield label and text of each option of the collection."""
    for function in copied.functions:
        yield f"Function {function.name}", _function(function)
    if copied.partition_key:
        count = f", {counted(copied.partitions, 'partition')}" if copied.partitions else ""
        yield "Partition key", f"{copied.partition_key}{count}"
    yield "Dynamic field", "on" if copied.dynamic else "off"
    yield "Shards", number(min(copied.shards, capabilities.max_shards))
    yield "Consistency level", copied.consistency
    properties = {name: text for name, text in copied.properties.items() if name not in CLUSTER_PROPERTIES}
    if properties:
        yield "Properties", ", ".join(f"{name} {text}" for name, text in sorted(properties.items()))


def _function(function: Function) -> str:
    kind = "full-text search (BM25)" if function.type == BM25 else function.type
    made, given = (", ".join(f"“{name}”" for name in names) for names in (function.outputs, function.inputs))
    return f"{kind}: the target fills in {made} from {given}"
