"""The values of a partition field, asked from the source, and the partition name of each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from migrations_app.engine.errors import Fault
from migrations_app.engine.log import counted, shortened
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.model.partition_names import DEFAULT_PARTITION, MAX_VALUE_BYTES, partition_names
from migrations_app.engine.preflight.rules.partitions import NONE_AT_ALL, check_partition_by
from migrations_app.engine.preflight.subject import Subject
from migrations_app.engine.sources.base import Source

# A batch is thousands of rows: divided among more partitions than this, its requests are small.
MANY = 64


@dataclass(frozen=True, slots=True)
class Partitions:
    """What was found: the partition of each value, and what is wrong or worth knowing."""

    names: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()


def name_partitions(subject: Subject, source: Source) -> Partitions:
    """Ask the source for the values. Raises what its ``distinct`` raises."""
    by = subject.plan.partition_by
    if by is None or any(check_partition_by(subject)):
        return Partitions(subject.plan.partitions)
    most = subject.capabilities.max_partitions - 1
    rows = source.distinct(CollectionRef(subject.plan.source, subject.plan.select), by, most)
    values = [value for value in rows if value is not None]
    faults = (*_too_many(subject, by, values, most), *_too_long(subject, by, values))
    if faults:
        return Partitions(subject.plan.partitions, faults)
    return Partitions(partition_names(values, subject.plan.partitions), (), _notes(by, rows))


def _too_many(subject: Subject, by: str, values: Collection[str], most: int) -> Iterator[Fault]:
    if len({*values, *subject.plan.partitions}) > most:
        message = (
            f"“{by}” has more than {most:,} values; {subject.capabilities.limited_by} takes {most + 1:,} "
            f"partitions, “{DEFAULT_PARTITION}” among them."
        )
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
