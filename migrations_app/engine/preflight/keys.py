"""The key and the partition key: INT64 or VARCHAR, never NULL, never a default."""

from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engine.choices import key_choice
from migrations_app.engine.errors import Fault, Fix
from migrations_app.engine.plan import AUTO
from migrations_app.engine.preflight.subject import Entry, Subject
from migrations_app.engine.schema import KEY_TYPES

USE_AUTO_ID = Fix("Use Auto ID", "key", AUTO)
NO_PARTITION_KEY = Fix("Use none", "partition_key", "")


def check_key(subject: Subject) -> Iterator[Fault]:
    """A kept key: one column that exists, moves as a field, and is of a type that Milvus takes."""
    plan = subject.plan
    if plan.key_columns == () and not plan.is_auto_id:
        yield subject.fault("key", "key_missing", "The key names no column.", "Use Auto ID.", USE_AUTO_ID)
    for name in plan.key_columns:
        source = subject.schema.field(name)
        entry = next((e for e in subject.fixed() if e.plan.source == name), None)
        if source is None:
            message = f"“{subject.schema.name}” has no field “{name}” to be the key."
            yield subject.fault("key", "key_unknown", message, "Name another, or use Auto ID.", USE_AUTO_ID)
        elif key_choice(source, subject.caps) is None:
            message = f"“{name}” ({source.native_type}) cannot be a key in Milvus."
            hint = "A key is INT64 or VARCHAR: use Auto ID."
            yield subject.fault("key", "key_type", message, hint, USE_AUTO_ID)
        elif entry is None:
            message = f"The key “{name}” is not among the fields."
            yield subject.fault("key", "key_not_a_field", message, "Make it one: a key is no dynamic field.")


def check_key_name(subject: Subject) -> Iterator[Fault]:
    """``key_name`` and ``keep_source_key`` speak of Auto ID alone."""
    plan = subject.plan
    entry = next((e for e in subject.fixed() if subject.is_key(e)), None)
    if plan.key_name and entry and plan.key_name != entry.plan.target:
        message = f"The key is called “{entry.plan.target}” as a field, and “{plan.key_name}” in key_name."
        fix = Fix("Remove key_name", "key_name", "")
        yield subject.fault("key_name", "option_misplaced", message, "Rename the field itself.", fix)


def check_key_options(subject: Subject) -> Iterator[Fault]:
    for entry in subject.fixed():
        if subject.is_key(entry):
            yield from _never(entry, "key", ("nullable", "default", "fill_null"))
        elif subject.is_partition_key(entry):
            yield from _never(entry, "partition key", ("nullable",))


def _never(entry: Entry, what: str, options: tuple[str, ...]) -> Iterator[Fault]:
    for option in options:
        value = getattr(entry.plan, option)
        if value is not None and value is not False:
            message = f"“{entry.name}” is the {what}: it takes no “{option}”."
            fix = Fix(
                "Turn it off" if option == "nullable" else "Remove it", option, "false" * (value is True)
            )
            yield entry.fault(option, f"key_{option}", message, "", fix)


def check_partition_key(subject: Subject) -> Iterator[Fault]:
    name = subject.plan.partition_key
    if name is None:
        return
    entry = subject.named(name)
    if entry is None or entry.spec is None:
        message = f"There is no field “{name}” to be the partition key."
        if any((e.plan.as_ or e.plan.source) == name for e in subject.entries() if e.plan.dynamic):
            message = f"“{name}” goes into the dynamic field, so it cannot be the partition key."
        hint = "Name a field of the target, or none."
        yield subject.fault("partition_key", "partition_key_unknown", message, hint, NO_PARTITION_KEY)
    elif subject.is_key(entry):
        message = f"“{name}” is the key already; the partition key is another field."
        yield subject.fault("partition_key", "partition_key_is_key", message, "", NO_PARTITION_KEY)
    elif entry.spec.type not in KEY_TYPES:
        message = f"“{name}” is {entry.spec.type}; a partition key is INT64 or VARCHAR."
        yield subject.fault("partition_key", "partition_key_type", message, "", NO_PARTITION_KEY)
