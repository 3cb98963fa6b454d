"""Slices: the independent parts of a collection, and their bounds as a job stores them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

from migrations_app.engine.model.batch import Slice
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import MAX_SLICES
from migrations_app.engine.sources.qdrant.collection import Collection, ShardKey
from migrations_app.engine.sources.qdrant.connect.rest import (
    RANDOM_SAMPLE,
    SLICE_FILTER,
    Rest,
    collection_path,
)
from migrations_app.engine.sources.qdrant.questions import count_points, first_id
from migrations_app.engine.sources.qdrant.scroll import Bounds, PointId, order_of, page_limit

_SAMPLES_PER_SLICE = 50
_NUMBERS_END, _UUIDS_END = 2**64, 2**128
FIRST_UUID = "00000000-0000-0000-0000-000000000000"


def slices_of(
    rest: Rest, collection: Collection, keys: Sequence[ShardKey], wanted: int, ctx: ReadContext
) -> Iterator[Slice]:
    """Yield about ``wanted`` slices, those of different shard keys in turns.

    Qdrant 1.19 has a filter for a part of the points, by a hash of the id that never changes. Before that, a
    slice is a range of ids.
    """
    parts: list[list[Slice]] = []
    counts = {key: count_points(rest, collection, ctx, key) for key in (keys or (None,))}
    rows = sum(counts.values())
    for key, count in counts.items():
        share = max(1, min(MAX_SLICES, round(wanted * count / max(1, rows)), count))
        parts.append(list(_slices(rest, collection, key, share, count, ctx)))
    for turn in range(max(map(len, parts))):
        for part in parts:
            if turn < len(part):
                ctx.stop.check()
                yield part[turn]


def bounds_of(part: Slice) -> tuple[ShardKey | None, Bounds]:
    """Return the shard key and the bounds of a stored slice."""
    stored: dict[str, Any] = part.bounds
    chosen = stored.get("slice")
    return stored.get("shard_key"), Bounds(
        stored.get("from"), stored.get("to"), (chosen[0], chosen[1]) if chosen else None
    )


def _slices(
    rest: Rest, collection: Collection, key: ShardKey | None, wanted: int, count: int, ctx: ReadContext
) -> Iterator[Slice]:
    name = None if key is None else str(key)
    # Two shard keys may be the number 1 and the text "1".
    prefix = "" if key is None else f"{'number' if isinstance(key, int) else 'key'} {key} "
    if wanted == 1:
        bounds: list[dict[str, Any]] = [{}]
    elif rest.has(SLICE_FILTER, ctx):
        bounds = [{"slice": [wanted, index]} for index in range(wanted)]
    else:
        ends = [None, *_inner_ends(rest, collection, key, wanted, ctx), None]
        bounds = [{"from": start, "to": end} for start, end in pairwise(ends)]
    for number, part in enumerate(bounds, 1):
        yield Slice(
            f"{prefix}part {number} of {len(bounds)}", {"shard_key": key, **part}, count // len(bounds), name
        )


def _inner_ends(
    rest: Rest, collection: Collection, key: ShardKey | None, wanted: int, ctx: ReadContext
) -> list[PointId]:
    """Return the ids that divide the points into about ``wanted`` ranges."""
    if rest.has(RANDOM_SAMPLE, ctx):
        limit = page_limit(collection, _SAMPLES_PER_SLICE * wanted)
        body: dict[str, Any] = {"query": {"sample": "random"}, "limit": limit, "with_payload": False}
        if key is not None:
            body["shard_key"] = key
        found = rest.ask("POST", collection_path(collection.name, "points", "query"), ctx, body)
        ids = sorted({point["id"] for point in found["points"]}, key=order_of)
        chosen = [ids[len(ids) * number // wanted] for number in range(1, wanted)] if ids else []
        return list(dict.fromkeys(chosen))
    return _even_ends(rest, collection, key, wanted, ctx)


def _even_ends(
    rest: Rest, collection: Collection, key: ShardKey | None, wanted: int, ctx: ReadContext
) -> list[PointId]:
    """Divide the numbers in use, and all UUIDs, into ranges of equal length."""
    first = first_id(rest, collection, ctx, key)
    uuid = first_id(rest, collection, ctx, key, FIRST_UUID)
    if first is None:
        return []
    if isinstance(first, str):
        return [_uuid(_UUIDS_END * number // wanted) for number in range(1, wanted)]
    last = _last_number(rest, collection, key, first, ctx)
    parts = wanted if uuid is None else max(1, wanted // 2)
    ends: list[PointId] = [first + (last + 1 - first) * number // parts for number in range(1, parts)]
    if uuid is not None:
        rest_of = wanted - parts
        ends += [FIRST_UUID, *(_uuid(_UUIDS_END * number // rest_of) for number in range(1, rest_of))]
    return list(dict.fromkeys(ends))


def _last_number(
    rest: Rest, collection: Collection, key: ShardKey | None, first: int, ctx: ReadContext
) -> int:
    """Find the greatest id that is a number, by halving."""
    low, high = first, _NUMBERS_END
    while high - low > 1:
        middle = (low + high) // 2
        found = first_id(rest, collection, ctx, key, middle)
        if isinstance(found, int):
            low = found
        else:
            high = middle
    return low


def _uuid(number: int) -> str:
    return str(UUID(int=number))
