"""One partition for each value of a field: which field may decide, and that there are not too many values."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from migrations_app.engine.errors import Fault, Fix
from migrations_app.engine.log import shortened
from migrations_app.engine.model.names import duplicates, name_problem
from migrations_app.engine.model.partition_names import DEFAULT_PARTITION
from migrations_app.engine.model.source_schema import SourceField
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.preflight.subject import Subject

# Types whose values have one plain text each.
NAMES_A_PARTITION = frozenset(
    {*(MilvusType.VARCHAR, MilvusType.BOOL), *(MilvusType.INT8, MilvusType.INT16)}
    | {MilvusType.INT32, MilvusType.INT64}
)
NONE_AT_ALL = Fix("Make no partitions", "partition_by", "")


def may_name_partitions(source: SourceField) -> bool:
    return any(choice.spec.type in NAMES_A_PARTITION for choice in source.choices) and not source.opened_from


def check_partition_by(subject: Subject) -> Iterator[Fault]:
    plan, by = subject.plan, subject.plan.partition_by
    if by is None:
        if plan.partitions:
            message = "“partitions” belongs to “partition_by”, which names no field."
            yield subject.fault("partitions", "option_misplaced", message, "Remove it.")
        return
    source = subject.schema.field(by)
    if plan.partition_key is not None:
        message = "A collection has a partition key or partitions of its own, not both."
        yield subject.fault("partition_by", "partition_both", message, "Remove one of them.", NONE_AT_ALL)
    if source is None:
        close = get_close_matches(by, [f.name for f in subject.schema.fields], 1)
        hint = f"Did you mean “{close[0]}”?" if close else "Name a field of the source."
        message = f"“{subject.schema.name}” has no field “{by}” to make partitions by."
        yield subject.fault("partition_by", "partition_by_unknown", message, hint, NONE_AT_ALL)
    elif not may_name_partitions(source):
        message = f"“{by}” ({source.native_type}) cannot name partitions."
        hint = "A text, whole number or boolean of its own column can."
        yield subject.fault("partition_by", "partition_by_type", message, hint, NONE_AT_ALL)
    yield from _check_names(subject)


def _check_names(subject: Subject) -> Iterator[Fault]:
    """Names written in the plan: legal, and each for one value."""
    twice = duplicates(subject.plan.partitions.values())
    for value, name in subject.plan.partitions.items():
        path = f"partitions.{shortened(value)}"
        problem = name_problem(name, "partition")
        if problem:
            yield subject.fault(path, problem.code, problem.message, problem.hint)
        elif name in twice or name == DEFAULT_PARTITION:
            message = f"“{name}” is the partition of another value too."
            yield subject.fault(path, "name_duplicate", message, "Rows of two values would mix.")
