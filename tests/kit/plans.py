"""Default plans: plans as the wizard proposes them, made without the wizard."""

from __future__ import annotations

from collections.abc import Collection

from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.planning.defaults import complete


def default_plan(
    schema: CollectionSchema, capabilities: Capabilities, *, taken: Collection[str] = ()
) -> CollectionPlan:
    """Return the plan of a selected collection without changes. ``taken``: target names of the others."""
    return complete(CollectionPlan(source=schema.name), schema, capabilities, taken=taken)
