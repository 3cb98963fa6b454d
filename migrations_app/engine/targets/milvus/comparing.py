"""Whether a collection that was found is the one that a job means."""

from __future__ import annotations

from dataclasses import replace

from migrations_app.engine.milvus.schema import as_stored
from migrations_app.engine.model.target_schema import META, TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType


def differences(found: TargetSchema, wanted: TargetSchema) -> tuple[str, ...]:
    """Names of the fields in which ``found`` is not what creating ``wanted`` leaves behind ("$meta" too).

    Milvus Lite keeps no descriptions, no shards and no ``max_length`` of an ARRAY: these do not count.
    """
    there, here = _shapes(found), _shapes(wanted)
    names = {name for name in there | here if there.get(name) != here.get(name)}
    made_there, made_here = _made(found), _made(wanted)
    names |= {name for name in made_there | made_here if made_there.get(name) != made_here.get(name)}
    return tuple(sorted(names | ({META} if found.dynamic != wanted.dynamic else set())))


def _shapes(schema: TargetSchema) -> dict[str, TargetField]:
    return {field.name: _shape(field) for field in schema.fields}


def _shape(field: TargetField) -> TargetField:
    kept = replace(as_stored(field), description="", analyzer="", match=False)
    if kept.spec.type is MilvusType.ARRAY:
        return replace(kept, spec=replace(kept.spec, max_length=None))
    return kept


def _made(schema: TargetSchema) -> dict[str, tuple[str, dict[str, str]]]:
    """What functions make: of each output which kind of function, of which fields, cut by which analyzers."""
    analyzers = {field.name: field.analyzer for field in schema.fields}
    return {
        output: (function.type, {name: analyzers.get(name, "") for name in function.inputs})
        for function in schema.functions
        for output in function.outputs
    }
