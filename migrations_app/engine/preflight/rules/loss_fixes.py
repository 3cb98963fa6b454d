"""Fixes for rows that would not be moved: what the user can change in the plan so that they are."""

from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engine.faults import Fix
from migrations_app.engine.model.limits import MAX_CAPACITY, MAX_LENGTH
from migrations_app.engine.model.row_tests import JSON_NOT_OBJECT, TYPE_MISMATCH, RowTest
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.preflight.rules.keys import NO_PARTITION_KEY, USE_AUTO_ID
from migrations_app.engine.preflight.rules.nulls import absent_fixes
from migrations_app.engine.preflight.rules.types import LEAVE_OUT, raise_fixes
from migrations_app.engine.preflight.subject import FieldEntry, Subject

_TRUNCATE = Fix("Truncate longer texts", "too_long", "truncate")
_DYNAMIC = Fix("Put it into the dynamic field", "dynamic", "true")
_KEEP_MISMATCHES = Fix("Keep such values in the dynamic field", "misfit", "dynamic")
_NULLABLE = Fix("Make it nullable", "nullable", "true")


def loss_fixes(test: RowTest, entry: FieldEntry, subject: Subject) -> tuple[Fix, ...]:
    """Return the changes of the field that would move the rows that meet ``test``, the best first."""
    return tuple(_fixes(test, entry, subject))


def _fixes(test: RowTest, entry: FieldEntry, subject: Subject) -> Iterator[Fix]:
    is_free = subject.existing is None and subject.copied is None
    if test.code in ("too_long", "item_too_long"):
        yield from raise_fixes(entry, subject) if test.code == "too_long" else ()
        yield from _longer(entry, is_free=is_free)
        if not subject.is_key(entry):
            yield _TRUNCATE
        elif is_free:
            yield USE_AUTO_ID
    elif test.code == "too_many_items" and is_free and (entry.plan.max_capacity or 0) < MAX_CAPACITY:
        yield Fix(f"Allow {MAX_CAPACITY:,}", "max_capacity", str(MAX_CAPACITY))
    elif test.code == "too_many_items":
        yield from raise_fixes(entry, subject)
    elif test.code in ("null", "null_key"):
        yield from _nullable(entry, subject, is_free=is_free)
    elif test.code == "null_vector":
        yield from absent_fixes(entry, subject)
    elif test.code in (TYPE_MISMATCH, JSON_NOT_OBJECT) and _may_keep_mismatches(entry, subject):
        yield _KEEP_MISMATCHES
    if is_free:
        yield from _other_types(test, entry, subject)
    if _may_go(entry, subject):
        yield LEAVE_OUT


def _may_keep_mismatches(entry: FieldEntry, subject: Subject) -> bool:
    """True if values that do not fit can go into the dynamic field and leave a value behind."""
    plan = entry.plan
    has_value = bool(plan.nullable) or plan.default is not None or plan.fill_null is not None
    is_sampled = entry.is_key_of_document or (entry.source is not None and entry.source.is_sampled)
    return is_sampled and has_value and subject.plan.dynamic_field and not entry.is_vector


def _longer(entry: FieldEntry, *, is_free: bool) -> Iterator[Fix]:
    if is_free and (entry.plan.max_length or MAX_LENGTH) < MAX_LENGTH:
        yield Fix(f"Raise to {MAX_LENGTH:,}", "max_length", str(MAX_LENGTH))


def _nullable(entry: FieldEntry, subject: Subject, *, is_free: bool) -> Iterator[Fix]:
    if subject.is_key(entry):
        yield USE_AUTO_ID
    elif subject.is_partition_key(entry):
        yield NO_PARTITION_KEY
    elif is_free and subject.capabilities.nullable:
        yield _NULLABLE


def _other_types(test: RowTest, entry: FieldEntry, subject: Subject) -> Iterator[Fix]:
    """Yield the types that hold every value of the field, or the dynamic field."""
    if subject.is_key(entry) or subject.is_partition_key(entry) or entry.source is None or entry.is_vector:
        return
    kinds = {choice.spec.type for choice in entry.source.choices} - {entry.spec.type if entry.spec else None}
    if test.code in _OF_ARRAYS and MilvusType.JSON in kinds:
        yield Fix("Use JSON", "type", str(MilvusType.JSON))
    if test.code in _OF_JSON_KINDS | {"unreadable", "not_finite"} and MilvusType.VARCHAR in kinds:
        yield Fix("Use text", "type", str(MilvusType.VARCHAR))
    if test.code in _OF_JSON_KINDS and subject.plan.dynamic_field and not entry.is_key_of_document:
        yield _DYNAMIC


_OF_ARRAYS = frozenset({"too_many_items", "null_item", "item_too_long", "unreadable"})
_OF_JSON_KINDS = frozenset({"json_not_object", "json_list", "json_null"})


def _may_go(entry: FieldEntry, subject: Subject) -> bool:
    """True if the field can be left out: it is not the key, and not the only vector."""
    if subject.copied is not None or subject.is_key(entry):
        return False
    return not entry.is_vector or any(e.is_vector and e != entry for e in subject.fixed())
