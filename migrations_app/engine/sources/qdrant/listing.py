"""Listing: the collections of a server, with their vectors."""

from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engine.errors import PrivilegeMissing, SourceChanged, SourceError
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import CollectionInfo, VectorInfo
from migrations_app.engine.sources.qdrant.collection import Collection, load_collection
from migrations_app.engine.sources.qdrant.connect.rest import Rest
from migrations_app.engine.sources.qdrant.questions import first_id


def list_collections(rest: Rest, ctx: ReadContext) -> Iterator[CollectionInfo]:
    listed = rest.ask("GET", "/collections", ctx)["collections"]
    for name in sorted(each["name"] for each in listed):
        ctx.stop.check()
        try:
            yield _info(rest, load_collection(rest, name, ctx), ctx)
        except SourceChanged:
            continue  # deleted meanwhile
        except (PrivilegeMissing, SourceError) as error:
            if error.retryable:
                raise
            yield CollectionInfo(name, name, not_selectable=error.message)


def _info(rest: Rest, collection: Collection, ctx: ReadContext) -> CollectionInfo:
    points = collection.points_count
    reason = _obstacle(collection)
    # The count is an estimate, and an empty collection is one without a first point.
    if not points and not reason:
        if first_id(rest, collection, ctx) is None:
            points, reason = 0, "It has no points."
        else:
            points = None
    return CollectionInfo(
        collection.name,
        collection.name,
        rows=points,
        vectors=tuple(VectorInfo(vector.field, vector.kind, vector.dim) for vector in collection.vectors),
        not_selectable=reason,
        note=_note(collection),
    )


def _obstacle(collection: Collection) -> str:
    if not collection.vectors:
        return "It has no vectors."
    if all(vector.is_multi for vector in collection.vectors):
        return "It has only multivectors, which Milvus does not have."
    return ""


def _note(collection: Collection) -> str:
    multi = [f"“{vector.field}”" for vector in collection.vectors if vector.is_multi]
    return f"Milvus has no multivectors: {', '.join(multi)} can be kept as JSON." if multi else ""
