"""Rules for added fields, which the source does not have: a name, a type, and a value for each row."""

from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.planning.added_fields import written_choice
from migrations_app.engine.preflight.subject import FieldEntry, Subject

# The options that only a field with a source can have, with their usual values.
_SOURCE_OPTIONS = {"source": None, "dynamic": False, "as_": None, "misfit": None, "too_long": "reject"}


def check_added(subject: Subject) -> Iterator[Fault]:
    for entry in subject.entries():
        if entry.plan.added:
            yield from _misplaced(entry)
            yield from _check_type(entry, subject)
            yield from _check_value(entry)


def _misplaced(entry: FieldEntry) -> Iterator[Fault]:
    for option, usual in _SOURCE_OPTIONS.items():
        if getattr(entry.plan, option) != usual:
            key = option.rstrip("_")
            message = f"“{entry.name}” is an added field, which has no source: it cannot have “{key}”."
            yield entry.fault(key, "option_misplaced", message, "Remove it.", Fix("Remove it", key, ""))
    if not entry.plan.target:
        message = "An added field has no name."
        yield entry.fault("target", "name_empty", message, "Write its name as “target”.")


def _check_type(entry: FieldEntry, subject: Subject) -> Iterator[Fault]:
    kind = entry.plan.type
    if kind is None:
        yield entry.fault("type", "type_missing", f"“{entry.name}” has no type.", "Set its type.")
    elif kind in MilvusType.__members__ and MilvusType(kind).is_vector:
        message = f"“{entry.name}” is an added field, so it cannot be a vector: no vectors exist to fill it."
        yield entry.fault("type", "added_vector", message, "Remove the field.")
    elif written_choice(entry.plan) is None:
        message = f"“{entry.name}” is an added field and cannot be {entry.type_name}."
        hint = "Use BOOL, a number type, VARCHAR, JSON, or ARRAY with an element_type."
        yield entry.fault("type", "type_unsuitable", message, hint)
    elif kind not in subject.capabilities.types:
        yield entry.fault(
            "type",
            "type_unavailable",
            f"{kind} {subject.capabilities.missing(kind)}.",
            "Choose another type.",
        )


def _check_value(entry: FieldEntry) -> Iterator[Fault]:
    plan = entry.plan
    if not plan.nullable and plan.default is None and plan.fill_null is None and not entry.is_vector:
        message = f"“{entry.name}” is an added field without a value: it is not nullable and has no default."
        yield entry.fault("default", "added_needs_value", message, "Set a default.")
