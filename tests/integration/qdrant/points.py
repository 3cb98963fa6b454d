"""Points for the tests: mixed ids, absent vectors, payloads that are hard to carry."""

from typing import Any

from qdrant_client import models

from migrations_app.engine.model.batch import CollectionRef, ReadColumn, ReadPlan
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.qdrant import QdrantSource
from tests.emulators.qdrant import QdrantEmulator
from tests.kit.source_case import read_fields

ROWS = 240
TEXTS = ["", "naïve", "日本語", "🦊 fox", "a\x01\n\t\"'\\", None]
LARGE = 2**53 + 1


def uuid(number: int) -> str:
    return f"3f2504e0-4f89-41d3-9a0c-{number:012d}"


def point_id(number: int) -> int | str:
    return number if number % 3 else uuid(number)


def fill(server: QdrantEmulator) -> None:
    dense = models.VectorParams(size=4, distance=models.Distance.DOT)
    with server.client() as client:
        for name in ("full", "empty"):
            client.create_collection(
                name, vectors_config={"a": dense}, sparse_vectors_config={"s": models.SparseVectorParams()}
            )
        points = []
        for n in range(ROWS):
            vector: dict[str, Any] = {"a": [n, 0.5, -1, 0.25]} if n % 7 else {}
            vector["s"] = models.SparseVector(indices=[2**32 - 2, n], values=[0.5, 1])
            payload = {"text": TEXTS[n % len(TEXTS)], "n": LARGE + n, "whole": 1.0, "in": {"é.$": [n]}}
            points.append(models.PointStruct(id=point_id(n), vector=vector, payload=payload))
        client.upsert("full", points)


def opened(server: QdrantEmulator, **given: Any) -> QdrantSource:
    settings = {"url": server.url, "grpc_port": server.grpc_port, "api_key": server.api_key, **given}
    return QdrantSource(QdrantSource.Settings.model_validate(settings))


def plan_of(source: QdrantSource, ref: CollectionRef, batch_bytes: int = 4096) -> ReadPlan:
    """All fields, as their first choices."""
    schema = source.describe(ref, 10, ReadContext())
    columns = tuple(ReadColumn(f.name, f.choices[0].spec) for f in read_fields(schema))
    return ReadPlan(columns, schema.key.columns if schema.key else (), batch_bytes)
