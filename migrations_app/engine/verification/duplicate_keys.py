"""Duplicate keys: rows with equal keys, if the source does not declare the key unique. They may explain why
the target has fewer new rows than were sent.

Only one row of each key remains in the target. If rows with equal keys are in the same batch, all but one are
collapsed there and counted. If they are in different batches, they replace each other in the target, and only
a count in the source shows how many were replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from migrations_app.engine.model.batch import ReadColumn
from migrations_app.engine.model.counters import Counters
from migrations_app.engine.model.joined_key_text import PART
from migrations_app.engine.model.partition_names import VALUE
from migrations_app.engine.model.plan import CollectionPlan, FieldPlan
from migrations_app.engine.sources.base import KeyRows


@dataclass(frozen=True, slots=True)
class Replaced:
    """The number of sent rows that later rows with the same key replaced: from ``least`` to ``most``.

    ``unread`` rows of the source were counted but not read. It is not known how many of them have equal keys.
    """

    least: int = 0
    most: int = 0
    unread: int = 0

    def __str__(self) -> str:
        return f"{self.least:,}" if self.least == self.most else f"{self.least:,} to {self.most:,}"

    def explains(self, missing: int) -> bool:
        return self.least <= missing <= self.most


def replaced(counters: Counters, duplicates: Sequence[int], in_source: int) -> Replaced:
    """Return how many sent rows were replaced, given ``duplicates``: rows minus different keys, counted once
    or several times in a source of ``in_source`` rows.

    A key of the source is missing in the target only if all its rows were rejected or not read, so at most as
    many keys are missing as there are such rows. If more rows were read than counted, at most that many keys
    are new.
    """
    sent = counters.read - counters.rejected - counters.skipped - counters.collapsed
    unread = max(0, in_source - counters.read)
    gone = counters.rejected + unread
    new = max(0, counters.read - in_source)
    least = min(duplicates) - counters.collapsed - gone
    most = max(duplicates) - counters.collapsed + new
    # At least one of the rows that replace each other remains.
    most = min(most, sent - 1)
    return Replaced(max(0, min(least, most)), max(0, most), unread)


def key_rows(collection: CollectionPlan, *, key_per_partition: bool = True) -> KeyRows:
    """Return which duplicates to count for a completed collection whose key comes from the source.

    Counted are the rows that are not skipped, by the key that they will have. They are also counted by
    partition if the target stores equal keys in different partitions separately (``key_per_partition``).
    """
    fields = collection.fields or ()
    skipped = [field.source for field in fields if field.source and _skips_null(collection, field)]
    present = tuple(dict.fromkeys([*collection.key_columns, *skipped]))
    columns = tuple(_key_columns(collection))
    if collection.partition_by and key_per_partition:
        columns = tuple(dict.fromkeys([*columns, ReadColumn(collection.partition_by, VALUE)]))
    return KeyRows(columns, present, by_partition=bool(collection.source_partitions) and key_per_partition)


def _key_columns(collection: CollectionPlan) -> Iterator[ReadColumn]:
    if collection.is_joined:
        yield from (ReadColumn(part, PART) for part in collection.key_columns)
        return
    fields = (field for field in collection.fields or () if collection.is_kept_key(field.source))
    yield next(
        ReadColumn(field.source or "", field.spec(), field.encoding or "")
        for field in fields
        if not field.dynamic
    )


def _skips_null(collection: CollectionPlan, field: FieldPlan) -> bool:
    is_vector = not field.dynamic and field.type is not None and field.type.endswith("_VECTOR")
    return is_vector and collection.absent_rule(field) == "skip"
