"""Points by gRPC: requests for a page, and the columns of its answer."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from migrations_app.engine import protobuf as pb
from migrations_app.engine.model.batch import ReadColumn
from migrations_app.engine.model.limits import MAX_INT64
from migrations_app.engine.model.types import SPARSE, MilvusType, TypeSpec, arrow_type
from migrations_app.engine.sources.json_rows import JsonRows
from migrations_app.engine.sources.qdrant.collection import Vector
from migrations_app.engine.sources.qdrant.connect.grpc_calls import (
    point_id,
    selected,
    shard_selector,
    slice_filter,
)
from migrations_app.engine.sources.qdrant.wanted import Wanted
from migrations_app.engine.sources.qdrant.wire.fields import Array, Malformed
from migrations_app.engine.sources.qdrant.wire.page import Page
from migrations_app.engine.sources.qdrant.wire.texts import numbers

T = MilvusType


def scroll_request(
    wanted: Wanted, limit: int, offset: int | str | None, part: tuple[int, int] | None
) -> bytes:
    """Encode a ``ScrollPoints``. ``part`` is the number of slices and which of them is read."""
    return b"".join(
        [
            *pb.text(1, wanted.collection.name),
            *([] if part is None else pb.message(2, slice_filter(*part))),
            *([] if offset is None else pb.message(3, point_id(offset))),
            *pb.integer(4, limit),
            *selected(wanted.payload, wanted.vectors, (6, 7)),
            *shard_selector(9, wanted.shard_key),
        ]
    )


def get_request(wanted: Wanted, ids: list[int | str]) -> bytes:
    """Encode a ``GetPoints``."""
    return b"".join(
        [
            *pb.text(1, wanted.collection.name),
            *(chunk for each in ids for chunk in pb.message(2, point_id(each))),
            *selected(wanted.payload, wanted.vectors, (4, 5)),
            *shard_selector(7, wanted.shard_key),
        ]
    )


def rows_of(page: Page, wanted: Wanted) -> JsonRows:
    """Return the rows of a page; those whose values do not fit are rejected."""
    try:
        found = _columns(page, wanted)
    except Malformed:
        found = None
    if found is None:
        return wanted.rows([page.document(row) for row in range(len(page))])
    rows = pa.RecordBatch.from_arrays(found, schema=wanted.plan.schema)
    return JsonRows(rows, wanted.locators(_id_texts(page)))


def _columns(page: Page, wanted: Wanted) -> list[pa.Array] | None:
    """Return the columns, or None if a value may not fit."""
    columns = []
    for column in wanted.plan.columns:
        found = _column(page, wanted, column)
        if found is None:
            return None
        columns.append(found)
    return columns


def _column(page: Page, wanted: Wanted, column: ReadColumn) -> pa.Array | None:
    spec = column.spec
    if (vector := wanted.vector(column)) is not None:
        return _vector(page, vector, spec)
    if wanted.is_id(column):
        return _ids(page, spec)
    if wanted.is_payload(column):
        return _payloads(page) if spec.type is T.JSON else None
    if spec.type is not T.VARCHAR:
        return None
    return pa.repeat(pa.scalar(str(wanted.shard_key), pa.string()), len(page))


def _payloads(page: Page) -> pa.Array | None:
    found = page.payloads
    return None if len(found.odd) else found.texts.cast(pa.string())


def _ids(page: Page, spec: TypeSpec) -> pa.Array | None:
    if spec.type is T.VARCHAR:
        return _id_texts(page)
    is_number, values, _ = page.ids
    if spec.type is not T.INT64 or not is_number.all() or (values > MAX_INT64).any():
        return None
    return pa.array(values.astype(np.int64))


def _id_texts(page: Page) -> pa.Array:
    is_number, values, uuids = page.ids
    texts = numbers(values)
    if not is_number.all():
        order = np.empty(len(page), np.int64)
        order[is_number] = np.arange(len(texts))
        order[~is_number] = len(texts) + np.arange(len(uuids))
        texts = pa.concat_arrays([texts, uuids]).take(pa.array(order))
    return texts.cast(pa.string())


# ---------------------------------------------------------------- vectors


def _vector(page: Page, vector: Vector, spec: TypeSpec) -> pa.Array | None:
    if spec.type is T.SPARSE_FLOAT_VECTOR:
        return _sparse(page, vector)
    if vector.is_multi or vector.is_sparse or spec.type not in (T.FLOAT_VECTOR, T.FLOAT16_VECTOR):
        return None
    found = page.dense(vector.name)
    if spec.dim is None:
        return _floats_of_any_size(page, found.rows, found.floats, found.sizes)
    if (found.sizes != spec.dim).any() or not np.isfinite(found.floats).all():
        return None
    matrix = found.floats.reshape(len(found.rows), spec.dim)
    if len(found.rows) < len(page):
        present = matrix
        matrix = np.zeros((len(page), spec.dim), np.float32)
        matrix[found.rows] = present
    is_null = _is_null(page, found.rows)
    if spec.type is T.FLOAT_VECTOR:
        return pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), spec.dim, mask=is_null)
    with np.errstate(over="ignore"):
        halves = matrix.astype("<f2")
    if not np.isfinite(halves).all():
        return None
    bitmap = None if is_null is None else pa.array(~np.asarray(is_null)).buffers()[1]
    data = pa.py_buffer(np.ascontiguousarray(halves))
    return pa.FixedSizeBinaryArray.from_buffers(arrow_type(spec), len(page), [bitmap, data])


def _floats_of_any_size(page: Page, rows: Array, floats: Array, sizes: Array) -> pa.Array:
    offsets = pa.array(_offsets(len(page), rows, sizes))
    return pa.ListArray.from_arrays(offsets, pa.array(floats), mask=_is_null(page, rows))


def _sparse(page: Page, vector: Vector) -> pa.Array | None:
    found = page.sparse(vector.name)
    owner = np.repeat(np.arange(len(found.rows)), found.sizes)
    indices, values = found.indices, found.values
    if (indices >= 2**32).any() or not np.isfinite(values).all():
        return None
    if ((owner[1:] == owner[:-1]) & (indices[1:] <= indices[:-1])).any():
        order = np.lexsort((indices, owner))
        indices, values = indices[order], values[order]
        if ((owner[1:] == owner[:-1]) & (indices[1:] == indices[:-1])).any():
            return None
    entries = pa.StructArray.from_arrays(
        [pa.array(indices.astype(np.uint32)), pa.array(values)], fields=list(SPARSE.value_type.fields)
    )
    offsets = pa.array(_offsets(len(page), found.rows, found.sizes))
    return pa.ListArray.from_arrays(offsets, entries, type=SPARSE, mask=_is_null(page, found.rows))


def _offsets(count: int, rows: Array, sizes: Array) -> Array:
    lengths = np.zeros(count + 1, np.int32)
    lengths[rows + 1] = sizes
    return np.cumsum(lengths, dtype=np.int32)


def _is_null(page: Page, rows: Array) -> pa.Array | None:
    """Return the mask of the points that lack a vector, or None if all have it."""
    if len(rows) == len(page):
        return None
    is_null = np.ones(len(page), bool)
    is_null[rows] = False
    return pa.array(is_null)
