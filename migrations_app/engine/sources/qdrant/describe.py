"""Describe: the fields of a collection, their types, and what to know before a migration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from migrations_app.engine.model.batch import ReadColumn, ReadPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, SourceKey, TypeChoice
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.qdrant import rest_points
from migrations_app.engine.sources.qdrant.collection import Collection, ShardKey, Vector
from migrations_app.engine.sources.qdrant.connect.rest import (
    RANDOM_SAMPLE,
    SLICE_FILTER,
    Rest,
    collection_path,
)
from migrations_app.engine.sources.qdrant.questions import has_only_int64_ids
from migrations_app.engine.sources.qdrant.scroll import page_limit
from migrations_app.engine.sources.qdrant.server import Server
from migrations_app.engine.sources.qdrant.slices import FIRST_UUID
from migrations_app.engine.sources.qdrant.wanted import Wanted

T = MilvusType
VARCHAR, INT64, JSON = TypeSpec(T.VARCHAR), TypeSpec(T.INT64), TypeSpec(T.JSON)
METRICS = {"Cosine": "COSINE", "Dot": "IP", "Euclid": "L2"}
# The types of payload indexes. The values of a geo index are objects, which are JSON anyway.
INDEX_TYPES = {
    "integer": T.INT64,
    "float": T.DOUBLE,
    "bool": T.BOOL,
    "keyword": T.VARCHAR,
    "text": T.VARCHAR,
    "datetime": T.VARCHAR,
    "uuid": T.VARCHAR,
}
# A part of the path of a payload key, between dots or in quotes.
_KEY_PART = re.compile(r'"([^"]*)"|([^."]+)')
_LARGE_INTEGER = 2**63


def describe(
    server: Server, collection: Collection, keys: Sequence[ShardKey], sample: int, ctx: ReadContext
) -> CollectionSchema:
    rest = server.rest
    fields = tuple(_fields(collection, has_only_int64_ids(rest, collection, ctx)))
    points = list(_sampled(rest, collection, sample, ctx))
    columns = tuple(ReadColumn(f.name, f.choices[0].spec) for f in fields if f.choices)
    rows = Wanted(collection, ReadPlan(columns)).rows(points).rows
    shard_key, own_id = collection.shard_key_field, collection.id_field
    is_divided = len(keys) > 1
    return CollectionSchema(
        collection.name,
        fields,
        SourceKey((shard_key, own_id), is_joined=True) if is_divided else SourceKey((own_id,)),
        rows,
        rows_estimate=collection.points_count,
        facts=tuple(_facts(server, collection, points, keys, ctx)),
        notes=tuple(_notes(server, collection, ctx)),
        partitions=tuple(dict.fromkeys(map(str, keys))),
    )


# ---------------------------------------------------------------- fields


def _fields(collection: Collection, has_int64_ids: bool) -> Iterator[SourceField]:
    if collection.has_shard_keys:
        yield SourceField(
            collection.shard_key_field, "shard key", (TypeChoice(VARCHAR),), nullable=False, is_synthetic=True
        )
    choices = [TypeChoice(VARCHAR)]
    if has_int64_ids:
        choices.append(TypeChoice(INT64, "Every id is a number that fits."))
    yield SourceField(
        collection.id_field, "point id", tuple(choices), nullable=False, can_be_key=True, is_synthetic=True
    )
    for vector in collection.vectors:
        yield _vector_field(vector)
    yield SourceField(
        collection.payload_field,
        "object",
        (TypeChoice(JSON),),
        nullable=False,
        can_open=True,
        is_rest=True,
        is_synthetic=True,
        description=_indexed(collection),
        key_types=tuple(_key_types(collection)),
    )


def _vector_field(vector: Vector) -> SourceField:
    if vector.is_multi:
        return SourceField(
            vector.field,
            vector.kind,
            (TypeChoice(JSON, "A list of vectors. As JSON they cannot be searched.", is_proposed=False),),
            left_out="Milvus has no multivectors. They can be kept as JSON.",
            is_synthetic=not vector.name,
        )
    if vector.is_sparse:
        return SourceField(
            vector.field,
            vector.kind,
            (TypeChoice(TypeSpec(T.SPARSE_FLOAT_VECTOR)),),
            metric="IP",
            description="Its search multiplies the weights by IDF." if vector.has_idf else "",
            is_synthetic=not vector.name,
        )
    choices = [TypeChoice(TypeSpec(T.FLOAT_VECTOR, dim=vector.dim))]
    if vector.datatype == "float16":
        choices.append(TypeChoice(TypeSpec(T.FLOAT16_VECTOR, dim=vector.dim), "Half the size."))
    return SourceField(
        vector.field,
        vector.kind,
        tuple(choices),
        metric=METRICS.get(vector.distance, vector.distance),
        is_synthetic=not vector.name,
    )


def _key_types(collection: Collection) -> Iterator[tuple[tuple[str, ...], MilvusType]]:
    """Yield the types of the keys with an index. A path into the items of a list is not a key."""
    for path, kind in collection.indexes.items():
        parts = tuple(quoted or plain for quoted, plain in _KEY_PART.findall(path))
        if kind in INDEX_TYPES and parts and "[" not in "".join(parts):
            yield parts, INDEX_TYPES[kind]


def _indexed(collection: Collection) -> str:
    shown = [f"{key} ({kind})" for key, kind in collection.indexes.items()]
    return f"Keys with an index: {', '.join(shown)}." if shown else ""


# ---------------------------------------------------------------- sample


def _sampled(rest: Rest, collection: Collection, wanted: int, ctx: ReadContext) -> list[dict[str, Any]]:
    """Return points from all over the collection, each once.

    The order of the ids would give only numbers while there are some. The slice filter and a random sample
    do not depend on it.
    """
    limit = page_limit(collection, wanted)
    whole = {"limit": limit, "with_payload": True, "with_vector": True}
    scroll = collection_path(collection.name, "points", "scroll")
    found: dict[int | str, dict[str, Any]] = {}

    def add(path: str, **more: Any) -> None:
        answer = rest.answer("POST", path, ctx, {**whole, **more})
        page = rest_points.page_of(answer, collection.vectors)
        found.update((point["id"], point) for point in page.points)

    if rest.has(SLICE_FILTER, ctx):
        total = max(1, (collection.points_count or 0) // max(1, wanted))
        for index in range(min(total, 3)):
            if len(found) < wanted:
                add(scroll, filter=rest_points.slice_filter(total, index))
    elif rest.has(RANDOM_SAMPLE, ctx):
        add(collection_path(collection.name, "points", "query"), query={"sample": "random"})
    else:
        add(scroll, offset=FIRST_UUID, limit=max(1, limit // 2))
    if len(found) < wanted:
        add(scroll)
    return list(found.values())[:wanted]


# ---------------------------------------------------------------- facts and notes


def _facts(
    server: Server,
    collection: Collection,
    points: Sequence[dict[str, Any]],
    keys: Sequence[ShardKey],
    ctx: ReadContext,
) -> Iterator[str]:
    if any(_has_large_integer(point["payload"]) for point in points) and server.uses_grpc(ctx):
        yield (
            "Points are read by REST, because the payload has integers of 2^63 or more, which gRPC would "
            "round."
        )
    elif not server.lacks_grpc(ctx):
        yield server.protocol_note(ctx)
    dense = _dense(collection)
    # Qdrant does not normalize vectors of whole numbers.
    cosine = (vector for vector in dense if vector.distance == "Cosine" and vector.datatype != "uint8")
    if names := _names(cosine):
        yield f"Qdrant normalizes vectors for cosine distance: those of {names} arrive with the length 1."
    if names := _names(vector for vector in dense if vector.datatype in ("uint8", "float16")):
        yield f"Qdrant sends the numbers of {names} as floats."
    if len(keys) > 1:
        yield (
            "The points are divided by shard keys, and equal ids may occur in several of them: the proposed "
            "key joins both."
        )


def _notes(server: Server, collection: Collection, ctx: ReadContext) -> Iterator[str]:
    if server.lacks_grpc(ctx):
        yield server.protocol_note(ctx)
    dense = _dense(collection)
    if names := _names(vector for vector in dense if vector.distance == "Manhattan"):
        yield f"Milvus has no Manhattan distance: no index is proposed for {names}."
    if names := _names(vector for vector in dense if vector.is_dequantized):
        yield f"Of {names}, Qdrant keeps only quantized values (TurboQuant): they arrive rounded."


def _dense(collection: Collection) -> list[Vector]:
    return [vector for vector in collection.vectors if not vector.is_sparse]


def _names(vectors: Iterable[Vector]) -> str:
    return ", ".join(f"“{vector.field}”" for vector in vectors)


def _has_large_integer(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_large_integer, value.values()))
    if isinstance(value, list):
        return any(map(_has_large_integer, value))
    return type(value) is int and value >= _LARGE_INTEGER
