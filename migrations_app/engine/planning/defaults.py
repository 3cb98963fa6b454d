"""Defaults: fill in what a plan leaves out, from the source's schema and the target's capabilities.

What the plan does contain is never changed, even if it is wrong; ``preflight`` reports what is wrong.
Completing a plan twice gives the same result as completing it once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.key_paths import is_column, last_part, source_of, with_rest_field
from migrations_app.engine.model.limits import MAX_CAPACITY, MAX_LENGTH
from migrations_app.engine.model.names import new_key_name
from migrations_app.engine.model.partition_names import names_of_source_partitions
from migrations_app.engine.model.plan import AUTO, CollectionPlan, FieldPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, TypeChoice
from migrations_app.engine.model.target_schema import TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.planning.added_fields import (
    complete_added_field,
    with_mismatch_keys,
    written_choice,
)
from migrations_app.engine.planning.from_existing import complete_from_existing
from migrations_app.engine.planning.index_defaults import default_indexes
from migrations_app.engine.planning.overrides import included, overridden
from migrations_app.engine.planning.target_names import default_target, rest_names, target_names
from migrations_app.engine.planning.type_choices import (
    choice_of,
    joined_key,
    key_choices,
    left_out,
    lists_in_sample,
    sampled_dim,
)


def complete(
    collection: CollectionPlan,
    schema: CollectionSchema,
    capabilities: Capabilities,
    *,
    taken: Collection[str] = (),
    existing: TargetSchema | None = None,
) -> CollectionPlan:
    """Return ``collection`` with everything filled in: target, key, fields with their parameters, indexes.

    ``existing`` is the collection in the target that the rows are added to. If given, the defaults come from
    it. If there is none, the defaults come from ``schema.exact``, which is copied.
    """
    opened = list(with_rest_field(schema, collection.open))
    collection = collection.model_copy(update={"open": opened, "exact": None})
    if (like := existing or schema.exact) is not None:
        collection = complete_from_existing(collection, schema, capabilities, like)
    target = default_target(schema, taken) if collection.target is None else collection.target
    keyed = _with_key(collection, schema, capabilities).model_copy(update={"target": target})
    names = target_names(keyed, schema, capabilities)
    completer = _FieldCompleter(schema, capabilities, keyed, names)
    listed = _listed_fields(keyed, schema, capabilities)
    fields = [completer.complete(field) for field in listed]
    rest = rest_names(keyed.model_copy(update={"fields": fields}), schema)
    fields = with_mismatch_keys(keyed, fields, rest)
    return keyed.model_copy(
        update={
            "fields": fields,
            "override": False,
            "key_name": keyed.key_name or (_key_name(keyed, fields, rest) if keyed.makes_key else None),
            "key_max_length": MAX_LENGTH
            if keyed.key_max_length is None and keyed.is_joined
            else keyed.key_max_length,
            "indexes": default_indexes(keyed, fields, schema, capabilities),
            "partitions": _partitions(keyed, schema),
        }
    )


def _partitions(collection: CollectionPlan, schema: CollectionSchema) -> dict[str, str] | None:
    """Return the partitions of the plan. By default those of the source are kept, if the source says so and
    can list them."""
    if collection.partitions is not None or not schema.keeps_partitions or schema.partitions is None:
        return collection.partitions
    is_divided = collection.partition_by is not None or collection.partition_key is not None
    return {} if is_divided else kept_partitions(schema)


def kept_partitions(schema: CollectionSchema) -> dict[str, str]:
    """Return the names in the target of the partitions of the source, if they are kept by default."""
    return names_of_source_partitions(schema.partitions or (), {}) if schema.keeps_partitions else {}


@dataclass(frozen=True, slots=True)
class _FieldCompleter:
    """The completer of the fields of one collection."""

    schema: CollectionSchema
    capabilities: Capabilities
    collection: CollectionPlan
    names: Mapping[str, str]

    def complete(self, field: FieldPlan) -> FieldPlan:
        if field.added:
            return complete_added_field(field, self.capabilities)
        source = source_of(self.schema, self.collection.open, field.source)
        if source is None:
            return field
        if is_column(self.schema, self.collection.open, field.source):
            field = field.model_copy(update={"column": True})
        if field.dynamic or self._goes_dynamic(field, source):
            return self._dynamic(field, source)
        choice = self._choice(field, source)
        name = self.names.get(source.name, last_part(source))
        defaults: dict[str, Any] = {"target": field.target or name}
        if choice is not None:
            defaults |= self._parameters(choice.spec, source) | {"encoding": choice.encoding or None}
        if field.nullable is None:
            defaults["nullable"] = field.absent == "null" or (
                choice is not None and self._is_nullable(defaults["target"], source, choice.spec)
            )
        completed = _with_defaults(field, defaults)
        if field.misfit is None and self._keeps_mismatches(completed, source):
            return completed.model_copy(update={"misfit": "dynamic"})
        return completed

    def _keeps_mismatches(self, field: FieldPlan, source: SourceField) -> bool:
        """True if values that do not fit may occur, can go into the dynamic field, and leave NULL behind."""
        return (
            source.is_sampled
            and self.collection.dynamic_field
            and bool(field.nullable)
            and field.default is None
            and field.fill_null is None
            and field.type is not None
            and (field.type != MilvusType.JSON or bool(source.opened_from))
            and not source.is_vector
        )

    def _choice(self, field: FieldPlan, source: SourceField) -> TypeChoice | None:
        if self.collection.is_kept_key(field.source):
            for as_key in key_choices(source, self.capabilities):
                if field.type in (None, as_key.spec.type) and field.encoding in (None, as_key.encoding):
                    return as_key
        choice = choice_of(source, self.capabilities, field.type, field.element_type, field.encoding)
        return choice or (written_choice(field) if source.opened_from else None)

    def _dynamic(self, field: FieldPlan, source: SourceField) -> FieldPlan:
        """Return ``field`` as a key of the dynamic field, with the first of its types that JSON can hold. The
        types of the target do not matter."""
        if source.opened_from:  # goes into the dynamic field unchanged
            return _with_defaults(field, {"as_": field.target or last_part(source), "dynamic": True})
        if source.is_sampled and not source.is_vector and field.fill_null is None:  # values of any type
            return _with_defaults(field, {"as_": field.target or source.name, "dynamic": True})
        specs = [choice.spec for choice in source.choices]
        spec = next((spec for spec in specs if not spec.type.is_vector), specs[0] if specs else None)
        defaults: dict[str, Any] = {"as_": field.target or source.name, "dynamic": True}
        if spec is not None and field.type is None:
            defaults |= {"type": spec.type.value, "element_type": _value(spec.element_type)}
        return _with_defaults(field, defaults)

    def _goes_dynamic(self, field: FieldPlan, source: SourceField) -> bool:
        """True if the plan gives only the source of the field, and no target field can hold its values."""
        choice = choice_of(source, self.capabilities)
        return (
            field.model_fields_set <= {"source"}
            and self.collection.dynamic_field
            and choice is not None
            and not choice.spec.type.is_vector
            and not self._is_key_of_any_kind(source.name, source)
            and not self._is_searched(source.name)
            and (self._loses_null(source) or self._loses_lists(choice.spec, source))
        )

    def _loses_null(self, source: SourceField) -> bool:
        return source.nullable and not self.capabilities.nullable

    def _loses_lists(self, spec: TypeSpec, source: SourceField) -> bool:
        lists, _ = lists_in_sample(self.schema.sample, source)
        is_array = any(choice.spec.type is MilvusType.ARRAY for choice in source.choices)
        has_lists = lists > 0 or (is_array and not source.opened_from)
        return spec.type is MilvusType.JSON and self.capabilities.json_objects_only and has_lists

    def _is_nullable(self, target: str, source: SourceField, spec: TypeSpec) -> bool:
        if self._is_searched(target) and not self.capabilities.full_text_null:
            return False
        return (
            self.capabilities.nullable
            and not spec.type.is_vector
            and not self._is_key_of_any_kind(target, source)
        )

    def _is_searched(self, target: str) -> bool:
        return any(full_text.field == target for full_text in self.collection.full_text)

    def _is_key_of_any_kind(self, target: str, source: SourceField) -> bool:
        return self.collection.is_kept_key(source.name) or target == self.collection.partition_key

    def _parameters(self, spec: TypeSpec, source: SourceField) -> dict[str, Any]:
        """Return the parameters of a type. A limit that the source does not declare is the highest of Milvus,
        whatever the sample shows: it costs nothing there, and a lower one rejects the rows above it."""
        element = spec.element_type
        texts = MilvusType.VARCHAR in (spec.type, element)
        dim = spec.dim or (sampled_dim(self.schema.sample, source.name) if spec.type.is_vector else None)
        return {
            "type": spec.type.value,
            "element_type": _value(element),
            "dim": dim,
            "max_length": (spec.max_length or MAX_LENGTH) if texts else None,
            "max_capacity": (spec.max_capacity or MAX_CAPACITY) if spec.type is MilvusType.ARRAY else None,
        }


def _listed_fields(
    collection: CollectionPlan, schema: CollectionSchema, capabilities: Capabilities
) -> Iterator[FieldPlan]:
    """Yield the fields that the plan lists, and the key if the list lacks it. If the plan lists no fields,
    yield all that can be proposed; with ``override``, with the changes that it lists."""
    key = set() if collection.makes_key else set(collection.key_columns)
    old_key = _old_key(schema) if collection.is_auto_id else set()
    unsupported = set(left_out(schema, capabilities, len(collection.full_text))) - key
    if collection.fields is not None and not collection.override:
        needed = key | (old_key - unsupported if collection.keep_source_key else set())
        missing = needed - {field.source for field in collection.fields}
        yield from (FieldPlan(source=field.name) for field in schema.fields if field.name in missing)
        yield from included(collection.fields, schema)
        return
    # The keys of opened columns go into the dynamic field without being listed.
    names = set(collection.open)
    opened = {f.name for f in schema.fields if f.opened_from or (f.can_open and f.name in names)}
    without = opened - set(collection.key_columns) | (
        unsupported if collection.keep_source_key else unsupported | old_key
    )
    proposed = [FieldPlan(source=field.name) for field in schema.fields if field.name not in without]
    yield from overridden(proposed, collection.fields or (), schema)


def _old_key(schema: CollectionSchema) -> set[str]:
    """Return the source's key if it is a single column: Auto ID replaces it. The columns of a composite key
    are ordinary fields."""
    columns = schema.key.columns if schema.key else ()
    field = schema.field(columns[0]) if len(columns) == 1 else None
    return {field.name} if field is not None and not field.is_vector else set()


def _with_key(
    collection: CollectionPlan, schema: CollectionSchema, capabilities: Capabilities
) -> CollectionPlan:
    """Return ``collection`` with a key. The default is the source's own key if it is one column that Milvus
    can use as a key, or columns that the source wants joined; else Auto ID. With Auto ID, the old key stays
    as an ordinary field."""
    if collection.key is not None:
        return collection
    if joined_key(schema, capabilities):
        return collection.model_copy(update={"key": list(joined_key(schema, capabilities))})
    columns = schema.key.columns if schema.key and schema.key.unique else ()
    own = schema.field(columns[0]) if len(columns) == 1 else None
    if own is not None and key_choices(own, capabilities):
        # A list, because a column may have the name “auto”.
        return collection.model_copy(update={"key": [own.name] if own.name == AUTO else own.name})
    keeps_key = collection.keep_source_key or "keep_source_key" not in collection.model_fields_set
    has_old_key = not _old_key(schema).issubset(left_out(schema, capabilities))
    return collection.model_copy(update={"key": AUTO, "keep_source_key": keeps_key and has_old_key})


def _key_name(collection: CollectionPlan, fields: Iterable[FieldPlan], rest: Set[str]) -> str:
    """Return a free name: not the name of a field, nor of a key of the dynamic field (``rest``)."""
    taken = {name for field in fields for name in (field.target, field.as_) if name} | rest
    taken |= {full_text.output for full_text in collection.full_text}
    return new_key_name(taken, is_joined=collection.is_joined)


def _with_defaults(field: FieldPlan, defaults: dict[str, Any]) -> FieldPlan:
    """Return ``field`` with what it leaves out taken from ``defaults``."""
    return field.model_copy(
        update={n: v for n, v in defaults.items() if getattr(field, n) is None or n == "dynamic"}
    )


def _value(type_: MilvusType | None) -> str | None:
    return type_.value if type_ else None
