"""Rows of equal keys, where the source does not declare the key unique: how many there are, and how much they
explain of a difference between the rows sent and the rows in the target.

Of rows with one key one stays. Where they meet in a batch, the others are collapsed there and counted; over
several batches they replace each other in the target, and only the count of the source tells how many did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from migrations_app.engine.model.batch import ReadColumn
from migrations_app.engine.model.counters import Counters
from migrations_app.engine.model.key_text import PART
from migrations_app.engine.model.partition_names import VALUE
from migrations_app.engine.model.plan import CollectionPlan, FieldPlan
from migrations_app.engine.sources.base import KeyRows


@dataclass(frozen=True, slots=True)
class Replaced:
    """How many of the rows sent were replaced by later ones of the same key: from ``least`` to ``most``.

    ``unread`` rows of the source were counted and not asked for: nobody knows how many of them count.
    """

    least: int = 0
    most: int = 0
    unread: int = 0

    def __str__(self) -> str:
        return f"{self.least:,}" if self.least == self.most else f"{self.least:,} to {self.most:,}"

    def explains(self, lacking: int) -> bool:
        return self.least <= lacking <= self.most


def replaced(counters: Counters, duplicates: Sequence[int], in_source: int) -> Replaced:
    """What follows from ``duplicates``: rows minus different keys, counted once or more often in a source of
    ``in_source`` rows.

    Each key that is there was sent, or all of its rows were rejected or not read: as many keys may be missing
    in the target as there are such rows, and as many new ones as rows were read that were not counted.
    """
    sent = counters.read - counters.rejected - counters.skipped - counters.collapsed
    unread = max(0, in_source - counters.read)
    gone = counters.rejected + unread
    new = max(0, counters.read - in_source)
    least = min(duplicates) - counters.collapsed - gone
    most = max(duplicates) - counters.collapsed + new
    # Of rows that replace each other one stays.
    most = min(most, sent - 1)
    return Replaced(max(0, min(least, most)), max(0, most), unread)


def key_rows(collection: CollectionPlan, *, key_per_partition: bool = True) -> KeyRows:
    """What to count the duplicates of for a completed collection that keeps a key: the rows that are not
    skipped, by the key that they will have, and by their partition where the target keeps equal keys in
    different ones apart (``key_per_partition``)."""
    fields = collection.fields or ()
    skipped = [field.source for field in fields if field.source and _skips_null(collection, field)]
    present = tuple(dict.fromkeys([*collection.key_columns, *skipped]))
    columns = tuple(_key_columns(collection))
    if collection.partition_by and key_per_partition:
        columns = tuple(dict.fromkeys([*columns, ReadColumn(collection.partition_by, VALUE)]))
    return KeyRows(columns, present)


def _key_columns(collection: CollectionPlan) -> Iterator[ReadColumn]:
    if collection.is_joined:
        yield from (ReadColumn(part, PART) for part in collection.key_columns)
        return
    fields = (field for field in collection.fields or () if collection.is_kept_key(field.source))
    yield next(ReadColumn(field.source or "", field.spec()) for field in fields if not field.dynamic)


def _skips_null(collection: CollectionPlan, field: FieldPlan) -> bool:
    is_vector = not field.dynamic and field.type is not None and field.type.endswith("_VECTOR")
    return is_vector and collection.skip_null_vectors and not field.nullable
