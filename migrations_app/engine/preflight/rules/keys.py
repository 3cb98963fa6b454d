"""Rules for the key and the partition key: INT64 or VARCHAR, never NULL, no default."""

from __future__ import annotations

import re
from collections.abc import Iterator

from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.model.limits import MAX_LENGTH
from migrations_app.engine.model.names import duplicates
from migrations_app.engine.model.plan import AUTO
from migrations_app.engine.model.source_schema import SourceField
from migrations_app.engine.model.types import KEY_TYPES
from migrations_app.engine.planning.type_choices import can_be_part, key_choices
from migrations_app.engine.preflight.subject import FieldEntry, Subject

_NO_LETTERS = re.compile(r"[^a-z]")
USE_AUTO_ID = Fix("Use Auto ID", "key", AUTO)
NO_PARTITION_KEY = Fix("Use no partition key", "partition_key", "")


def check_key(subject: Subject) -> Iterator[Fault]:
    """Check a key from the source: its columns exist, each is listed once, and their types can be a key.

    A key of one column must also be a field.
    """
    plan = subject.plan
    if plan.key_columns == () and not plan.is_auto_id:
        yield subject.fault("key", "key_missing", "The key has no field.", "Use Auto ID.", USE_AUTO_ID)
    for name in duplicates(plan.key_columns):
        message = f"The key lists “{name}” twice."
        yield subject.fault("key", "key_twice", message, "List each field once.", USE_AUTO_ID)
    for name in dict.fromkeys(plan.key_columns):
        source = subject.schema.field(name)
        if source is None:
            message = f"“{subject.schema.name}” has no field “{name}” to use as the key."
            hint = "Choose another field, or use Auto ID."
            if _NO_LETTERS.sub("", name.lower()) in ("autoid", "autoincrement"):
                hint = "For keys that Milvus generates, use Auto ID; “key_name” is their name."
            yield subject.fault("key", "key_unknown", message, hint, USE_AUTO_ID)
        elif plan.is_joined:
            yield from _check_part(subject, source)
        else:
            yield from _check_alone(subject, source)


def _check_part(subject: Subject, source: SourceField) -> Iterator[Fault]:
    if not can_be_part(source):
        message = f"“{source.name}” ({source.native_type}) cannot be part of a joined key."
        hint = "A joined key needs fields whose values are exact as text. Choose another one, or use Auto ID."
        yield subject.fault("key", "key_type", message, hint, USE_AUTO_ID)


def _check_alone(subject: Subject, source: SourceField) -> Iterator[Fault]:
    if not key_choices(source, subject.capabilities):
        message = f"“{source.name}” ({source.native_type}) cannot be a key in Milvus."
        hint = "A key must be INT64 or VARCHAR. Use Auto ID."
        yield subject.fault("key", "key_type", message, hint, USE_AUTO_ID)
    elif not any(subject.is_key(entry) for entry in subject.fixed()):
        message = f"The key “{source.name}” is not among the fields."
        yield subject.fault(
            "key",
            "key_not_a_field",
            message,
            "Make it a field of the target: a key cannot be in the dynamic field.",
        )


def check_made_key(subject: Subject) -> Iterator[Fault]:
    """Check the options of a generated key: ``key_name`` is for a key that is not a source field,
    ``key_max_length`` for a joined key, and ``keep_source_key`` for Auto ID."""
    plan = subject.plan
    if plan.keep_source_key and not plan.is_auto_id:
        message = "keep_source_key is only for Auto ID, but here the key comes from the source."
        fix = Fix("Remove it", "keep_source_key", "")
        yield subject.fault("keep_source_key", "option_misplaced", message, "", fix)
    entry = next((e for e in subject.fixed() if subject.is_key(e)), None)
    if plan.key_name and entry and plan.key_name != entry.plan.target:
        message = f"The key field is called “{entry.plan.target}”, but “{plan.key_name}” in key_name."
        fix = Fix("Remove key_name", "key_name", "")
        yield subject.fault("key_name", "option_misplaced", message, "Rename the field instead.", fix)
    if plan.key_max_length is None:
        return
    if not plan.is_joined:
        message = "key_max_length is only for a key that joins several fields."
        fix = Fix("Remove it", "key_max_length", "")
        hint = "Set max_length of the field instead." if entry else ""
        yield subject.fault("key_max_length", "option_misplaced", message, hint, fix)
    elif not 1 <= plan.key_max_length <= MAX_LENGTH:
        message = f"“key_max_length” is {plan.key_max_length:,}; Milvus allows 1 to {MAX_LENGTH:,} bytes."
        fix = Fix(f"Use {MAX_LENGTH:,}", "key_max_length", str(MAX_LENGTH))
        yield subject.fault("key_max_length", "value_out_of_range", message, "", fix)


def check_key_options(subject: Subject) -> Iterator[Fault]:
    for entry in subject.fixed():
        if subject.is_key(entry):
            yield from _check_unset(entry, "key", ("nullable", "default", "fill_null"))
        elif subject.is_partition_key(entry):
            yield from _check_unset(entry, "partition key", ("nullable",))


def _check_unset(entry: FieldEntry, key: str, options: tuple[str, ...]) -> Iterator[Fault]:
    for option in options:
        value = getattr(entry.plan, option)
        if value is not None and value is not False:
            message = f"“{entry.name}” is the {key}, which cannot have “{option}”."
            fix = Fix(
                "Turn it off" if option == "nullable" else "Remove it", option, "false" * (value is True)
            )
            yield entry.fault(option, f"key_{option}", message, "", fix)


def check_partition_key(subject: Subject) -> Iterator[Fault]:
    name = subject.plan.partition_key
    if name is None:
        return
    entry = subject.named(name)
    is_made_key = subject.plan.makes_key and name == subject.plan.key_name
    if is_made_key or (entry is not None and entry.spec is not None and subject.is_key(entry)):
        message = f"“{name}” is already the key; the partition key must be another field."
        yield subject.fault("partition_key", "partition_key_is_key", message, "", NO_PARTITION_KEY)
    elif entry is None or entry.spec is None:
        message = f"The target has no field “{name}” to use as the partition key."
        if any((e.plan.as_ or e.plan.source) == name for e in subject.entries() if e.plan.dynamic):
            message = f"“{name}” goes into the dynamic field, so it cannot be the partition key."
        hint = "Choose a field of the target, or use no partition key."
        yield subject.fault("partition_key", "partition_key_unknown", message, hint, NO_PARTITION_KEY)
    elif entry.spec.type not in KEY_TYPES:
        message = f"“{name}” is {entry.spec.type}; a partition key must be INT64 or VARCHAR."
        yield subject.fault("partition_key", "partition_key_type", message, "", NO_PARTITION_KEY)
