"""Questions about all points: how many there are, how many lack a vector, which id comes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from migrations_app.engine.errors import SourceError
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import MeasureRequest, Measures
from migrations_app.engine.sources.qdrant.collection import Collection, ShardKey, Vector
from migrations_app.engine.sources.qdrant.connect.rest import STRICT_MODE, Rest, collection_path

FIRST_BEYOND_INT64 = 2**63


def count_points(
    rest: Rest,
    collection: Collection,
    ctx: ReadContext,
    key: ShardKey | None = None,
    condition: dict[str, Any] | None = None,
) -> int:
    """Return the number of points: exactly, unless strict mode forbids it (``can_count``)."""
    body: dict[str, Any] = {"exact": collection.can_count}
    if key is not None:
        body["shard_key"] = key
    if condition is not None:
        body["filter"] = condition
    return int(rest.ask("POST", collection_path(collection.name, "points", "count"), ctx, body)["count"])


def first_id(
    rest: Rest,
    collection: Collection,
    ctx: ReadContext,
    key: ShardKey | None = None,
    offset: int | str | None = None,
) -> int | str | None:
    """Return the first id, or the first one from ``offset`` on; numbers come before UUIDs."""
    body: dict[str, Any] = {"limit": 1, "with_payload": False, "with_vector": False}
    if key is not None:
        body["shard_key"] = key
    if offset is not None:
        body["offset"] = offset
    points = rest.ask("POST", collection_path(collection.name, "points", "scroll"), ctx, body)["points"]
    return points[0]["id"] if points else None


def has_only_int64_ids(rest: Rest, collection: Collection, ctx: ReadContext) -> bool:
    """True if every id is a number that fits INT64: none is in the order from 2^63 on."""
    return first_id(rest, collection, ctx, offset=FIRST_BEYOND_INT64) is None


def measured(rest: Rest, collection: Collection, wanted: MeasureRequest, ctx: ReadContext) -> Measures:
    """Answer what the filters can count: which points lack vectors. All other fields have a value.
    Needs Qdrant 1.13, and exact counts."""
    rows = count_points(rest, collection, ctx) if wanted.absent_of or wanted.dims_of else None
    known: dict[frozenset[str], int | None] = {frozenset(): 0}

    def absent(names: Sequence[str]) -> int | None:
        vectors = [vector for vector in collection.vectors if vector.field in names]
        group = frozenset(vector.field for vector in vectors)
        if group not in known:
            known[group] = _count_lacking(rest, collection, vectors, ctx)
        return known[group]

    dims: dict[str, dict[int, int]] = {}
    for name in wanted.dims_of:
        vector, lack = collection.vector(name), absent([name])
        if (
            vector is not None
            and vector.dim
            and not vector.is_multi
            and lack is not None
            and rows is not None
        ):
            dims[name] = {vector.dim: rows - lack}
    return Measures(
        dims=dims,
        nulls={name: lack for name in wanted.nulls_of if (lack := absent([name])) is not None},
        absent={group: lack for group in wanted.absent_of if (lack := absent(group)) is not None},
        rows=rows if wanted.absent_of else None,
    )


def _count_lacking(
    rest: Rest, collection: Collection, vectors: Sequence[Vector], ctx: ReadContext
) -> int | None:
    """Return how many points lack one of the vectors, or None if strict mode refuses so many conditions."""
    condition = {"should": [{"must_not": [{"has_vector": vector.name}]} for vector in vectors]}
    try:
        return count_points(rest, collection, ctx, condition=condition)
    except SourceError as error:
        if error.code != STRICT_MODE:
            raise
        return None
