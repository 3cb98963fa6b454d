"""What a plan leaves out, taken from the collection that its rows are added to."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.paths import last_part, opened_columns, source_of
from migrations_app.engine.model.plan import AUTO, CollectionPlan, FieldPlan, FullTextPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField
from migrations_app.engine.model.target_schema import TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.planning.type_choices import key_choice


def complete_from_existing(
    collection: CollectionPlan, schema: CollectionSchema, capabilities: Capabilities, found: TargetSchema
) -> CollectionPlan:
    """``collection`` with key, fields and options of ``found`` wherever it says nothing of them.

    Source fields go into the fields of their names, in the types there. What is written out stays, also where
    it differs.
    """
    kept = collection.model_copy(update=_options(collection, schema, capabilities, found))
    fields = list(_matched(kept, schema, found)) if kept.fields is None else kept.fields
    there = {field.name: field for field in found.sent_fields}
    fields = [_like(field, kept, schema, capabilities, there) for field in fields]
    named = {_target_of(field, schema, kept) for field in fields if not field.dynamic}
    return kept.model_copy(update={"fields": [*fields, *_added(found, named)]})


def _options(
    collection: CollectionPlan, schema: CollectionSchema, capabilities: Capabilities, found: TargetSchema
) -> dict[str, Any]:
    said = collection.model_fields_set
    key = _key(schema, capabilities, found) if collection.key is None else collection.key
    partition_key = next((field.name for field in found.fields if field.is_partition_key), None)
    taken: dict[str, Any] = {
        "key": key,
        "dynamic_field": collection.dynamic_field if "dynamic_field" in said else found.dynamic,
        "partition_key": collection.partition_key or partition_key,
        "shards": found.shards if collection.shards == 1 else collection.shards,
        "description": collection.description or found.description,
        "full_text": collection.full_text or full_text_of(found),
    }
    if collection.model_copy(update={"key": key}).makes_key:
        taken["key_name"] = collection.key_name or found.key.name
    if isinstance(key, list) and len(key) > 1:
        said_length = collection.key_max_length
        taken["key_max_length"] = found.key.spec.max_length if said_length is None else said_length
    return taken


def _key(schema: CollectionSchema, capabilities: Capabilities, found: TargetSchema) -> str | list[str] | None:
    """Auto ID where the target makes the keys, else the source field of the key's name, or the source's own
    key, joined where it has several columns. None: the usual proposal."""
    if found.key.auto_id:
        return AUTO
    own = schema.key.columns if schema.key is not None and schema.key.unique else ()
    for name in (found.key.name, *(own if len(own) == 1 else ())):
        field = schema.field(name)
        choice = key_choice(field, capabilities) if field is not None else None
        if choice is not None and choice.spec.type is found.key.spec.type:
            return [name] if name == AUTO else name
    is_text = found.key.spec.type is MilvusType.VARCHAR
    return list(own) if len(own) > 1 and is_text and schema.field(found.key.name) is None else None


def full_text_of(found: TargetSchema) -> list[FullTextPlan]:
    analyzers = {field.name: field.analyzer for field in found.fields}
    return [
        FullTextPlan(field=name, output=output, analyzer=analyzers.get(name) or "standard")
        for function in found.functions
        for name, output in zip(function.inputs, function.outputs, strict=False)
    ]


def _matched(
    collection: CollectionPlan, schema: CollectionSchema, found: TargetSchema
) -> Iterator[FieldPlan]:
    """The source fields that have a field there; the others into the dynamic field, if it has one."""
    names = {field.name for field in found.sent_fields}
    opened = opened_columns(collection.select)
    for field in schema.fields:
        if collection.is_kept_key(field.name) and schema.field(found.key.name) is None:
            yield FieldPlan(source=field.name, target=found.key.name)
        elif last_part(field) in names and field.choices:
            yield FieldPlan(source=field.name, target=last_part(field))
        elif _can_be_dynamic(field, collection, schema) and field.name not in opened:
            yield FieldPlan(source=field.name, dynamic=True)


def _can_be_dynamic(field: SourceField, collection: CollectionPlan, schema: CollectionSchema) -> bool:
    is_old_key = collection.is_auto_id and schema.key is not None and schema.key.columns == (field.name,)
    holds_json = any(not choice.spec.type.is_vector for choice in field.choices)
    return (
        collection.dynamic_field
        and holds_json
        and not field.opened_from
        and (collection.keep_source_key or not is_old_key)
    )


def _like(
    field: FieldPlan,
    collection: CollectionPlan,
    schema: CollectionSchema,
    capabilities: Capabilities,
    there: dict[str, TargetField],
) -> FieldPlan:
    """``field`` with the parameters of the target's field of its name, where it can have them."""
    source = source_of(schema, collection.select, field.source)
    target = there.get(_target_of(field, schema, collection))
    if field.dynamic or field.added or source is None or target is None:
        return field
    known: dict[str, Any] = {"nullable": target.nullable, "default": target.default}
    specs = [choice.spec for choice in source.choices]
    if collection.is_kept_key(field.source) and (key := key_choice(source, capabilities)) is not None:
        specs = [key.spec]
    kinds = {(spec.type, spec.element_type) for spec in specs}
    # A key of an opened column may become whatever is written.
    can_be = bool(source.opened_from) or (target.spec.type, target.spec.element_type) in kinds
    if field.type in (None, target.spec.type) and can_be:
        known |= _parameters(target) | {"dim": None}
    return field.model_copy(update={n: v for n, v in known.items() if getattr(field, n) is None})


def _target_of(field: FieldPlan, schema: CollectionSchema, collection: CollectionPlan) -> str:
    """What a field is called there: as written, else as its source, a key by its own name."""
    source = source_of(schema, collection.select, field.source)
    return field.target or (last_part(source) if source else "")


def _parameters(field: TargetField) -> dict[str, Any]:
    spec = field.spec
    return {
        "type": spec.type.value,
        "element_type": spec.element_type.value if spec.element_type else None,
        "max_length": spec.max_length,
        "max_capacity": spec.max_capacity,
    }


def _added(found: TargetSchema, named: Collection[str]) -> Iterator[FieldPlan]:
    """The fields there that nothing is mapped to (not ``named``) and that take NULL or have a default."""
    for field in found.sent_fields:
        fills = (field.nullable or field.default is not None) and not field.spec.type.is_vector
        if field.name not in named and fills and not field.is_key:
            default = field.default
            yield FieldPlan(
                added=True,
                target=field.name,
                nullable=field.nullable,
                default=default,
                **_parameters(field),
            )
