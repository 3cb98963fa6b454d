"""Rules for adding rows to an existing collection: the plan must match the schema of the collection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.log import counted
from migrations_app.engine.milvus.schema import as_stored
from migrations_app.engine.model.literals import literal
from migrations_app.engine.model.plan import AUTO
from migrations_app.engine.model.target_schema import TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.planning.from_existing import full_text_of
from migrations_app.engine.planning.type_choices import key_choices
from migrations_app.engine.preflight.rules.types import LEAVE_OUT, why_not_raised
from migrations_app.engine.preflight.subject import FieldEntry, Subject

PARAMETERS = ("max_length", "max_capacity")


def check_existing_schema(subject: Subject) -> Iterator[Fault]:
    """Report each difference between the plan and the collection to which rows are added."""
    found = subject.existing
    if found is None:
        return
    yield from compare(subject, found, found.shards)
    yield from _check_description(subject, found)
    yield from _check_full_text(subject, found)
    yield from _check_partition_change(subject, found)
    yield from _check_auto_id(subject, found)


def compare(subject: Subject, found: TargetSchema, shards: int) -> Iterator[Fault]:
    """Report each difference between the plan and ``found`` in key, options, fields and number of shards."""
    yield from _check_key(subject, found)
    yield from _check_options(subject, found, shards)
    fields = {field.name: field for field in found.sent_fields}
    for entry in subject.fixed():
        if entry.plan.target is None or entry.spec is None:
            continue  # another rule reports it
        field = fields.pop(entry.plan.target, None)
        if field is None:
            yield _unknown_field(entry, subject, found)
        else:
            yield from _differences(entry, subject, field)
    for field in fields.values():
        if not field.is_key:
            yield _unmapped_field(field, subject, found)


def _check_key(subject: Subject, found: TargetSchema) -> Iterator[Fault]:
    plan, key = subject.plan, found.key
    if plan.is_auto_id and not key.auto_id:
        message = (
            f"“{found.name}” does not use Auto ID: its key “{key.name}” ({key.spec.type}) must come from "
            "the source."
        )
        names = [f.name for f in subject.schema.fields if _fits_key(f.name, subject, key)]
        fixes = tuple(Fix(f"Use “{name}”", "key", name) for name in names[:1])
        yield subject.fault("key", "key_differs", message, "Choose the field that is the key.", *fixes)
    elif key.auto_id and not plan.is_auto_id:
        message = f"“{found.name}” generates its keys (Auto ID)."
        yield subject.fault("key", "key_differs", message, "", Fix("Use Auto ID", "key", AUTO))
    elif plan.makes_key and plan.key_name != key.name:
        message = f"The key of “{found.name}” is called “{key.name}”, not “{plan.key_name}”."
        fix = Fix(f"Use {key.name}", "key_name", key.name)
        yield subject.fault("key_name", "key_differs", message, "", fix)
    elif plan.is_joined and key.spec.type is not MilvusType.VARCHAR:
        message = f"The key of “{found.name}” is {key.spec.type}, but a joined key is always VARCHAR."
        yield subject.fault("key", "key_differs", message, "Use a single field as the key.")
    elif plan.is_joined and plan.key_max_length != key.spec.max_length:
        message = (
            f"The max_length of the key “{key.name}” is {key.spec.max_length:,} bytes in the collection, "
            f"not {plan.key_max_length or 0:,}."
        )
        fix = Fix(f"Use {key.spec.max_length:,}", "key_max_length", str(key.spec.max_length))
        yield subject.fault("key_max_length", "limit_differs", message, "", fix)


def _fits_key(name: str, subject: Subject, key: TargetField) -> bool:
    field = subject.schema.field(name)
    choices = key_choices(field, subject.capabilities) if field is not None else ()
    return key.spec.type in {choice.spec.type for choice in choices}


def _check_options(subject: Subject, found: TargetSchema, shards: int) -> Iterator[Fault]:
    plan = subject.plan
    if plan.dynamic_field != found.dynamic:
        has, turn = ("a", "on") if found.dynamic else ("no", "off")
        message = f"“{found.name}” has {has} dynamic field."
        fix = Fix(f"Turn the dynamic field {turn}", "dynamic_field", str(found.dynamic).lower())
        yield subject.fault("dynamic_field", "dynamic_field_differs", message, "", fix)
    partition_key = found.partition_key
    if plan.partition_key != partition_key:
        has = f"the partition key “{partition_key}”" if partition_key else "no partition key"
        fix = Fix(f"Use {partition_key or 'none'}", "partition_key", partition_key or "")
        message = f"“{found.name}” has {has}."
        yield subject.fault("partition_key", "partition_key_differs", message, "", fix)
    if plan.partition_by is not None and partition_key is not None:
        message = f"“{found.name}” has a partition key, so Milvus does not allow other partitions in it."
        yield subject.fault("partition_by", "partition_key_differs", message, "Leave partition_by out.")
    if plan.shards != shards:
        message = f"“{found.name}” has {counted(found.shards, 'shard')}, not {plan.shards:,}."
        fix = Fix(f"Use {shards}", "shards", str(shards))
        yield subject.fault(
            "shards", "shards_differ", message, "The number of shards cannot be changed.", fix
        )


def _check_description(subject: Subject, found: TargetSchema) -> Iterator[Fault]:
    if subject.plan.description != found.description and subject.capabilities.keeps_descriptions:
        message = f"The description of “{found.name}” is “{found.description}”. It cannot be changed here."
        fault = subject.fault(
            "description", "description_differs", message, "", Fix("Remove it", "description", "")
        )
        yield replace(fault, severity="warning")


def _check_full_text(subject: Subject, found: TargetSchema) -> Iterator[Fault]:
    existing = {(search.field, search.output, search.analyzer) for search in full_text_of(found)}
    if existing != {(wanted.field, wanted.output, wanted.analyzer) for wanted in subject.plan.full_text}:
        listed = ", ".join(f"{output} from {name} ({by})" for name, output, by in sorted(existing))
        message = f"Full-text search of “{found.name}” creates {listed or 'nothing'}, unlike in the plan."
        hint = "Write the same in the plan, or leave full_text out."
        yield subject.fault("full_text", "full_text_differs", message, hint)


def _unknown_field(entry: FieldEntry, subject: Subject, found: TargetSchema) -> Fault:
    names = ", ".join(field.name for field in found.sent_fields)
    message = f"“{found.name}” has no field “{entry.plan.target}”."
    fixes: tuple[Fix, ...] = ()
    if subject.is_key(entry):
        fixes = () if found.key.auto_id else (Fix(f"Use {found.key.name}", "target", found.key.name),)
    elif found.dynamic and not entry.is_vector and not entry.plan.added:
        fixes = (Fix("Put it into the dynamic field", "dynamic", "true"), LEAVE_OUT)
    elif not entry.plan.added:
        fixes = (LEAVE_OUT,)
    return entry.fault("target", "field_not_there", message, f"Its fields: {names}.", *fixes)


def _unmapped_field(field: TargetField, subject: Subject, found: TargetSchema) -> Fault:
    message = f"No field of the source is mapped to “{field.name}” ({field.spec}) of “{found.name}”"
    if subject.existing is None:
        return subject.fault("fields", "field_not_mapped", f"{message}.")
    if field.spec.type.is_vector:
        return subject.fault("fields", "field_not_mapped", f"{message}.", "Map a vector field to it.")
    message += ", which is not nullable and has no default."
    return subject.fault("fields", "field_not_mapped", message, "Map a field to it, or add it with a value.")


def _differences(entry: FieldEntry, subject: Subject, existing: TargetField) -> Iterator[Fault]:
    spec = entry.spec
    assert spec is not None
    if subject.is_key(entry) != existing.is_key:
        message = f"“{existing.name}” is {'' if existing.is_key else 'not '}the key of the collection."
        yield entry.fault("target", "key_differs", message, "Rename the field.")
    elif (spec.type, spec.element_type) != (existing.spec.type, existing.spec.element_type):
        message = f"“{existing.name}” is {existing.spec} in the collection, not {spec}."
        is_key = subject.is_key(entry)
        hint = "The type of a key cannot change: choose another key, or another collection." if is_key else ""
        fixes = () if is_key else _type_fixes(entry, existing)
        yield entry.fault("type", "type_differs", message, hint, *fixes)
    elif spec.dim != existing.spec.dim:
        dim = f"{existing.spec.dim:,} dimensions in the collection, not {spec.dim or 0:,}"
        message, hint = f"“{existing.name}” has {dim}.", "The dimension of a vector cannot change."
        yield entry.fault("dim", "dim_differs", message, hint, LEAVE_OUT)
    else:
        yield from _parameters(entry, subject, existing)
        yield from _nulls(entry, existing)


def _check_partition_change(subject: Subject, found: TargetSchema) -> Iterator[Fault]:
    plan = subject.plan
    if plan.partition_by is not None and not plan.is_auto_id and subject.capabilities.key_per_partition:
        message = (
            f"{subject.capabilities} stores one row for each key and partition. If “{plan.partition_by}” of "
            f"a row has changed since it was added to “{found.name}”, the old row stays next to the new one. "
            "The check at the end of the job counts such keys."
        )
        fault = subject.fault("partition_by", "keys_per_partition", message)
        yield replace(fault, severity="warning")


def _check_auto_id(subject: Subject, found: TargetSchema) -> Iterator[Fault]:
    if subject.plan.is_auto_id and found.key.auto_id:
        message = (
            f"“{found.name}” generates a new key for each row (Auto ID), so rows that are already in the "
            "collection are added again."
        )
        yield replace(subject.fault("key", "auto_id_adds", message), severity="warning")


def _type_fixes(entry: FieldEntry, existing: TargetField) -> tuple[Fix, ...]:
    choices = entry.source.choices if entry.source is not None else ()
    can_be = any(
        (choice.spec.type, choice.spec.element_type) == (existing.spec.type, existing.spec.element_type)
        for choice in choices
    )
    use = (Fix(f"Use {existing.spec}", "type", existing.spec.type.value),) if can_be else ()
    return (*use, LEAVE_OUT) if not entry.plan.added else use


def _parameters(entry: FieldEntry, subject: Subject, existing: TargetField) -> Iterator[Fault]:
    for option in PARAMETERS:
        planned, value = getattr(entry.spec, option), getattr(existing.spec, option)
        # Milvus Lite does not store the maximum length of the texts in an array.
        if existing.spec.type is MilvusType.ARRAY and option == "max_length" and value is None:
            continue
        if planned == value:
            continue
        message = f"“{option}” of “{existing.name}” is {value:,} in the collection, not {planned or 0:,}."
        fixes = [Fix(f"Use {value:,}", option, str(value))]
        hint, is_higher = "", (planned or 0) > value and subject.existing is not None
        can_raise = existing.spec.raisable_limit == option in subject.capabilities.raisable
        if is_higher and can_raise and not existing.is_key:
            if entry.plan.raise_limit:
                continue
            fixes.append(Fix(f"Raise it to {planned:,} in the collection", "raise_limit", "true"))
        elif is_higher:
            hint = why_not_raised(entry, subject, option)
        yield entry.fault(option, "limit_differs", message, hint, *fixes)


def _nulls(entry: FieldEntry, existing: TargetField) -> Iterator[Fault]:
    if bool(entry.plan.nullable) != existing.nullable:
        state, label = ("nullable", "Turn it on") if existing.nullable else ("not nullable", "Turn it off")
        message = f"“{existing.name}” is {state} in the collection."
        fix = Fix(label, "nullable", str(existing.nullable).lower())
        yield entry.fault("nullable", "nullable_differs", message, "", fix)
    if _default(entry, existing) != existing.default:
        default = "no default" if existing.default is None else f"the default “{existing.default}”"
        message = f"“{existing.name}” has {default} in the collection."
        label = "Remove it" if existing.default is None else f"Use {existing.default}"
        fix = Fix(label, "default", "" if existing.default is None else str(existing.default))
        hint = "Use fill_null to replace NULL in the rows that are moved." if existing.default is None else ""
        yield entry.fault("default", "default_differs", message, hint, fix)


def _default(entry: FieldEntry, existing: TargetField) -> object:
    """Return the default of the plan as Milvus stores it. An invalid default is reported by another rule, and
    counts as equal here."""
    if entry.plan.default is None:
        return None
    try:
        return as_stored(replace(existing, default=literal(entry.plan.default, existing.spec))).default
    except ValueError:
        return existing.default
