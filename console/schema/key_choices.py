"""Choices of the primary key: the key of the source, Auto ID, another field, or several fields joined."""

from __future__ import annotations

from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.plan import AUTO, CollectionPlan
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.planning.type_choices import key_choices, key_fields, part_fields

Choices = list[tuple[str, str | list[tuple[str, str]]]]

KEEP, JOINED = "keep", "joined"
FIELD = "field:"  # before the name of another field
LEAST_PARTS = 2


def own_key(schema: CollectionSchema, capabilities: Capabilities) -> tuple[str, str] | None:
    """Return the source's key and its types in Milvus; None unless it is one unique column that can be a key
    there."""
    if schema.key is None or len(schema.key.columns) != 1 or not schema.key.unique:
        return None
    return next(
        (field for field in possible(schema, capabilities) if field[0] == schema.key.columns[0]), None
    )


def possible(schema: CollectionSchema, capabilities: Capabilities) -> list[tuple[str, str]]:
    """Return each field that can be the key alone, with the types that it can have as the key."""
    return [
        (field.name, " or ".join(choice.spec.type for choice in key_choices(field, capabilities)))
        for field in key_fields(schema, capabilities)
    ]


def parts(schema: CollectionSchema, capabilities: Capabilities) -> list[str]:
    """Return the fields that may be joined into a key."""
    return [field.name for field in part_fields(schema, capabilities)]


def choices(schema: CollectionSchema, capabilities: Capabilities) -> Choices:
    """Return the options of *Primary key*, as groups of a select."""
    own = own_key(schema, capabilities)
    others = [
        (FIELD + name, f"{name} ({of})") for name, of in possible(schema, capabilities) if (name, of) != own
    ]
    options: Choices = [(KEEP, f"Keep {own[0]} ({own[1]})")] if own else []
    options.append((AUTO, "Auto ID (new keys)"))
    if len(parts(schema, capabilities)) >= LEAST_PARTS:
        options.append((JOINED, "Join several fields…"))
    return [*options, ("Another field", others)] if others else options


def choice_of(name: str, schema: CollectionSchema) -> str:
    """Return the option that stands for one field."""
    is_own = schema.key is not None and schema.key.unique and schema.key.columns == (name,)
    return KEEP if is_own else FIELD + name


def chosen(plan: CollectionPlan, schema: CollectionSchema) -> str:
    """Return the option that the plan has chosen."""
    if is_joined(plan):
        return JOINED
    return AUTO if plan.is_auto_id or not plan.key_columns else choice_of(plan.key_columns[0], schema)


def is_joined(plan: CollectionPlan) -> bool:
    """True if several fields are to be joined, even if fewer than two are chosen so far."""
    return isinstance(plan.key, list) and plan.key != [AUTO]


def is_unfinished(plan: CollectionPlan) -> bool:
    """True if more fields must be chosen before the plan can run."""
    return is_joined(plan) and len(plan.key_columns) < LEAST_PARTS


def key_of(
    choice: str, plan: CollectionPlan, schema: CollectionSchema, capabilities: Capabilities
) -> str | list[str]:
    """Return ``CollectionPlan.key`` for an option; Auto ID if the option is not possible."""
    if choice == JOINED:
        return _first_parts(plan, schema, capabilities)
    own = own_key(schema, capabilities)
    name = own[0] if choice == KEEP and own else choice.removeprefix(FIELD)
    if choice == AUTO or name not in dict(possible(schema, capabilities)):
        return AUTO
    return [name] if name == AUTO else name


def _first_parts(plan: CollectionPlan, schema: CollectionSchema, capabilities: Capabilities) -> list[str]:
    """Return the first fields of a joined key: the columns of the source's key if it has several, else those
    of the current key."""
    columns = schema.key.columns if schema.key and len(schema.key.columns) > 1 else plan.key_columns
    return [name for name in columns if name in parts(schema, capabilities)]
