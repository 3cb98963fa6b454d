"""Rules for partitions by value: the field that decides the partition, and the names of the partitions."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from migrations_app.engine.errors import Fault, Fix
from migrations_app.engine.log import shortened
from migrations_app.engine.model.names import duplicates, name_problem
from migrations_app.engine.model.partition_names import DEFAULT_PARTITION
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.preflight.subject import Subject

# Types whose values have exactly one text form.
NAMES_A_PARTITION = frozenset(
    {*(MilvusType.VARCHAR, MilvusType.BOOL), *(MilvusType.INT8, MilvusType.INT16)}
    | {MilvusType.INT32, MilvusType.INT64}
)
NO_PARTITIONS = Fix("Do not create partitions", "partition_by", "")


def may_name_partitions(field: SourceField, schema: CollectionSchema) -> bool:
    """True if each value of ``field`` may get its own partition."""
    has_type = any(choice.spec.type in NAMES_A_PARTITION for choice in field.choices)
    return schema.lists_values and has_type and not field.opened_from


def check_partition_by(subject: Subject) -> Iterator[Fault]:
    plan, by = subject.plan, subject.plan.partition_by
    if by is None:
        if plan.partitions:
            message = "“partitions” needs “partition_by”, which is not set."
            yield subject.fault("partitions", "option_misplaced", message, "Remove it.")
        return
    source = subject.schema.field(by)
    if plan.partition_key is not None:
        message = "A collection can have a partition key or partition_by, but not both."
        yield subject.fault("partition_by", "partition_both", message, "Remove one of them.", NO_PARTITIONS)
    if source is None:
        close = get_close_matches(by, [f.name for f in subject.schema.fields], 1)
        hint = f"Did you mean “{close[0]}”?" if close else "Choose a field of the source."
        message = f"“{subject.schema.name}” has no field “{by}” for partition_by."
        yield subject.fault("partition_by", "partition_by_unknown", message, hint, NO_PARTITIONS)
    elif not subject.schema.lists_values:
        message = f"The source cannot list the values of “{by}”, so they cannot name partitions."
        hint = "Use it as the partition key instead."
        yield subject.fault("partition_by", "partition_by_unavailable", message, hint, NO_PARTITIONS)
    elif not may_name_partitions(source, subject.schema):
        message = f"“{by}” ({source.native_type}) cannot name partitions."
        hint = "Choose a column of texts, whole numbers or booleans."
        yield subject.fault("partition_by", "partition_by_type", message, hint, NO_PARTITIONS)
    yield from _check_names(subject)


def _check_names(subject: Subject) -> Iterator[Fault]:
    """Check the partition names in the plan: valid, and each for only one value."""
    twice = duplicates(subject.plan.partitions.values())
    for value, name in subject.plan.partitions.items():
        path = f"partitions.{shortened(value)}"
        problem = name_problem(name, "partition")
        if problem:
            yield subject.fault(path, problem.code, problem.message, problem.hint)
        elif name in twice or name == DEFAULT_PARTITION:
            message = f"The partition “{name}” is already used for other rows."
            yield subject.fault(
                path, "name_duplicate", message, "Choose another name: rows of two values would mix."
            )
