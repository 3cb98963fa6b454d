"""Defaults of fields that no source column describes: added fields and document keys."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.key_paths import opened_path
from migrations_app.engine.model.limits import MAX_CAPACITY, MAX_LENGTH
from migrations_app.engine.model.names import free_name
from migrations_app.engine.model.plan import CollectionPlan, FieldPlan
from migrations_app.engine.model.source_schema import TypeChoice
from migrations_app.engine.model.target_schema import META
from migrations_app.engine.model.types import MilvusType, TypeSpec

NO_DEFAULT = frozenset({MilvusType.JSON, MilvusType.ARRAY})


def complete_added_field(field: FieldPlan, capabilities: Capabilities) -> FieldPlan:
    """Return an added field with its limits filled in: the highest of Milvus. If the target cannot store a
    default for the field, the default becomes ``fill_null``, which is only written into the rows."""
    choice = written_choice(field)
    if choice is None:
        return field
    kind = choice.spec.type
    update: dict[str, Any] = {}
    if field.default is not None and (kind in NO_DEFAULT or not capabilities.default_values):
        update = {"default": None, "fill_null": field.default}
    if field.nullable is None:
        update["nullable"] = field.default is None and field.fill_null is None and capabilities.nullable
    if MilvusType.VARCHAR in (kind, choice.spec.element_type) and field.max_length is None:
        update["max_length"] = MAX_LENGTH
    if kind is MilvusType.ARRAY and field.max_capacity is None:
        update["max_capacity"] = MAX_CAPACITY
    return field.model_copy(update=update)


def written_choice(field: FieldPlan) -> TypeChoice | None:
    """Return the type written in a plan, or None if it is not a valid type or is a vector type. Only source
    columns can be vectors."""
    kinds = [field.type, *([field.element_type] if field.element_type else ())]
    if not all(kind in MilvusType.__members__ for kind in kinds) or MilvusType(kinds[0]).is_vector:
        return None
    element = MilvusType(field.element_type) if field.element_type else None
    if (element is None) == (field.type == MilvusType.ARRAY):
        return None
    return TypeChoice(TypeSpec(MilvusType(kinds[0]), element_type=element))


def with_mismatch_keys(
    collection: CollectionPlan, fields: Sequence[FieldPlan], rest: Set[str]
) -> list[FieldPlan]:
    """Return ``fields`` with a key for type mismatches for each field that needs one. ``rest`` are names of
    document keys that go into the dynamic field.

    The mismatches of a document key stay at its path, if no field or other key has the name that this path
    starts with. Those of a column go there under its name, or a name close to it.
    """
    names = {name for field in fields if (name := field.as_ if field.dynamic else field.target)}
    names |= {META, collection.key_name or "id"}
    completed: list[FieldPlan] = []
    for field in fields:
        if field.misfit == "dynamic" and not (field.as_ or field.dynamic or field.added):
            path = None if field.column else opened_path(field.source, collection.open)
            name = path.parts[0] if path else field.source or ""
            if name in names or (path is None and name in rest):
                name = free_name(f"{field.target}_misfit", names | rest)
            elif path:
                name = ""
            if name:
                field = field.model_copy(update={"as_": name})
                names.add(name)
        completed.append(field)
    return completed
