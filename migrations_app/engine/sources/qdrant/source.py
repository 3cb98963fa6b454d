"""Qdrant source: the ``Source`` class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pyarrow as pa

from migrations_app.engine.endpoint import ServerInfo, SettingsModel
from migrations_app.engine.model.batch import Batch, CollectionRef, Cursor, ReadPlan, Slice
from migrations_app.engine.model.joined_key_text import split_joined
from migrations_app.engine.model.names import NamingRule
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import (
    CollectionInfo,
    Count,
    Measure,
    MeasureRequest,
    Measures,
    Source,
)
from migrations_app.engine.sources.qdrant.collection import (
    Collection,
    ShardKey,
    load_collection,
    load_shard_keys,
)
from migrations_app.engine.sources.qdrant.connect.rest import HAS_VECTOR
from migrations_app.engine.sources.qdrant.connect.settings import QdrantSettings
from migrations_app.engine.sources.qdrant.describe import describe
from migrations_app.engine.sources.qdrant.listing import list_collections
from migrations_app.engine.sources.qdrant.questions import count_points, first_id, measured
from migrations_app.engine.sources.qdrant.scroll import PointId, Points, Scroll
from migrations_app.engine.sources.qdrant.server import Server
from migrations_app.engine.sources.qdrant.slices import bounds_of, slices_of
from migrations_app.engine.sources.qdrant.wanted import Wanted


class QdrantSource(Source):
    """The collections of one Qdrant server or cluster. Never writes."""

    kind: ClassVar[str] = "qdrant"
    title: ClassVar[str] = "Qdrant"
    Settings: ClassVar[type[SettingsModel]] = QdrantSettings
    address_field: str = "url"
    naming_rule: ClassVar[NamingRule] = NamingRule(fields="legal")
    reads_without_vectors: ClassVar[bool] = True
    can_fetch: ClassVar[bool] = True
    can_measure: frozenset[Measure] = frozenset(("dims", "nulls", "absent"))
    before_you_start: ClassVar[tuple[str, ...]] = (
        "Qdrant 1.7 or later, or Qdrant Cloud.",
        "The machine that Vectorferry runs on can reach its REST port (6333), and better its gRPC port "
        "(6334) too, by which points are read about twice as fast.",
        "An API key or token that may read the collections. Nothing is written.",
    )

    settings: QdrantSettings

    def __init__(self, settings: SettingsModel) -> None:
        super().__init__(settings)
        self._server = Server(self.settings, self.resolve)
        self._rest = self._server.rest

    def close(self) -> None:
        self._server.close()

    def hosts(self) -> tuple[str, ...]:
        return (self.settings.host,)

    def address(self) -> str:
        return self.settings.url

    def check(self, ctx: ReadContext) -> ServerInfo:
        return self._server.check(ctx)

    def collections(self, ctx: ReadContext) -> Iterator[CollectionInfo]:
        return list_collections(self._rest, ctx)

    def describe(self, ref: CollectionRef, sample: int, ctx: ReadContext) -> CollectionSchema:
        collection, keys = self._collection(ref, ctx)
        return describe(self._server, collection, keys, sample, ctx)

    def count(self, ref: CollectionRef, ctx: ReadContext) -> Count:
        collection, keys = self._collection(ref, ctx)
        if not keys:
            return Count(count_points(self._rest, collection, ctx), is_exact=collection.can_count)
        by_partition: dict[str, int] = {}
        for key in keys:
            rows = count_points(self._rest, collection, ctx, key)
            by_partition[str(key)] = by_partition.get(str(key), 0) + rows
        return Count(sum(by_partition.values()), is_exact=collection.can_count, by_partition=by_partition)

    def has_rows(self, ref: CollectionRef, ctx: ReadContext) -> bool:
        collection = load_collection(self._rest, ref.name, ctx)
        return first_id(self._rest, collection, ctx) is not None

    def measure(self, ref: CollectionRef, wanted: MeasureRequest, ctx: ReadContext) -> Measures:
        collection = load_collection(self._rest, ref.name, ctx)
        is_able = self._rest.has(HAS_VECTOR, ctx) and collection.can_count
        self.can_measure = type(self).can_measure if is_able else frozenset()
        return measured(self._rest, collection, wanted, ctx) if is_able else Measures()

    def slices(self, ref: CollectionRef, wanted: int, ctx: ReadContext) -> Iterator[Slice]:
        ctx.stop.check()
        collection, keys = self._collection(ref, ctx)
        yield from slices_of(self._rest, collection, keys, wanted, ctx)

    def read(
        self, ref: CollectionRef, part: Slice, after: Cursor | None, plan: ReadPlan, ctx: ReadContext
    ) -> Iterator[Batch]:
        """Yield the points in the order of their ids. A cursor is a list of the next id, empty at the end."""
        key, bounds = bounds_of(part)
        wanted = Wanted(load_collection(self._rest, ref.name, ctx), plan, key)
        if after == []:
            return
        scroll = Scroll(self._server, wanted, ctx)
        for page in scroll.pages(bounds, after[0] if after else None, plan.limit):
            for points in _cut(page, wanted):
                ctx.stop.check()
                cursor = [] if points.next_id is None else [points.next_id]
                yield Batch(points.rows.rows, cursor, points.rows.locators, points.rows.rejected)
                ctx.stop.check()

    def fetch(self, ref: CollectionRef, keys: pa.Array, plan: ReadPlan, ctx: ReadContext) -> pa.RecordBatch:
        collection, shard_keys = self._collection(ref, ctx)
        by_key: dict[ShardKey | None, list[PointId]] = {}
        texts = keys.cast(pa.string()).to_pylist()
        is_joined = len(plan.key) > 1
        for text in texts:
            name, own = split_joined(text, 2) if is_joined else (None, text)
            for key in shard_keys or (None,):
                if name is None or name == str(key):
                    by_key.setdefault(key, []).extend(_ids(own))
        batches = [
            points.rows.rows
            for key, ids in by_key.items()
            for points in Scroll(self._server, Wanted(collection, plan, key), ctx).of_ids(ids)
        ]
        if batches:
            return pa.concat_batches(batches)
        return pa.RecordBatch.from_pylist([], plan.schema)

    def _collection(self, ref: CollectionRef, ctx: ReadContext) -> tuple[Collection, tuple[ShardKey, ...]]:
        collection = load_collection(self._rest, ref.name, ctx)
        keys = load_shard_keys(self._rest, ref.name, ctx) if collection.has_shard_keys else ()
        return collection, keys


def _cut(page: Points, wanted: Wanted) -> Iterator[Points]:
    """Yield the points of a page in batches of about the size that the plan asks for."""
    parts = max(1, round(page.rows.rows.nbytes / wanted.plan.batch_bytes))
    step = -(-len(page.ids) // parts)
    for start in range(0, len(page.ids), step):
        yield page.between(start, min(start + step, len(page.ids)), wanted)


def _ids(text: str) -> list[PointId]:
    """Return the id that a key is, or none if it cannot be one."""
    if text.isascii() and text.isdigit() and (text == "0" or text[0] != "0"):
        return [int(text)] if int(text) < 2**64 else []
    return [text] if len(text) == 36 else []
