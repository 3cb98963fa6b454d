"""Partition scan: names a partition for each value of the partition field, or for each one of the source."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from migrations_app.engine.faults import Fault
from migrations_app.engine.log import counted, shortened
from migrations_app.engine.model.partition_names import DEFAULT_PARTITION, MAX_VALUE_BYTES, partition_names
from migrations_app.engine.preflight.rules.partitions import NO_PARTITIONS, check_partition_by
from migrations_app.engine.preflight.subject import Subject
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.reading.measure import measure
from migrations_app.engine.sources.base import MeasureRequest, Source

# A batch has thousands of rows. Divided into more partitions than this, its requests become small.
MANY = 64
# The maximum number of partitions that a note lists.
LISTED = 20


@dataclass(frozen=True, slots=True)
class Partitions:
    """The result of the scan: the partition name of each value, faults, and notes for the user."""

    names: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()


def name_partitions(subject: Subject, source: Source, ctx: ReadContext) -> Partitions:
    """Read the values from the source. Raises the errors of its ``measure``."""
    by = subject.plan.partition_by
    known = subject.plan.partitions or {}
    if by is None:
        return Partitions(known, notes=_source_notes(subject, known))
    if any(check_partition_by(subject)):
        return Partitions(known)
    most = subject.capabilities.max_partitions - 1
    wanted = MeasureRequest(values_of=by, at_most=most)
    rows = measure(source, subject.plan, wanted, ctx, subject.schema.rows_estimate).values
    if rows is None:
        return Partitions(known, (_unlisted(subject, by),))
    values = [value for value in rows if value is not None]
    faults = (*_too_many(subject, by, values, most), *_too_long(subject, by, values))
    if faults:
        return Partitions(known, faults)
    return Partitions(partition_names(values, known), (), _notes(by, rows))


def _unlisted(subject: Subject, by: str) -> Fault:
    message = f"The values of “{by}” could not be listed in time."
    hint = "Use it as the partition key instead: its values need not be known."
    return subject.fault("partition_by", "partition_by_unavailable", message, hint, NO_PARTITIONS)


def _too_many(subject: Subject, by: str, values: Collection[str], most: int) -> Iterator[Fault]:
    if len({*values, *(subject.plan.partitions or {})}) > most:
        message = (
            f"“{by}” has more than {most:,} values; {subject.capabilities.limited_by} allows {most + 1:,} "
            f"partitions, including “{DEFAULT_PARTITION}”."
        )
        hint = "Use it as the partition key instead: then any number of values share a few partitions."
        yield subject.fault("partition_by", "too_many_partitions", message, hint, NO_PARTITIONS)


def _too_long(subject: Subject, by: str, values: Collection[str]) -> Iterator[Fault]:
    longest = max(values, key=lambda value: len(value.encode()), default="")
    if len(longest.encode()) > MAX_VALUE_BYTES:
        message = f"“{by}” has values of more than {MAX_VALUE_BYTES:,} bytes: “{shortened(longest)}”."
        hint = "Such values cannot name partitions. Choose another field."
        yield subject.fault("partition_by", "partition_value_too_long", message, hint, NO_PARTITIONS)


def _source_notes(subject: Subject, names: Mapping[str, str]) -> tuple[str, ...]:
    """Return a note with the names of the partitions, if those of the source are kept, or that they are not
    because the source cannot list them."""
    schema = subject.schema
    if not names:
        is_undecided = subject.plan.partitions is None and subject.plan.partition_key is None
        return (_UNLISTED,) if schema.partitions is None and schema.keeps_partitions and is_undecided else ()
    listed = [
        f"{f'“{shortened(source)}”' if source else 'the one without a name'} → {shortened(target)}"
        for source, target in list(names.items())[:LISTED]
    ]
    more = f", and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    become = "becomes a partition" if len(names) == 1 else "become partitions"
    number = counted(len(names), "partition")
    return (f"{number} of the source {become} of the target: {', '.join(listed)}{more}.",)


_UNLISTED = (
    "The source cannot list its partitions, so the rows of all of them go into one partition of the target. "
    "To keep them, write their names into “partitions” of a plan."
)


def _notes(by: str, rows: Mapping[str | None, int]) -> tuple[str, ...]:
    notes = []
    if rows.get(None):
        notes.append(
            f"“{by}” is NULL in {counted(rows[None], 'row')}, which will be in the partition "
            f"“{DEFAULT_PARTITION}”."
        )
    if len(rows) > MANY:
        notes.append(
            f"Each request writes to one partition, so {len(rows):,} partitions mean many small requests, "
            "which are slow. With a partition key, the number of values does not affect the speed."
        )
    return tuple(notes)
