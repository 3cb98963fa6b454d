"""The primary key as one choice: the source's own, new keys, another field, or several joined."""

from __future__ import annotations

from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.plan import AUTO, CollectionPlan
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.planning.type_choices import key_choice, key_fields, part_fields

Choices = list[tuple[str, str | list[tuple[str, str]]]]

KEEP, JOINED = "keep", "joined"
FIELD = "field:"  # before the name of another field
LEAST_PARTS = 2


def own_key(schema: CollectionSchema, capabilities: Capabilities) -> tuple[str, MilvusType] | None:
    """The source's key and its type in Milvus, if it is one unique column that can be a key there."""
    if schema.key is None or len(schema.key.columns) != 1 or not schema.key.unique:
        return None
    return next(
        (found for found in possible(schema, capabilities) if found[0] == schema.key.columns[0]), None
    )


def possible(schema: CollectionSchema, capabilities: Capabilities) -> list[tuple[str, MilvusType]]:
    """Every field that could be the key alone, and its type then."""
    found = [(field.name, key_choice(field, capabilities)) for field in key_fields(schema, capabilities)]
    return [(name, choice.spec.type) for name, choice in found if choice is not None]


def parts(schema: CollectionSchema, capabilities: Capabilities) -> list[str]:
    """The fields that may be joined into a key."""
    return [field.name for field in part_fields(schema, capabilities)]


def choices(schema: CollectionSchema, capabilities: Capabilities) -> Choices:
    """What *Primary key* offers, as groups of a select."""
    own = own_key(schema, capabilities)
    others = [
        (FIELD + name, f"{name} ({of})") for name, of in possible(schema, capabilities) if (name, of) != own
    ]
    found: Choices = [(KEEP, f"Keep {own[0]} ({own[1]})")] if own else []
    found.append((AUTO, "Auto ID (new keys)"))
    if len(parts(schema, capabilities)) >= LEAST_PARTS:
        found.append((JOINED, "Several joined…"))
    return [*found, ("Another field", others)] if others else found


def choice_of(name: str, schema: CollectionSchema) -> str:
    """The choice of one field by name."""
    is_own = schema.key is not None and schema.key.unique and schema.key.columns == (name,)
    return KEEP if is_own else FIELD + name


def chosen(plan: CollectionPlan, schema: CollectionSchema) -> str:
    """The choice that the plan stands for."""
    if is_joined(plan):
        return JOINED
    return AUTO if plan.is_auto_id or not plan.key_columns else choice_of(plan.key_columns[0], schema)


def is_joined(plan: CollectionPlan) -> bool:
    """Whether several fields are to be joined, though fewer than two may be picked as yet."""
    return isinstance(plan.key, list) and plan.key != [AUTO]


def is_unfinished(plan: CollectionPlan) -> bool:
    """Whether fields are still to be picked: no plan that could run."""
    return is_joined(plan) and len(plan.key_columns) < LEAST_PARTS


def key_of(
    choice: str, plan: CollectionPlan, schema: CollectionSchema, capabilities: Capabilities
) -> str | list[str]:
    """``CollectionPlan.key`` for a choice; one that cannot be had is Auto ID."""
    if choice == JOINED:
        return _first_parts(plan, schema, capabilities)
    own = own_key(schema, capabilities)
    name = own[0] if choice == KEEP and own else choice.removeprefix(FIELD)
    if choice == AUTO or name not in dict(possible(schema, capabilities)):
        return AUTO
    return [name] if name == AUTO else name


def _first_parts(plan: CollectionPlan, schema: CollectionSchema, capabilities: Capabilities) -> list[str]:
    """What *Several joined* begins with: the columns of the source's key, where it has several, else the key
    so far."""
    columns = schema.key.columns if schema.key and len(schema.key.columns) > 1 else plan.key_columns
    return [name for name in columns if name in parts(schema, capabilities)]
