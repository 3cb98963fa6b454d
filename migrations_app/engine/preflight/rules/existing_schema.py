"""Rows that are added to a collection: the plan must describe the collection as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from migrations_app.engine.errors import Fault, Fix
from migrations_app.engine.log import counted
from migrations_app.engine.milvus.schema import as_stored
from migrations_app.engine.model.literals import literal
from migrations_app.engine.model.plan import AUTO
from migrations_app.engine.model.target_schema import TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.planning.from_existing import full_text_of
from migrations_app.engine.planning.type_choices import key_choice
from migrations_app.engine.preflight.rules.types import LEAVE_OUT
from migrations_app.engine.preflight.subject import FieldEntry, Subject

PARAMETERS = ("max_length", "max_capacity")


def check_existing_schema(subject: Subject) -> Iterator[Fault]:
    """Every difference from the collection that the rows are added to, each at its field."""
    found = subject.existing
    if found is None:
        return
    yield from _check_key(subject, found)
    yield from _check_options(subject, found)
    yield from _moved_keys(subject, found)
    yield from _new_keys(subject, found)
    fields = {field.name: field for field in found.sent_fields}
    for entry in subject.fixed():
        if entry.plan.target is None or entry.spec is None:
            continue  # said elsewhere
        there = fields.pop(entry.plan.target, None)
        if there is None:
            yield _unknown(entry, subject, found)
        else:
            yield from _differences(entry, subject, there)
    for field in fields.values():
        if not field.is_key:
            yield _unfilled(field, subject, found)


def _check_key(subject: Subject, found: TargetSchema) -> Iterator[Fault]:
    plan, key = subject.plan, found.key
    if plan.is_auto_id and not key.auto_id:
        message = f"“{found.name}” takes its keys from the rows (“{key.name}”, {key.spec.type}): no Auto ID."
        names = [f.name for f in subject.schema.fields if _fits(f.name, subject, key)]
        fixes = tuple(Fix(f"Use “{name}”", "key", name) for name in names[:1])
        yield subject.fault("key", "key_differs", message, "Name the column that is the key.", *fixes)
    elif key.auto_id and not plan.is_auto_id:
        message = f"“{found.name}” makes its keys itself (Auto ID)."
        yield subject.fault("key", "key_differs", message, "", Fix("Use Auto ID", "key", AUTO))
    elif plan.makes_key and plan.key_name != key.name:
        message = f"The key of “{found.name}” is called “{key.name}”, not “{plan.key_name}”."
        fix = Fix(f"Use {key.name}", "key_name", key.name)
        yield subject.fault("key_name", "key_differs", message, "", fix)
    elif plan.is_joined and key.spec.type is not MilvusType.VARCHAR:
        message = f"The key of “{found.name}” is {key.spec.type}; a joined key is VARCHAR."
        yield subject.fault("key", "key_differs", message, "Name one column.")
    elif plan.is_joined and plan.key_max_length != key.spec.max_length:
        message = f"“{key.name}” has {key.spec.max_length:,} bytes there, not {plan.key_max_length or 0:,}."
        fix = Fix(f"Use {key.spec.max_length:,}", "key_max_length", str(key.spec.max_length))
        yield subject.fault("key_max_length", "limit_differs", message, "", fix)


def _fits(name: str, subject: Subject, key: TargetField) -> bool:
    field = subject.schema.field(name)
    choice = key_choice(field, subject.capabilities) if field is not None else None
    return choice is not None and choice.spec.type is key.spec.type


def _check_options(subject: Subject, found: TargetSchema) -> Iterator[Fault]:
    plan = subject.plan
    if plan.dynamic_field != found.dynamic:
        has, turn = ("a", "on") if found.dynamic else ("no", "off")
        message = f"“{found.name}” has {has} dynamic field."
        fix = Fix(f"Turn the dynamic field {turn}", "dynamic_field", str(found.dynamic).lower())
        yield subject.fault("dynamic_field", "dynamic_field_differs", message, "", fix)
    partition_key = next((field.name for field in found.fields if field.is_partition_key), None)
    if plan.partition_key != partition_key:
        has = f"“{partition_key}” is the partition key" if partition_key else "There is no partition key"
        fix = Fix(f"Use {partition_key or 'none'}", "partition_key", partition_key or "")
        message = f"{has} of “{found.name}”."
        yield subject.fault("partition_key", "partition_key_differs", message, "", fix)
    if plan.partition_by is not None and partition_key is not None:
        message = f"“{found.name}” has a partition key: Milvus takes no other partitions there."
        yield subject.fault("partition_by", "partition_key_differs", message, "Leave it out.")
    if plan.description != found.description and subject.capabilities.keeps_descriptions:
        message = f"“{found.name}” is described as “{found.description}”, and stays so."
        fault = subject.fault(
            "description", "description_differs", message, "", Fix("Remove it", "description", "")
        )
        yield replace(fault, severity="warning")
    if plan.shards != found.shards:
        message = f"“{found.name}” has {counted(found.shards, 'shard')}, not {plan.shards:,}."
        fix = Fix(f"Use {found.shards}", "shards", str(found.shards))
        yield subject.fault("shards", "shards_differ", message, "Shards stay as they were made.", fix)
    made = {(made.field, made.output, made.analyzer) for made in full_text_of(found)}
    if made != {(wanted.field, wanted.output, wanted.analyzer) for wanted in plan.full_text}:
        listed = ", ".join(f"{output} from {name} ({by})" for name, output, by in sorted(made)) or "nothing"
        message = f"By full-text search “{found.name}” makes {listed}."
        yield subject.fault("full_text", "full_text_differs", message, "Write it so, or leave it out.")


def _unknown(entry: FieldEntry, subject: Subject, found: TargetSchema) -> Fault:
    names = ", ".join(field.name for field in found.sent_fields)
    message = f"“{found.name}” has no field “{entry.plan.target}”."
    fixes: tuple[Fix, ...] = ()
    if subject.is_key(entry):
        fixes = (Fix(f"Use {found.key.name}", "target", found.key.name),)
    elif found.dynamic and not entry.is_vector and not entry.plan.added:
        fixes = (Fix("Put it into the dynamic field", "dynamic", "true"), LEAVE_OUT)
    elif not entry.plan.added:
        fixes = (LEAVE_OUT,)
    return entry.fault("target", "field_not_there", message, f"It has: {names}.", *fixes)


def _unfilled(field: TargetField, subject: Subject, found: TargetSchema) -> Fault:
    message = f"Nothing is mapped to the field “{field.name}” ({field.spec}) of “{found.name}”"
    message += ", a vector." if field.spec.type.is_vector else ", which takes no NULL and has no default."
    return subject.fault("fields", "field_not_mapped", message, "Map a column to it, or add it with a value.")


def _differences(entry: FieldEntry, subject: Subject, there: TargetField) -> Iterator[Fault]:
    spec = entry.spec
    assert spec is not None
    if subject.is_key(entry) != there.is_key:
        message = f"“{there.name}” is {'' if there.is_key else 'not '}the key there."
        yield entry.fault("target", "key_differs", message, "Rename the field.")
    elif (spec.type, spec.element_type) != (there.spec.type, there.spec.element_type):
        message = f"“{there.name}” is {there.spec} there, not {spec}."
        is_key = subject.is_key(entry)
        hint = "A key keeps its type: choose another key, or another collection." if is_key else ""
        yield entry.fault("type", "type_differs", message, hint, *(() if is_key else _retyped(entry, there)))
    elif spec.dim != there.spec.dim:
        message = f"“{there.name}” has {there.spec.dim:,} dimensions there, not {spec.dim or 0:,}."
        yield entry.fault("dim", "dim_differs", message, "Vectors keep their dimension.", LEAVE_OUT)
    else:
        yield from _parameters(entry, there)
        yield from _nulls(entry, there)


def _moved_keys(subject: Subject, found: TargetSchema) -> Iterator[Fault]:
    plan = subject.plan
    if plan.partition_by is not None and not plan.is_auto_id and subject.capabilities.key_per_partition:
        message = (
            f"{subject.capabilities} keeps one row for each key and partition: a row of “{found.name}” whose "
            f"“{plan.partition_by}” has changed since it was added stays beside the new one. "
            "The check at the end counts such keys."
        )
        fault = subject.fault("partition_by", "keys_per_partition", message)
        yield replace(fault, severity="warning")


def _new_keys(subject: Subject, found: TargetSchema) -> Iterator[Fault]:
    if subject.plan.is_auto_id and found.key.auto_id:
        message = (
            f"“{found.name}” makes a new key for each row (Auto ID): a row that is in it already comes in "
            "once more."
        )
        yield replace(subject.fault("key", "auto_id_adds", message), severity="warning")


def _retyped(entry: FieldEntry, there: TargetField) -> tuple[Fix, ...]:
    choices = entry.source.choices if entry.source is not None else ()
    can_be = any(
        (choice.spec.type, choice.spec.element_type) == (there.spec.type, there.spec.element_type)
        for choice in choices
    )
    use = (Fix(f"Use {there.spec}", "type", there.spec.type.value),) if can_be else ()
    return (*use, LEAVE_OUT) if not entry.plan.added else use


def _parameters(entry: FieldEntry, there: TargetField) -> Iterator[Fault]:
    for option in PARAMETERS:
        here, value = getattr(entry.spec, option), getattr(there.spec, option)
        # Milvus Lite keeps no length of an array's texts.
        if there.spec.type is MilvusType.ARRAY and option == "max_length" and value is None:
            continue
        if here != value:
            message = f"“{option}” of “{there.name}” is {value:,} there, not {here or 0:,}."
            yield entry.fault(option, "limit_differs", message, "", Fix(f"Use {value:,}", option, str(value)))


def _nulls(entry: FieldEntry, there: TargetField) -> Iterator[Fault]:
    if bool(entry.plan.nullable) != there.nullable:
        takes, label = ("takes", "Turn it on") if there.nullable else ("does not take", "Turn it off")
        message = f"“{there.name}” {takes} NULL there."
        fix = Fix(label, "nullable", str(there.nullable).lower())
        yield entry.fault("nullable", "nullable_differs", message, "", fix)
    if _default(entry, there) != there.default:
        said = "no default" if there.default is None else f"the default “{there.default}”"
        message = f"“{there.name}” has {said} there."
        label = "Remove it" if there.default is None else f"Use {there.default}"
        fix = Fix(label, "default", "" if there.default is None else str(there.default))
        hint = "fill_null puts a value into the rows that are moved." if there.default is None else ""
        yield entry.fault("default", "default_differs", message, hint, fix)


def _default(entry: FieldEntry, there: TargetField) -> object:
    """The default of the plan as Milvus keeps it. One that is none is said elsewhere, and taken for equal."""
    if entry.plan.default is None:
        return None
    try:
        return as_stored(replace(there, default=literal(entry.plan.default, there.spec))).default
    except ValueError:
        return there.default
