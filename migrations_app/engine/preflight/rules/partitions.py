"""Rules for partitions: the field whose values decide the partition, or the partitions of the source, and the
names in the target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Literal

from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.log import shortened
from migrations_app.engine.model.names import duplicates, name_problem, suggest
from migrations_app.engine.model.partition_names import DEFAULT_PARTITION, partition_label
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.preflight.subject import Subject

# Types whose values have exactly one text form.
NAMES_A_PARTITION = frozenset(
    {*(MilvusType.VARCHAR, MilvusType.BOOL), *(MilvusType.INT8, MilvusType.INT16)}
    | {MilvusType.INT32, MilvusType.INT64}
)
NO_PARTITIONS = Fix("Do not create partitions", "partition_by", "")
ONE_PARTITION = Fix("Do not create partitions", "partitions", "")
# The maximum number of partitions that a message lists.
LISTED = 3


def may_name_partitions(field: SourceField, schema: CollectionSchema) -> bool:
    """True if each value of ``field`` may get its own partition."""
    has_type = any(choice.spec.type in NAMES_A_PARTITION for choice in field.choices)
    return schema.lists_values and has_type and not field.opened_from


def check_partition_by(subject: Subject) -> Iterator[Fault]:
    plan, by = subject.plan, subject.plan.partition_by
    if by is None:
        return
    source = subject.schema.field(by)
    if plan.partition_key is not None:
        message = "A collection can have a partition key or one partition per value, but not both."
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
        hint = "Choose a field of texts, whole numbers or booleans."
        yield subject.fault("partition_by", "partition_by_type", message, hint, NO_PARTITIONS)
    # Rows in which the field is NULL are in the default partition.
    yield from _check_names(subject, taken=DEFAULT_PARTITION, of="value")


def check_source_partitions(subject: Subject) -> Iterator[Fault]:
    """Check that each partition of the source has its own partition in the target, if they are kept."""
    names, known = subject.plan.source_partitions, subject.schema.partitions
    if not names:
        return
    if known == ():
        message = "“partitions” needs “partition_by”: this collection of the source has no partitions."
        yield subject.fault("partitions", "option_misplaced", message, "Remove it.", ONE_PARTITION)
        return
    if subject.plan.partition_key is not None:
        message = "A collection with a partition key cannot have partitions with names."
        yield subject.fault("partitions", "partition_both", message, "Remove one of them.", ONE_PARTITION)
    yield from _check_source_names(subject, names, known)
    yield from _check_names(subject, taken="", of="partition")
    yield from _check_number(subject)


def _check_source_names(
    subject: Subject, names: Mapping[str, str], known: tuple[str, ...] | None
) -> Iterator[Fault]:
    """Check that the plan has exactly the partitions of the source. Not possible if these are unknown."""
    if known is None:
        return
    if missing := [name for name in known if name not in names]:
        listed = ", ".join(map(partition_label, missing[:LISTED])) + (", …" if missing[LISTED:] else "")
        have = "has no name" if len(missing) == 1 else "have no names"
        message = f"{listed[:1].upper()}{listed[1:]} of the source {have} in the target."
        hint = "Add each of them to “partitions”, or leave “partitions” out: then names are made for all."
        yield subject.fault("partitions", "partition_unmapped", message, hint, ONE_PARTITION)
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, 1)
            hint = f"Did you mean “{close[0]}”?" if close else "Remove it."
            message = f"The source does not have {partition_label(name)}."
            yield subject.fault(partition_path(name), "partition_unknown", message, hint)


def _check_number(subject: Subject) -> Iterator[Fault]:
    number = len({*subject.plan.source_partitions.values(), DEFAULT_PARTITION})
    if number > subject.capabilities.max_partitions:
        message = (
            f"The collection would have {number:,} partitions, including “{DEFAULT_PARTITION}”; "
            f"{subject.capabilities.limited_by} allows {subject.capabilities.max_partitions:,}."
        )
        hint = "Write “partitions: {}”: then the rows of all partitions go into one."
        yield subject.fault("partitions", "too_many_partitions", message, hint, ONE_PARTITION)


def _check_names(subject: Subject, *, taken: str, of: Literal["value", "partition"]) -> Iterator[Fault]:
    """Check the partition names in the plan: valid, not ``taken``, and no two the same."""
    names = subject.plan.partitions or {}
    twice = duplicates(names.values())
    used = {DEFAULT_PARTITION, *names.values()}
    for value, name in names.items():
        path = partition_path(value)
        problem = name_problem(name, "partition")
        if problem:
            instead = suggest(name or value, used, "partition")
            used.add(instead)
            fix = Fix(f"Use {instead}", path, instead)
            yield subject.fault(path, problem.code, problem.message, problem.hint, fix)
        elif name in twice or name == taken:
            message = f"The partition “{name}” is already used for other rows."
            hint = f"Choose another name: rows of two {of}s would mix."
            yield subject.fault(path, "name_duplicate", message, hint)


def partition_path(name: str) -> str:
    """Return the option of a plan that holds the target name of a partition."""
    written = shortened(name) or '""'
    return f"partitions.{written}"
