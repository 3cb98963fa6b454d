"""The primary key as one choice: the source's own, new keys, another field, or several joined."""

from __future__ import annotations

from migrations_app.engine.choices import key_choice
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.plan import AUTO, CollectionPlan
from migrations_app.engine.schema import CollectionSchema, MilvusType

Choices = list[tuple[str, str | list[tuple[str, str]]]]

KEEP, JOINED = "keep", "joined"
FIELD = "field:"  # before the name of another field


def own_key(schema: CollectionSchema, has: Capabilities) -> tuple[str, MilvusType] | None:
    """The source's key and its type in Milvus, if it is one unique column that can be a key there."""
    if schema.key is None or len(schema.key.columns) != 1 or not schema.key.unique:
        return None
    return next((found for found in possible(schema, has) if found[0] == schema.key.columns[0]), None)


def possible(schema: CollectionSchema, has: Capabilities) -> list[tuple[str, MilvusType]]:
    """Every field that could be a key, and its type then."""
    found = [(field.name, key_choice(field, has)) for field in schema.fields]
    return [(name, choice.spec.type) for name, choice in found if choice is not None]


def choices(schema: CollectionSchema, has: Capabilities) -> Choices:
    """What *Primary key* offers, as groups of a select."""
    own = own_key(schema, has)
    others = [found for found in possible(schema, has) if found != own]
    kept: Choices = [(KEEP, f"Keep {own[0]} ({own[1]})")] if own else []
    listed: Choices = [("Another field", [(FIELD + name, f"{name} ({of})") for name, of in others])]
    joined: Choices = [(JOINED, "Several joined…")]
    return [*kept, (AUTO, "Auto ID (new keys)"), *(listed if others else []), *(joined if others else [])]


def chosen(plan: CollectionPlan, schema: CollectionSchema) -> str:
    """The choice that the plan stands for."""
    if isinstance(plan.key, list):
        return JOINED
    if plan.key is None or plan.key == AUTO:
        return AUTO
    return choice_of(plan.key, schema)


def choice_of(name: str, schema: CollectionSchema) -> str:
    """The choice of one field by name."""
    is_own = schema.key is not None and schema.key.unique and schema.key.columns == (name,)
    return KEEP if is_own else FIELD + name


def key_of(choice: str, plan: CollectionPlan, schema: CollectionSchema, has: Capabilities) -> str | list[str]:
    """``CollectionPlan.key`` for a choice; one that cannot be had is Auto ID."""
    names = [name for name, _ in possible(schema, has)]
    if choice == JOINED:
        return _first_parts(plan, schema, names)
    own = own_key(schema, has)
    if choice == KEEP and own:
        return own[0]
    name = choice.removeprefix(FIELD)
    return name if choice.startswith(FIELD) and name in names else AUTO


def _first_parts(plan: CollectionPlan, schema: CollectionSchema, names: list[str]) -> list[str]:
    """The parts that *Several joined* begins with: those there are, else the columns of the source's key."""
    if isinstance(plan.key, list):
        return plan.key
    columns = schema.key.columns if schema.key else plan.key_columns
    return [name for name in columns if name in names]
