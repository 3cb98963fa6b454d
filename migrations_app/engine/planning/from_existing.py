"""Defaults from a collection: fill in what a plan leaves out if rows are added to an existing collection, or
if the schema of the source is copied exactly."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.milvus.schema import to_text
from migrations_app.engine.model.key_paths import last_part, level, source_of
from migrations_app.engine.model.limits import MAX_CAPACITY, MAX_LENGTH
from migrations_app.engine.model.plan import AUTO, CollectionPlan, FieldPlan, FullTextPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField
from migrations_app.engine.model.target_schema import BM25, TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.planning.overrides import included, overridden
from migrations_app.engine.planning.target_names import target_names
from migrations_app.engine.planning.type_choices import key_choices

# What a plan takes from the collection that it copies exactly.
COPIED = frozenset(
    {
        *("key", "key_name", "key_max_length", "keep_source_key", "partition_key", "partition_by"),
        *("open", "partitions", "shards", "dynamic_field", "fields", "indexes"),
    }
)


def without_copied(collection: CollectionPlan) -> CollectionPlan:
    """Return ``collection`` without everything that an exact copy takes from its source."""
    return CollectionPlan.model_validate(collection.model_dump(by_alias=True, exclude=set(COPIED)))


def complete_from_existing(
    collection: CollectionPlan, schema: CollectionSchema, capabilities: Capabilities, existing: TargetSchema
) -> CollectionPlan:
    """Return ``collection`` with the key, fields and options of ``existing`` where the plan leaves them out.

    Source fields go into the target fields with the same names and get their types. What the plan contains
    stays unchanged, even if it differs. ``existing`` may be ``schema.exact``: then nothing is left empty or
    filled with a default that the source has rows for.
    """
    is_copy = existing is schema.exact
    completed = collection.model_copy(update=_options(collection, schema, capabilities, existing))
    if is_copy:
        completed = completed.model_copy(update=_copied_options(collection, capabilities, existing))
    fields = list(included(completed.fields or (), schema))
    if completed.fields is None or completed.override:
        matched = list(_matched(completed, schema, capabilities, existing))
        fields = list(overridden(matched, completed.fields or (), schema))
    by_name = {field.name: field for field in existing.sent_fields}
    fields = [_with_parameters(field, completed, schema, capabilities, by_name) for field in fields]
    mapped = {_target_name(field, schema, completed) for field in fields if not field.dynamic}
    added = () if is_copy else _added_fields(existing, mapped)
    return completed.model_copy(update={"fields": [*fields, *added], "override": False})


def _copied_options(
    collection: CollectionPlan, capabilities: Capabilities, exact: TargetSchema
) -> dict[str, Any]:
    """Return the options of an exact copy that differ from those of a collection that rows are added to."""
    given = collection.model_fields_set
    outputs = {full_text.output for full_text in collection.full_text}
    own = [full_text for full_text in full_text_of(exact) if full_text.output not in outputs]
    analyzers = {field.name: field.analyzer for field in exact.fields if field.analyzer}
    listed = [
        full_text
        if "analyzer" in full_text.model_fields_set or full_text.field not in analyzers
        else full_text.model_copy(update={"analyzer": analyzers[full_text.field]})
        for full_text in collection.full_text
    ]
    return {
        "description": collection.description if "description" in given else exact.description,
        "shards": collection.shards if "shards" in given else min(exact.shards, capabilities.max_shards),
        "full_text": [*own, *listed],
        "exact": to_text(exact),
    }


def _options(
    collection: CollectionPlan, schema: CollectionSchema, capabilities: Capabilities, existing: TargetSchema
) -> dict[str, Any]:
    given = collection.model_fields_set
    key = _key(schema, capabilities, existing) if collection.key is None else collection.key
    options: dict[str, Any] = {
        "key": key,
        "dynamic_field": collection.dynamic_field if "dynamic_field" in given else existing.dynamic,
        "partition_key": collection.partition_key or existing.partition_key,
        "shards": existing.shards if collection.shards == 1 else collection.shards,
        "description": collection.description or existing.description,
        "full_text": collection.full_text or full_text_of(existing),
    }
    if collection.model_copy(update={"key": key}).makes_key:
        options["key_name"] = collection.key_name or existing.key.name
    if isinstance(key, list) and len(key) > 1:
        length = collection.key_max_length
        options["key_max_length"] = existing.key.spec.max_length if length is None else length
    return options


def _key(
    schema: CollectionSchema, capabilities: Capabilities, existing: TargetSchema
) -> str | list[str] | None:
    """Return Auto ID if the target generates the keys, else the source field with the name of the key, else
    the source's own key (joined if it has several columns). None means the usual default."""
    if existing.key.auto_id:
        return AUTO
    own = schema.key.columns if schema.key and (schema.key.unique or schema.key.is_joined) else ()
    for name in (existing.key.name, *(own if len(own) == 1 else ())):
        field = schema.field(name)
        choices = key_choices(field, capabilities) if field is not None else ()
        if existing.key.spec.type in {choice.spec.type for choice in choices}:
            return [name] if name == AUTO else name
    is_text = existing.key.spec.type is MilvusType.VARCHAR
    return list(own) if len(own) > 1 and is_text and schema.field(existing.key.name) is None else None


def full_text_of(existing: TargetSchema) -> list[FullTextPlan]:
    """Return the full-text search (BM25) of a collection in the form of a plan."""
    analyzers = {field.name: field.analyzer for field in existing.fields}
    return [
        FullTextPlan(field=name, output=output, analyzer=analyzers.get(name) or "standard")
        for function in existing.functions
        if function.type == BM25
        for name, output in zip(function.inputs, function.outputs, strict=False)
    ]


def _matched(
    collection: CollectionPlan, schema: CollectionSchema, capabilities: Capabilities, existing: TargetSchema
) -> Iterator[FieldPlan]:
    """Yield the source fields with a target field, and the others for the dynamic field if there is one."""
    names = {field.name for field in existing.sent_fields}
    # A key of a document never becomes a field of an exact copy.
    fields = [field for field in schema.fields if collection.exact is None or not field.opened_from]
    proposed = target_names(collection, schema, capabilities)
    for field in fields:
        name = next((name for name in (last_part(field), proposed.get(field.name)) if name in names), None)
        if collection.is_kept_key(field.name) and schema.field(existing.key.name) is None:
            yield FieldPlan(source=field.name, target=existing.key.name)
        elif level(field) <= 1 and name is not None and field.choices:
            yield FieldPlan(source=field.name, target=name)
        elif _can_be_dynamic(field, collection, schema) and field.name not in collection.open:
            yield FieldPlan(source=field.name, dynamic=True)


def _can_be_dynamic(field: SourceField, collection: CollectionPlan, schema: CollectionSchema) -> bool:
    is_old_key = collection.is_auto_id and schema.key is not None and schema.key.columns == (field.name,)
    holds_json = any(not choice.spec.type.is_vector for choice in field.choices)
    return (
        collection.dynamic_field
        and holds_json
        and any(choice.is_proposed for choice in field.choices)
        and not field.opened_from
        and (collection.keep_source_key or not is_old_key)
    )


def _with_parameters(
    field: FieldPlan,
    collection: CollectionPlan,
    schema: CollectionSchema,
    capabilities: Capabilities,
    by_name: dict[str, TargetField],
) -> FieldPlan:
    """Return ``field`` with the parameters of the target field of the same name, if it can have them."""
    source = source_of(schema, collection.open, field.source)
    target = by_name.get(_target_name(field, schema, collection))
    if field.dynamic or field.added or source is None or target is None:
        return field
    defaults: dict[str, Any] = {"nullable": target.nullable, "default": target.default}
    if collection.exact is not None and not field.description:
        field = field.model_copy(update={"description": target.description})
    specs = [choice.spec for choice in source.choices]
    if collection.is_kept_key(field.source):
        specs = [choice.spec for choice in key_choices(source, capabilities)] or specs
    kinds = {(spec.type, spec.element_type) for spec in specs}
    # A document key may become any type.
    can_be = bool(source.opened_from) or (target.spec.type, target.spec.element_type) in kinds
    if field.type in (None, target.spec.type) and can_be:
        defaults |= _parameters(target) | {"dim": None}
        defaults |= _raised(target) if field.raise_limit else {}
    return field.model_copy(update={n: v for n, v in defaults.items() if getattr(field, n) is None})


def _target_name(field: FieldPlan, schema: CollectionSchema, collection: CollectionPlan) -> str:
    """Return the target name from the plan, else the name of the source field. For a document key, this is
    the last part of its path."""
    source = source_of(schema, collection.open, field.source)
    return field.target or (last_part(source) if source else "")


def _parameters(field: TargetField) -> dict[str, Any]:
    spec = field.spec
    return {
        "type": spec.type.value,
        "element_type": spec.element_type.value if spec.element_type else None,
        "max_length": spec.max_length,
        "max_capacity": spec.max_capacity,
    }


def _raised(field: TargetField) -> dict[str, Any]:
    """Return the limits of a field whose limit is to be raised: the highest that Milvus has."""
    if field.spec.type is MilvusType.ARRAY:
        return {"max_capacity": MAX_CAPACITY}
    return {"max_length": MAX_LENGTH} if field.spec.type is MilvusType.VARCHAR else {}


def _added_fields(existing: TargetSchema, mapped: Collection[str]) -> Iterator[FieldPlan]:
    """Yield the target fields that are not in ``mapped`` and that are nullable or have a default."""
    for field in existing.sent_fields:
        can_be_empty = (field.nullable or field.default is not None) and not field.spec.type.is_vector
        if field.name not in mapped and can_be_empty and not field.is_key:
            default = field.default
            yield FieldPlan(
                added=True,
                target=field.name,
                nullable=field.nullable,
                default=default,
                **_parameters(field),
            )
