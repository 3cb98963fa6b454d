"""Rules for types and parameters: they suit the source, the target has them, and numbers are in range."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.milvus.capabilities import MAX_DIM
from migrations_app.engine.model.key_paths import parse_path
from migrations_app.engine.model.limits import MAX_CAPACITY, MAX_LENGTH
from migrations_app.engine.model.types import ELEMENT_TYPES, MilvusType, TypeSpec
from migrations_app.engine.planning.type_choices import key_choices
from migrations_app.engine.preflight.subject import FieldEntry, Subject

MIN_DIM = 2
MOST = {"max_length": MAX_LENGTH, "max_capacity": MAX_CAPACITY}
LEAVE_OUT = Fix("Leave it out", "include", "false")
_NO_DIM = frozenset({MilvusType.SPARSE_FLOAT_VECTOR})


def check_sources(subject: Subject) -> Iterator[Fault]:
    """Check that each field has a source field that exists, and that no two have the same one."""
    seen: set[str] = set()
    for entry in subject.entries():
        source = entry.plan.source
        if entry.plan.added:
            continue
        if source is None:
            yield entry.fault(
                "source", "source_missing", f"“{entry.name}” has no source field.", "Choose one."
            )
        elif entry.source is None:
            hint = _unknown_hint(source, subject)
            message = f"“{subject.schema.name}” has no field “{source}”."
            yield entry.fault("source", "field_unknown", message, hint)
        elif entry.plan.column and entry.is_key_of_document:
            message = f"“{subject.schema.name}” has no column “{source}”: it is a key of a document."
            yield entry.fault("column", "field_unknown", message, "Remove “column”.")
        elif source in seen:
            message = f"“{source}” is listed twice."
            yield entry.fault("source", "source_twice", message, "Remove one of them.")
        seen.add(source or "")


def _unknown_hint(source: str, subject: Subject) -> str:
    if subject.plan.makes_key and source == subject.plan.key_name:
        return "It is the key, which is not a field of the source: leave it out of “fields”."
    names = [field.name for field in subject.schema.fields]
    parts = parse_path(source) or ("",)
    if any(field.can_open and field.name == parts[0] for field in subject.schema.fields):
        return f"To use keys of “{parts[0]}” as fields, open the column: “open: [{parts[0]}]”."
    close = get_close_matches(source, names, 1)
    return f"Did you mean “{close[0]}”?" if close else f"Available fields: {', '.join(names[:20])}."


def check_types(subject: Subject) -> Iterator[Fault]:
    for entry in subject.entries():
        if entry.source is None or entry.is_key_of_document or entry.plan.added:
            continue
        if not entry.source.choices:
            reason = entry.source.left_out or f"Milvus has no type for {entry.source.native_type}."
            message = f"“{entry.name}” cannot be moved: {reason.rstrip('.')}."
            yield entry.fault("type", "no_type", message, "Leave it out.", LEAVE_OUT)
        elif entry.plan.dynamic and entry.is_vector:
            message = f"“{entry.name}” is a vector, which cannot go into the dynamic field."
            yield entry.fault(
                "type", "dynamic_vector", message, "Make it a field, or leave it out.", LEAVE_OUT
            )
        elif not entry.plan.dynamic:
            yield from _check_type(entry, subject)
        elif entry.plan.type is not None:
            yield from _check_suits(entry, [choice.spec for choice in entry.source.choices], ())


def _check_type(entry: FieldEntry, subject: Subject) -> Iterator[Fault]:
    assert entry.source is not None
    choices = [choice.spec for choice in entry.source.choices]
    if subject.is_key(entry):
        as_key = key_choices(entry.source, subject.capabilities)
        choices = [choice.spec for choice in as_key] or choices
    fixes = tuple(
        Fix(f"Use {spec}", "type", spec.type.value)
        for spec in choices
        if spec.type in subject.capabilities.types
    )
    wanted, spec = entry.plan.type, entry.spec
    if wanted is None and entry.plan.element_type is not None:
        message = (
            f"“{entry.name}” ({entry.source.native_type}) has no elements of the type "
            f"{entry.plan.element_type}."
        )
        fix = Fix("Remove it", "element_type", "")
        yield entry.fault("element_type", "type_unsuitable", message, "Remove it, or write type: ARRAY.", fix)
    elif wanted is None:
        spec = choices[0]
        message = f"“{entry.name}” would be {spec}, which {subject.capabilities.missing(spec.type.value)}."
        yield entry.fault("type", "type_unavailable", message, "Leave it out.", LEAVE_OUT)
    elif any(unsuitable := list(_check_suits(entry, choices, fixes))):
        yield from unsuitable
    elif spec is not None and spec.type not in subject.capabilities.types:
        message = f"{spec.type} {subject.capabilities.missing(spec.type.value)}."
        hint = "Choose another type, or leave the field out." if fixes else "Leave the field out."
        yield entry.fault("type", "type_unavailable", message, hint, *fixes, LEAVE_OUT)


def _check_suits(entry: FieldEntry, choices: list[TypeSpec], fixes: tuple[Fix, ...]) -> Iterator[Fault]:
    assert entry.source is not None
    if entry.spec is None or not any(_is_same(entry.spec, choice) for choice in choices):
        message = f"“{entry.name}” ({entry.source.native_type}) cannot become {entry.type_name}."
        hint = f"It can become {' or '.join(dict.fromkeys(map(str, choices)))}."
        yield entry.fault("type", "type_unsuitable", message, hint, *fixes)


def _is_same(spec: TypeSpec, choice: TypeSpec) -> bool:
    return (spec.type, spec.element_type) == (choice.type, choice.element_type)


def check_parameters(subject: Subject) -> Iterator[Fault]:
    for entry in subject.fixed():
        spec = entry.spec
        if spec is None:
            continue
        yield from _misplaced(entry, spec)
        if has_dim(spec):
            most = subject.capabilities.max_bits if spec.type is MilvusType.BINARY_VECTOR else MAX_DIM
            yield from _check_dim(entry, spec, most)
        if _has_length(spec):
            yield from _check_range(entry, "max_length", spec.max_length, MAX_LENGTH)
        if spec.type is MilvusType.ARRAY:
            yield from _check_range(entry, "max_capacity", spec.max_capacity, MAX_CAPACITY)
            yield from _check_element(entry, spec)


def _misplaced(entry: FieldEntry, spec: TypeSpec) -> Iterator[Fault]:
    """Report parameters that the type does not have."""
    belongs = {
        "dim": has_dim(spec),
        "max_length": _has_length(spec),
        "max_capacity": spec.type is MilvusType.ARRAY,
        "element_type": spec.type is MilvusType.ARRAY,
    }
    for option, is_known in belongs.items():
        if getattr(entry.plan, option) is not None and not is_known:
            message = f"The type {spec.type} has no “{option}”."
            yield entry.fault(option, "option_misplaced", message, "Remove it.", Fix("Remove it", option, ""))


def _check_dim(entry: FieldEntry, spec: TypeSpec, most: int) -> Iterator[Fault]:
    dims = [c.spec.dim for c in (entry.source.choices if entry.source else ()) if c.spec.type is spec.type]
    if entry.source is not None and not dims:
        return  # the field cannot have this type, which another rule reports
    declared = dims[0] if dims else None
    if spec.dim is None:
        message = f"The dimension of “{entry.name}” is not known: the sample has no vector in this field."
        yield entry.fault("dim", "dim_unknown", message, "Set it, or leave the field out.", LEAVE_OUT)
    elif declared is not None and spec.dim != declared:
        message = f"“{entry.name}” has {declared:,} dimensions, not {spec.dim:,}."
        fix = Fix(f"Use {declared}", "dim", str(declared))
        yield entry.fault("dim", "dim_differs", message, "The dimension of a vector cannot change.", fix)
    elif not MIN_DIM <= spec.dim <= most:
        message = f"The dimension of “{entry.name}” is {spec.dim:,}; Milvus allows {MIN_DIM} to {most:,}."
        yield entry.fault("dim", "dim_out_of_range", message, "Leave it out.", LEAVE_OUT)
    elif spec.type is MilvusType.BINARY_VECTOR and spec.dim % 8:
        message = f"“{entry.name}” has {spec.dim:,} bits; a BINARY_VECTOR needs a multiple of 8."
        yield entry.fault("dim", "dim_out_of_range", message, "Leave it out.", LEAVE_OUT)


def _check_range(entry: FieldEntry, option: str, value: int | None, most: int) -> Iterator[Fault]:
    unit = {"max_length": "bytes", "max_capacity": "elements"}[option]
    if value is None or not 1 <= value <= most:
        problem = "is missing" if value is None else f"is {value:,}"
        message = f"“{option}” of “{entry.name}” {problem}; Milvus allows 1 to {most:,} {unit}."
        fix = Fix(f"Use {most:,}", option, str(most))
        yield entry.fault(option, "value_out_of_range", message, "", fix)


def _check_element(entry: FieldEntry, spec: TypeSpec) -> Iterator[Fault]:
    if spec.element_type not in ELEMENT_TYPES:
        message = f"“{entry.name}” cannot be an array of {spec.element_type}."
        yield entry.fault(
            "element_type", "type_unsuitable", message, "Elements must be numbers, BOOL or VARCHAR."
        )


def check_samples(subject: Subject) -> Iterator[Fault]:
    """Warn of limits that are too small for the sample. No error: such rows are rejected one by one."""
    for entry in subject.fixed():
        spec, source = entry.spec, entry.source
        if spec is None or source is None:
            continue
        if _has_length(spec):
            yield from _too_small(entry, subject, "max_length", spec.max_length, source.longest_bytes)
        if spec.type is MilvusType.ARRAY:
            yield from _too_small(entry, subject, "max_capacity", spec.max_capacity, source.longest_items)


def check_encoding(subject: Subject) -> Iterator[Fault]:
    """Check that only raw bytes have an encoding."""
    for entry in subject.entries():
        choices = entry.source.choices if entry.source else ()
        if entry.plan.encoding is not None and not any(c.encoding == entry.plan.encoding for c in choices):
            message = f"“{entry.name}” has no raw bytes, so it has no encoding."
            fix = Fix("Remove it", "encoding", "")
            yield entry.fault("encoding", "option_misplaced", message, "Remove “encoding”.", fix)


def check_too_long(subject: Subject) -> Iterator[Fault]:
    """Check that only texts are truncated, and never a key: two different keys could become equal."""
    for entry in subject.entries():
        if entry.plan.too_long == "reject":
            continue
        is_text = entry.spec is not None and _has_length(entry.spec) and not entry.plan.dynamic
        if subject.is_key(entry):
            message = f"“{entry.name}” is the key, and a key is never truncated."
        elif not is_text:
            message = f"“{entry.name}” is not a VARCHAR field, so it cannot be truncated."
        else:
            continue
        fix = Fix("Reject the row", "too_long", "reject")
        yield entry.fault("too_long", "option_misplaced", message, "Remove too_long.", fix)


def _too_small(
    entry: FieldEntry, subject: Subject, option: str, limit: int | None, seen: int | None
) -> Iterator[Fault]:
    """Warn if ``limit`` is less than ``seen``."""
    if limit is None or seen is None or not 1 <= limit < seen or _declared(entry, option) == limit:
        return
    unit = {"max_length": "bytes", "max_capacity": "elements"}[option]
    is_truncated = option == "max_length" and entry.plan.too_long == "truncate"
    result = "such values are truncated" if is_truncated else "such rows are rejected"
    message = f"The longest “{entry.name}” in the sample has {seen:,} {unit}, more than {limit:,}: {result}."
    fixes, most = raise_fixes(entry, subject), MOST[option]
    hint = f"Milvus allows at most {most:,}."
    if subject.existing is not None:
        hint = "" if fixes else why_not_raised(entry, subject, option)
    elif limit < most:
        fixes, hint = (Fix(f"Raise to {most:,}", option, str(most)),), f"Raise it to {most:,}."
    yield entry.fault(option, "limit_too_small", message, hint, *fixes, severity="warning")


def raise_fixes(entry: FieldEntry, subject: Subject) -> tuple[Fix, ...]:
    """Return the fix that raises the limit of the field in the collection that rows are added to, if the
    target can do that."""
    spec = entry.spec
    if subject.existing is None or spec is None or subject.is_key(entry):
        return ()
    limit = spec.raisable_limit
    if limit not in subject.capabilities.raisable or (getattr(spec, limit) or MOST[limit]) >= MOST[limit]:
        return ()
    most = MOST[limit]
    also = ((limit, str(most)),)
    return (Fix(f"Raise it to {most:,} in the collection", "raise_limit", "true", also),)


def why_not_raised(entry: FieldEntry, subject: Subject, option: str) -> str:
    """Return why a limit of the collection that rows are added to cannot be raised."""
    if subject.is_key(entry):
        return "The limit of a key cannot be raised."
    if entry.spec is not None and entry.spec.raisable_limit == option not in subject.capabilities.raisable:
        return f"To raise it in the collection {subject.capabilities.missing(f'raise_{option}')}."
    return "The limit of the existing collection cannot be raised."


def _declared(entry: FieldEntry, option: str) -> int | None:
    """Return the limit that the source declares: its values cannot be longer."""
    source, plan = entry.source, entry.plan
    choices = source.choices if source else ()
    return next((getattr(c.spec, option) for c in choices if c.spec.type == plan.type), None)


def has_dim(spec: TypeSpec) -> bool:
    return spec.type.is_vector and spec.type not in _NO_DIM


def _has_length(spec: TypeSpec) -> bool:
    return MilvusType.VARCHAR in (spec.type, spec.element_type)
