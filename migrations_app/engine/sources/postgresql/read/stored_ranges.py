"""Stored ranges: the slices of a relation without a key, by the places (``ctid``) of its rows on disk.

The bounds name the file of each table. A table that is rewritten gets another file, and its rows get other
places; a read then raises ``BoundsLost``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isqrt
from typing import Any

from migrations_app.engine.model.batch import Slice
from migrations_app.engine.sources.postgresql.catalogue.leaves import Leaf

# Since this version, PostgreSQL reads a range of places without reading the blocks before it.
_TID_RANGE_SCAN = 140000


def stored_ranges(
    leaves: Sequence[Leaf], wanted: int, rows: int | None, server_version: int
) -> Iterator[Slice]:
    """Yield ``wanted`` slices of about the same number of blocks (fewer if there are fewer blocks).

    A slice consists of pieces: ranges of blocks of one or more tables. The last piece of each table has no
    upper bound, so that it also contains the rows that are written later.
    """
    if server_version < _TID_RANGE_SCAN:
        count = min(wanted, len(leaves))
        slices = [[_piece(leaf, 0, None) for leaf in leaves[first::count]] for first in range(count)]
    else:
        slices = _cut(leaves, wanted)
    share = None if rows is None else rows // len(slices)
    for number in _spread(len(slices)):
        yield Slice(f"range {number + 1}", {"pieces": slices[number]}, share)


def _cut(leaves: Sequence[Leaf], wanted: int) -> list[list[dict[str, Any]]]:
    """Cut the blocks of all tables, one table after another, into ``wanted`` parts."""
    total = sum(leaf.blocks for leaf in leaves)
    wanted = max(1, min(wanted, total))
    ends = [total * number // wanted for number in range(1, wanted + 1)]
    slices: list[list[dict[str, Any]]] = [[]]
    start = 0  # the first block of the table, counted over all tables
    for leaf in leaves:
        first = 0
        while len(slices) < wanted and ends[len(slices) - 1] < start + leaf.blocks:
            to = ends[len(slices) - 1] - start
            if to > first:
                slices[-1].append(_piece(leaf, first, to))
            first = to
            slices.append([])
        slices[-1].append(_piece(leaf, first, None))
        start += leaf.blocks
    return slices


def _piece(leaf: Leaf, first: int, end: int | None) -> dict[str, Any]:
    """The blocks of ``leaf`` from ``first`` up to but not including ``end`` (None: all)."""
    return {"table": list(leaf.name), "filenode": leaf.filenode, "from": first, "to": end}


def _spread(count: int) -> Iterator[int]:
    """Yield the numbers below ``count``, neighbours far apart: slices that are read at the same time are then
    of different tables, if there are several."""
    step = max(1, isqrt(count))
    for offset in range(step):
        yield from range(offset, count, step)
