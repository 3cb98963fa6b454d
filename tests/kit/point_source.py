"""Point source: points with a nameless id and vector, and a payload whose keys are not declared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import orjson
import pyarrow as pa

from migrations_app.engine.model.names import NamingRule
from migrations_app.engine.model.source_schema import SourceField, SourceKey, TypeChoice
from migrations_app.engine.model.types import MilvusType, TypeSpec
from tests.kit.memory_source import JsonSource, MemoryCollection

T = MilvusType
DENSE = TypeSpec(T.FLOAT_VECTOR, dim=3)
JSON = TypeSpec(T.JSON)


class PointSource(JsonSource):
    """A source that makes the names of its fields and collections legal."""

    naming_rule: ClassVar[NamingRule] = NamingRule("legal", "legal")


def points(
    rows: int, payload: Callable[[int], dict[str, Any]], tags: Callable[[int], Any]
) -> MemoryCollection:
    """Return points in the shards “a” and “b”, each with its own ids.

    ``payload`` and ``tags`` return the values of a row; ``tags`` is a sampled field of texts. The metric of
    one vector does not exist in Milvus, and ``tokens`` is offered only as JSON.
    """
    numbers = range(rows)
    vectors = pa.array([[float(n), 0.5, -1.0] for n in numbers], pa.list_(pa.float32(), 3))
    batch = pa.record_batch(
        {
            "shard_key": pa.array(["ab"[n % 2] for n in numbers]),
            "id": pa.array([n // 2 for n in numbers], pa.int64()),
            "vector": vectors,
            "fast-bge-small-en": vectors,
            "tokens": pa.array(["[[0.5, 1.5], [2.5, 3.5]]"] * rows),
            "tags": pa.array([orjson.dumps(tags(n)).decode() for n in numbers]),
            "payload": pa.array([orjson.dumps(payload(n)).decode() for n in numbers]),
        }
    )
    fields = (
        SourceField("shard_key", "shard key", (TypeChoice(TypeSpec(T.VARCHAR)),), nullable=False),
        SourceField(
            "id",
            "point id",
            (TypeChoice(TypeSpec(T.VARCHAR)), TypeChoice(TypeSpec(T.INT64))),
            nullable=False,
            can_be_key=True,
            is_synthetic=True,
        ),
        SourceField("vector", "dense", (TypeChoice(DENSE),), metric="COSINE", is_synthetic=True),
        SourceField("fast-bge-small-en", "dense", (TypeChoice(DENSE),), metric="Manhattan"),
        SourceField(
            "tokens",
            "multivector",
            (
                TypeChoice(
                    JSON, "Milvus has no multivectors: as JSON they cannot be searched.", is_proposed=False
                ),
            ),
        ),
        SourceField(
            "tags",
            "text",
            (TypeChoice(TypeSpec(T.VARCHAR)), TypeChoice(JSON)),
            is_sampled=True,
        ),
        SourceField("payload", "payload", (TypeChoice(JSON),), can_open=True, is_rest=True),
    )
    key = SourceKey(("shard_key", "id"), is_joined=True)
    return MemoryCollection(batch, fields, key, mixed=frozenset({"tags"}))
