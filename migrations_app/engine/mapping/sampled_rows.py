"""Sampled rows: maps the rows of a sample as the job maps all rows, for the preview and for preflight."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from migrations_app.engine.mapping.apply import Mapping
from migrations_app.engine.mapping.checks.server_checks import ServerChecks
from migrations_app.engine.mapping.compile import compile_mapping
from migrations_app.engine.mapping.values.cast import cast_values
from migrations_app.engine.model.batch import Batch
from migrations_app.engine.model.joined_key_text import PART
from migrations_app.engine.model.limits import MAX_CAPACITY, MAX_LENGTH
from migrations_app.engine.model.plan import CollectionPlan, FieldPlan
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.model.types import arrow_type


@dataclass(frozen=True, slots=True)
class SampledRows:
    """Rows of a sample as a batch, and the mapping for it. ``stand_ins`` are the target names of fields that
    are mapped in another type: only the source can convert their values to the chosen one."""

    mapping: Mapping
    batch: Batch
    stand_ins: tuple[str, ...] = ()


def sampled_rows(
    plan: CollectionPlan, schema: CollectionSchema, sample: pa.RecordBatch, server: ServerChecks
) -> SampledRows:
    """Return the rows of ``sample``, or of a part of it. ``plan`` is complete and has no faults."""
    fields, stand_ins = _fields(plan, schema, sample)
    # The partitions are found by preflight, which reads all rows; they are not needed here.
    changes: dict[str, Any] = {"fields": fields, "partition_by": None, "partitions": {}, "exact": None}
    mapping = replace(compile_mapping(plan.model_copy(update=changes)), server=server)
    locators = pa.array([str(number + 1) for number in range(sample.num_rows)], pa.string())
    return SampledRows(mapping, Batch(_read(mapping, sample), None, locators), tuple(stand_ins))


def _read(mapping: Mapping, sample: pa.RecordBatch) -> pa.RecordBatch:
    """Return the columns that the mapping reads; the parts of a joined key are converted to text."""
    columns = [
        _as_text(sample.column(column.path)) if column.spec == PART else sample.column(column.path)
        for column in mapping.read_plan.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=[column.path for column in mapping.read_plan.columns])


def _as_text(column: pa.Array) -> pa.Array:
    return column if pa.types.is_list(column.type) else column.cast(pa.string())


def _fields(
    plan: CollectionPlan, schema: CollectionSchema, sample: pa.RecordBatch
) -> tuple[list[FieldPlan], list[str]]:
    """Return the fields of the plan, and the names of the fields that are mapped in their first type."""
    fields: list[FieldPlan] = []
    stand_ins: list[str] = []
    for field in plan.fields or ():
        source = schema.field(field.source or "")
        if field.added or (source and source.opened_from):
            fields.append(field)  # made from other columns, as in the job
            continue
        if field.source not in sample.schema.names:
            continue
        # The sample has the values in their first type, not as JSON.
        field = field.model_copy(update={"misfit": None})
        first = source.choices[0].spec if source else field.spec()
        if field.type is None:
            field = field.model_copy(update={"type": str(first.type), "element_type": first.element_type})
        if not _casts(sample.column(field.source), arrow_type(field.spec())):
            stand_ins.append(field.target or field.source or "")
            element = str(first.element_type) if first.element_type else None
            sizes = {"max_length": MAX_LENGTH, "max_capacity": MAX_CAPACITY}
            no_values = {"default": None, "fill_null": None}
            field = field.model_copy(
                update={"type": str(first.type), "element_type": element} | sizes | no_values
            )
        fields.append(field)
    return fields, stand_ins


def _casts(column: pa.Array, wanted: pa.DataType) -> bool:
    """True if the values can be converted to the type here, without reading them from the source again."""
    is_vector = pa.types.is_fixed_size_list(wanted) or pa.types.is_fixed_size_binary(wanted)
    try:
        _ = cast_values(column, wanted, "") if is_vector else column.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True
