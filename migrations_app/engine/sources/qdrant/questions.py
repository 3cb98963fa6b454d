"""Questions about all points: how many there are, how many lack a vector, which id comes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import MeasureRequest, Measures
from migrations_app.engine.sources.qdrant.collection import Collection, ShardKey, Vector
from migrations_app.engine.sources.qdrant.connect.rest import Rest, collection_path

FIRST_BEYOND_INT64 = 2**63


def count_points(
    rest: Rest,
    collection: Collection,
    ctx: ReadContext,
    key: ShardKey | None = None,
    condition: dict[str, Any] | None = None,
) -> int:
    """Return the exact number of points."""
    body: dict[str, Any] = {"exact": True}
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


def lacking(vectors: Sequence[Vector]) -> dict[str, Any]:
    """Return the filter for the points that lack at least one of the vectors."""
    return {"should": [{"must_not": [{"has_vector": vector.name}]} for vector in vectors]}


def measured(rest: Rest, collection: Collection, wanted: MeasureRequest, ctx: ReadContext) -> Measures:
    """Answer what the filters can count: which points lack vectors. All other fields have a value.
    Needs Qdrant 1.13."""
    known: dict[frozenset[str], int] = {}
    rows: int | None = None
    if wanted.absent_of or wanted.dims_of:
        rows = count_points(rest, collection, ctx)

    def absent(names: Sequence[str]) -> int:
        vectors = [vector for vector in collection.vectors if vector.field in names]
        group = frozenset(vector.field for vector in vectors)
        if group not in known:
            known[group] = count_points(rest, collection, ctx, condition=lacking(vectors)) if group else 0
        return known[group]

    dims = {}
    for name in wanted.dims_of:
        vector = collection.vector(name)
        if vector is not None and vector.dim is not None and rows is not None and not vector.is_multi:
            dims[name] = {vector.dim: rows - absent([name])}
    return Measures(
        dims=dims,
        nulls={name: absent([name]) for name in wanted.nulls_of},
        absent={group: absent(group) for group in wanted.absent_of},
        rows=rows if wanted.absent_of else None,
    )
