"""One partition for each value of a field: which field may decide, and that there are not too many values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from migrations_app.engine.batch import CollectionRef
from migrations_app.engine.connectors.base import Source
from migrations_app.engine.errors import Fault, Fix
from migrations_app.engine.log import counted, shortened
from migrations_app.engine.naming import duplicates, name_problem
from migrations_app.engine.partitions import DEFAULT_PARTITION, MAX_VALUE_BYTES, partition_names
from migrations_app.engine.preflight.subject import Subject
from migrations_app.engine.schema import MilvusType, SourceField

# Types whose values have one plain text each.
NAMES_A_PARTITION = frozenset(
    {*(MilvusType.VARCHAR, MilvusType.BOOL), *(MilvusType.INT8, MilvusType.INT16)}
    | {MilvusType.INT32, MilvusType.INT64}
)
# A batch is thousands of rows: divided among more partitions than this, its requests are small.
MANY = 64
NONE_AT_ALL = Fix("Make no partitions", "partition_by", "")


@dataclass(frozen=True, slots=True)
class Partitions:
    """What was found: the partition of each value, and what is wrong or worth knowing."""

    names: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()


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


def name_partitions(subject: Subject, source: Source) -> Partitions:
    """Ask the source for the values. Raises what its ``distinct`` raises."""
    by = subject.plan.partition_by
    if by is None or any(check_partition_by(subject)):
        return Partitions(subject.plan.partitions)
    most = subject.caps.max_partitions - 1
    rows = source.distinct(CollectionRef(subject.plan.source, subject.plan.select), by, most)
    values = [value for value in rows if value is not None]
    faults = (*_too_many(subject, by, values, most), *_too_long(subject, by, values))
    if faults:
        return Partitions(subject.plan.partitions, faults)
    return Partitions(partition_names(values, subject.plan.partitions), (), _notes(by, rows))


def _too_many(subject: Subject, by: str, values: Collection[str], most: int) -> Iterator[Fault]:
    if len({*values, *subject.plan.partitions}) > most:
        message = (
            f"“{by}” has more than {most:,} values; {subject.caps.limits} takes {most + 1:,} partitions, "
        )
        message += f"“{DEFAULT_PARTITION}” among them."
        hint = "Make it the partition key instead: any number of values share a few partitions."
        yield subject.fault("partition_by", "too_many_partitions", message, hint, NONE_AT_ALL)


def _too_long(subject: Subject, by: str, values: Collection[str]) -> Iterator[Fault]:
    longest = max(values, key=lambda value: len(value.encode()), default="")
    if len(longest.encode()) > MAX_VALUE_BYTES:
        message = f"“{by}” holds texts of more than {MAX_VALUE_BYTES:,} bytes: “{shortened(longest)}”."
        hint = "Such texts name no partitions: choose another field."
        yield subject.fault("partition_by", "partition_value_too_long", message, hint, NONE_AT_ALL)


def _notes(by: str, rows: Mapping[str | None, int]) -> tuple[str, ...]:
    notes = []
    if rows.get(None):
        notes.append(
            f"“{by}” is NULL in {counted(rows[None], 'row')}, which will be in “{DEFAULT_PARTITION}”."
        )
    if len(rows) > MANY:
        notes.append(
            f"A request goes into one partition: {len(rows):,} of them make many small requests, which is "
            "slow. A partition key takes any number of values at full speed."
        )
    return tuple(notes)
