"""Wanted columns: what a read asks the server for, and where each column comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from migrations_app.engine.errors import SourceChanged
from migrations_app.engine.model.batch import ReadColumn, ReadPlan
from migrations_app.engine.model.joined_key_text import joined
from migrations_app.engine.sources.json_rows import MISSING, JsonColumn, JsonRows, rows_of_documents
from migrations_app.engine.sources.qdrant.collection import UNNAMED, Collection, ShardKey, Vector

# A typical payload has about this size.
_PAYLOAD_BYTES = 512
_POINT_BYTES = 64
_SPARSE_BYTES = 1024


@dataclass(frozen=True)
class Wanted:
    """The columns of a plan, for the points of one collection and shard key. Raises ``SourceChanged`` for a
    column that does not exist."""

    collection: Collection
    plan: ReadPlan
    shard_key: ShardKey | None = None

    def __post_init__(self) -> None:
        for column in self.plan.columns:
            own = (self.collection.id_field, self.collection.payload_field)
            is_known = column.path in own or self.is_shard_key(column) or self.vector(column)
            if not is_known:
                raise SourceChanged(
                    f"The collection “{self.collection.name}” has no vector “{column.path}”.",
                    "Map the collection again.",
                )

    def vector(self, column: ReadColumn) -> Vector | None:
        return self.collection.vector(column.path)

    def is_id(self, column: ReadColumn) -> bool:
        return column.path == self.collection.id_field

    def is_payload(self, column: ReadColumn) -> bool:
        return column.path == self.collection.payload_field

    def is_shard_key(self, column: ReadColumn) -> bool:
        return self.collection.has_shard_keys and column.path == self.collection.shard_key_field

    @cached_property
    def payload(self) -> bool:
        return any(map(self.is_payload, self.plan.columns))

    @cached_property
    def vectors(self) -> bool | list[str]:
        """The vectors to ask for: none, all, or some by name."""
        names = [vector.name for column in self.plan.columns if (vector := self.vector(column))]
        return True if UNNAMED in names else names or False

    @cached_property
    def row_bytes(self) -> int:
        """A guess of the size of one point."""
        vectors = [self.vector(column) for column in self.plan.columns]
        dense = sum(4 * (v.dim or 0) or _SPARSE_BYTES for v in vectors if v is not None)
        return _POINT_BYTES + dense + (_PAYLOAD_BYTES if self.payload else 0)

    def locators(self, ids: pa.Array) -> pa.Array:
        """Return the names of rows in reports: the keys. ``ids`` are the ids as texts."""
        if self.collection.shard_key_field not in self.plan.key or not self.collection.has_shard_keys:
            return ids
        keys = pa.repeat(pa.scalar(str(self.shard_key), pa.string()), len(ids))
        return joined([keys, ids])

    def rows(self, documents: Sequence[Mapping[str, Any]]) -> JsonRows:
        """Convert documents with “id”, “payload” and “vectors” by name. Values that do not fit their column
        make rejected rows."""
        ids = pa.array([str(document["id"]) for document in documents], pa.string())
        columns = tuple(JsonColumn(column, self._place(column)) for column in self.plan.columns)
        return rows_of_documents(columns, documents, self.locators(ids).to_pylist())

    def _place(self, column: ReadColumn) -> Any:
        if self.is_id(column):
            return lambda document: document["id"]
        if self.is_shard_key(column):
            return lambda document: str(self.shard_key)
        vector = self.vector(column)
        if vector is None:
            return lambda document: document["payload"]
        return lambda document: document["vectors"].get(vector.name, MISSING)
