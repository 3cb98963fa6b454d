"""Rules for NULL: nullable, default and fill_null, if the type and the target support them."""

from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.model.literals import literal
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.planning.added_fields import NO_DEFAULT
from migrations_app.engine.preflight.subject import FieldEntry, Subject


def check_nullable(subject: Subject) -> Iterator[Fault]:
    off = Fix("Turn it off", "nullable", "false")
    for entry in subject.fixed():
        if not entry.plan.nullable or subject.is_key(entry) or subject.is_partition_key(entry):
            continue
        if entry.is_vector and entry.plan.absent == "null":
            continue  # ``check_absent`` reports it
        if entry.is_vector and not subject.capabilities.null_vectors:
            message = (
                f"“{entry.name}” is a vector, and NULL in vectors "
                f"{subject.capabilities.missing('null_vectors')}."
            )
            yield entry.fault("nullable", "nullable_unavailable", message, "", off)
        elif not entry.is_vector and not subject.capabilities.nullable:
            message = f"NULL in “{entry.name}” {subject.capabilities.missing('nullable')}."
            hint = "Turn nullable off. Rows with NULL are then filled (fill_null) or rejected."
            yield entry.fault("nullable", "nullable_unavailable", message, hint, off)


def absent_fixes(entry: FieldEntry, subject: Subject) -> tuple[Fix, ...]:
    """Return the fixes that move a row without this vector, as far as the target can store it."""
    fixes = []
    if entry.spec and entry.spec.type is MilvusType.SPARSE_FLOAT_VECTOR and subject.capabilities.empty_sparse:
        fixes.append(Fix("Store an empty vector", "absent", "empty"))
    schema = subject.existing or subject.copied
    known = next((f for f in schema.fields if f.name == entry.plan.target), None) if schema else None
    if subject.capabilities.null_vectors and (known is None or known.nullable):
        fixes.append(Fix("Store NULL", "absent", "null"))
    return tuple(fixes)


def check_absent(subject: Subject) -> Iterator[Fault]:
    """Check the rule for rows without a vector."""
    skip = Fix("Skip such rows", "absent", "skip")
    for entry in subject.entries():
        rule, spec = entry.plan.absent, entry.spec
        if rule is None or (spec is None and not entry.plan.dynamic):
            continue
        if entry.plan.dynamic or not entry.is_vector:
            message = f"“{entry.name}” does not become a vector field, and “absent” is a rule for vectors."
            yield entry.fault("absent", "option_misplaced", message, "Remove it.")
        elif rule == "empty" and spec and spec.type is not MilvusType.SPARSE_FLOAT_VECTOR:
            message = f"“{entry.name}” is {spec.type}; only a sparse vector can be empty."
            yield entry.fault("absent", "absent_unsuitable", message, "", skip)
        elif rule == "empty" and not subject.capabilities.empty_sparse:
            message = f"An empty vector in “{entry.name}” {subject.capabilities.missing('empty_sparse')}."
            yield entry.fault("absent", "absent_unavailable", message, "", skip)
        elif rule == "null" and not subject.capabilities.null_vectors:
            message = f"NULL in the vector “{entry.name}” {subject.capabilities.missing('null_vectors')}."
            yield entry.fault("absent", "absent_unavailable", message, "", skip)
        elif rule == "null" and not entry.plan.nullable:
            message = f"“{entry.name}” is not nullable, so rows without this vector cannot be stored as NULL."
            yield entry.fault("absent", "absent_unsuitable", message, "", skip)


def check_defaults(subject: Subject) -> Iterator[Fault]:
    for entry in subject.fixed():
        spec, value = entry.spec, entry.plan.default
        if value is None or spec is None or subject.is_key(entry):
            continue
        if entry.plan.added and not spec.type.is_vector:
            yield from _check_value(entry, "default", spec)
        elif spec.type.is_vector or spec.type in NO_DEFAULT:
            message = f"“{entry.name}” is {spec.type}, and Milvus does not support a default for this type."
            yield entry.fault("default", "default_misplaced", message, "Remove it.", _remove("default"))
        elif not subject.capabilities.default_values:
            message = f"A default for “{entry.name}” {subject.capabilities.missing('default_values')}."
            hint = "Use fill_null to set the value in the rows that are moved."
            yield entry.fault("default", "default_unavailable", message, hint, _remove("default"))
        else:
            yield from _check_value(entry, "default", spec)


def check_fill_null(subject: Subject) -> Iterator[Fault]:
    for entry in subject.entries():
        spec = entry.spec if not (entry.plan.dynamic and entry.is_key_of_document) else None
        if entry.plan.fill_null is not None and spec is not None and not subject.is_key(entry):
            yield from _check_value(entry, "fill_null", spec)
            yield from _check_object(entry, spec, subject)


def _check_object(entry: FieldEntry, spec: TypeSpec, subject: Subject) -> Iterator[Fault]:
    """Check that fill_null is not a list: a JSON field of Milvus 2.3 accepts only objects."""
    is_list = isinstance(entry.plan.fill_null, list) and spec.type is MilvusType.JSON
    if is_list and subject.capabilities.json_objects_only and not entry.plan.dynamic:
        message = f"{subject.capabilities} accepts only JSON objects; fill_null of “{entry.name}” is a list."
        yield entry.fault("fill_null", "json_list", message, "Write an object.")


_NOT_IN_META = ("nullable", "default", "dim", "max_length", "max_capacity", "description")


def check_dynamic_options(subject: Subject) -> Iterator[Fault]:
    """Check that an entry of the dynamic field has no options of a field."""
    for entry in subject.entries():
        if not entry.plan.dynamic or entry.plan.added:
            continue
        if entry.plan.target is not None:
            message = f"“{entry.name}” goes into the dynamic field, where its name is “as”, not “target”."
            yield entry.fault("target", "option_misplaced", message, f"Write as: {entry.plan.target}.")
        for option in _NOT_IN_META:
            if getattr(entry.plan, option) not in (None, ""):
                message = f"“{entry.name}” goes into the dynamic field and cannot have “{option}”."
                yield entry.fault(option, "option_misplaced", message, "Remove it.", _remove(option))


def _check_value(entry: FieldEntry, option: str, spec: TypeSpec) -> Iterator[Fault]:
    try:
        literal(getattr(entry.plan, option), spec)
    except ValueError as error:
        yield entry.fault(option, "value_invalid", str(error), "Enter another value.")


def _remove(option: str) -> Fix:
    return Fix("Remove it", option, "")
