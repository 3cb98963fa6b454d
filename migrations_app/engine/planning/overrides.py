"""Overrides: a list of fields that only changes the defaults (``override``), and fields that it leaves out
(``include: false``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from migrations_app.engine.model.plan import FieldPlan
from migrations_app.engine.model.source_schema import CollectionSchema


def included(listed: Iterable[FieldPlan], schema: CollectionSchema) -> Iterator[FieldPlan]:
    """Yield the listed fields without those that are left out. A field that the source does not have stays in
    the list, so that preflight reports it."""
    return (field for field in listed if field.include or schema.field(field.source or "") is None)


def overridden(
    defaults: Sequence[FieldPlan], listed: Sequence[FieldPlan], schema: CollectionSchema
) -> Iterator[FieldPlan]:
    """Yield ``defaults`` with the changes of ``listed``, then the listed fields that are not among them.

    A field that is listed twice is yielded twice, so that preflight reports it.
    """
    changes = {field.source: field for field in reversed(listed) if not field.added}
    names = {field.source for field in defaults}
    for default in defaults:
        change = changes.get(default.source)
        if change is None:
            yield default
        else:
            yield from included([_changed(default, change)], schema)
    first = {id(change) for change in changes.values() if change.source in names}
    yield from included((field for field in listed if id(field) not in first), schema)


def _changed(default: FieldPlan, change: FieldPlan) -> FieldPlan:
    """Return ``default`` with everything that ``change`` contains."""
    return default.model_copy(update={name: getattr(change, name) for name in change.model_fields_set})
