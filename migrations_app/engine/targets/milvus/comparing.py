"""Comparison of an existing collection with the one that a job expects."""

from __future__ import annotations

from dataclasses import replace

from migrations_app.engine.milvus.schema import as_stored
from migrations_app.engine.model.target_schema import META, TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType


def differences(found: TargetSchema, wanted: TargetSchema) -> tuple[str, ...]:
    """Return the names of the fields in which ``found`` differs from a new collection ``wanted``. If the
    dynamic field differs, "$meta" is one of them.

    Descriptions, shards, other options, and the ``max_length`` of an ARRAY are ignored: Milvus Lite does not
    store them.
    """
    found_fields, wanted_fields = _comparable_fields(found), _comparable_fields(wanted)
    names = {
        name for name in found_fields | wanted_fields if found_fields.get(name) != wanted_fields.get(name)
    }
    found_outputs, wanted_outputs = _function_outputs(found), _function_outputs(wanted)
    names |= {
        name for name in found_outputs | wanted_outputs if found_outputs.get(name) != wanted_outputs.get(name)
    }
    return tuple(sorted(names | ({META} if found.dynamic != wanted.dynamic else set())))


def _comparable_fields(schema: TargetSchema) -> dict[str, TargetField]:
    return {field.name: _comparable(field) for field in schema.fields}


def _comparable(field: TargetField) -> TargetField:
    stored = replace(as_stored(field), description="", analyzer="", match=False, is_clustering_key=False)
    stored = replace(stored, params={})
    if stored.spec.type is MilvusType.ARRAY:
        return replace(stored, spec=replace(stored.spec, max_length=None))
    return stored


def _function_outputs(schema: TargetSchema) -> dict[str, tuple[str, dict[str, str]]]:
    """Return the type of function that fills each output field, and its input fields with their analyzers."""
    analyzers = {field.name: field.analyzer for field in schema.fields}
    return {
        output: (function.type, {name: analyzers.get(name, "") for name in function.inputs})
        for function in schema.functions
        for output in function.outputs
    }
