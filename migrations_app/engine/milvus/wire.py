"""Wire format: encodes rows as Milvus's Insert and Upsert requests (``milvus.proto``).

It works column by column, directly from Arrow's buffers. Both messages have the same fields with the same
numbers. The result is byte for byte what pymilvus sends for the same rows. An ARRAY value always names its
element type, because Milvus 2.3.5 crashes without it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from migrations_app.engine import protobuf as pb
from migrations_app.engine.errors import RowsRefused
from migrations_app.engine.milvus.schema import NUMBERS
from migrations_app.engine.model.target_schema import META, TargetField, TargetSchema
from migrations_app.engine.model.types import TEXT_TYPES, MilvusType, TypeSpec

# The field number of each type in schema.proto's ScalarField and VectorField.
SCALAR_SLOTS = {
    MilvusType.BOOL: 1,
    MilvusType.INT8: 2,
    MilvusType.INT16: 2,
    MilvusType.INT32: 2,
    MilvusType.INT64: 3,
    MilvusType.FLOAT: 4,
    MilvusType.DOUBLE: 5,
    MilvusType.VARCHAR: 6,
    MilvusType.ARRAY: 8,
    MilvusType.JSON: 9,
}
VECTOR_SLOTS = {
    MilvusType.FLOAT_VECTOR: 2,
    MilvusType.BINARY_VECTOR: 3,
    MilvusType.FLOAT16_VECTOR: 4,
    MilvusType.BFLOAT16_VECTOR: 5,
    MilvusType.SPARSE_FLOAT_VECTOR: 6,
    MilvusType.INT8_VECTOR: 7,
}
META_FIELD = TargetField(META, TypeSpec(MilvusType.JSON))


def encode(
    rows: pa.RecordBatch,
    schema: TargetSchema,
    *,
    database: str = "",
    partition: str = "",
    timestamp: int = 0,
) -> bytes:
    """Encode ``rows`` (of ``schema.arrow_schema()``) as one serialized request, for one ``partition``.

    ``timestamp`` is the collection's ``update_timestamp``. Newer servers use it to detect a changed schema.
    Raises ``RowsRefused`` for a NULL in a field that does not take NULL.
    """
    chunks = [*pb.text(2, database), *pb.text(3, schema.name), *pb.text(4, partition)]
    for field in schema.sent_fields:
        chunks += pb.message(5, _field(field, rows.column(field.name)))
    if schema.dynamic:
        chunks += pb.message(5, _meta(rows.column(META)))
    chunks += [*pb.integer(7, rows.num_rows), *pb.integer(8, timestamp)]
    return b"".join(chunks)


def _field(field: TargetField, column: pa.Array) -> pb.Chunks:
    """Encode a FieldData: type number, name, the values that are not NULL, and a mask of their rows."""
    optional = field.nullable or field.default is not None
    if column.null_count and not optional:
        raise RowsRefused(f"The field “{field.name}” does not take NULL.", code="null_refused")
    values = column.drop_null() if column.null_count else column
    body = [*pb.integer(1, NUMBERS[field.spec.type]), *pb.text(2, field.name), *_values(field.spec, values)]
    if optional:
        valid = column.is_valid().to_numpy(zero_copy_only=False)
        body += pb.packed(7, pb.raw(valid))
    return body


def _meta(column: pa.Array) -> pb.Chunks:
    body = [*pb.integer(1, NUMBERS[MilvusType.JSON]), *pb.text(2, META)]
    body += _values(META_FIELD.spec, column.fill_null("{}"))
    return body + pb.integer(6, True)


def _values(spec: TypeSpec, values: pa.Array) -> pb.Chunks:
    """Encode field 3 (scalars) or 4 (vectors) of a FieldData. ``values`` contain no NULL."""
    if spec.type not in VECTOR_SLOTS:
        return pb.message(3, pb.message(SCALAR_SLOTS[spec.type], _scalars(spec, values)))
    dim = pb.integer(1, spec.dim or 0)
    slot = VECTOR_SLOTS[spec.type]
    if len(values) == 0:
        return pb.message(4, dim) if dim else []
    if spec.type is MilvusType.SPARSE_FLOAT_VECTOR:
        return pb.message(4, pb.message(slot, _repeated(_sparse(values))))
    data = _vectors(values)
    if spec.type is MilvusType.FLOAT_VECTOR:
        return pb.message(4, dim + pb.message(slot, pb.packed(1, data)))
    return pb.message(4, dim + pb.packed(slot, data))


def _vectors(values: pa.Array) -> memoryview:
    """Return the bytes of fixed-width vectors as they are in memory: little-endian, without gaps."""
    if pa.types.is_fixed_size_binary(values.type):
        width = values.type.byte_width
        start = values.offset * width
        return memoryview(values.buffers()[1])[start : start + len(values) * width]
    return pb.raw(values.flatten().to_numpy())


def _sparse(values: pa.Array) -> pa.Array:
    """Return each vector as pairs of index (uint32) and value (float32), little-endian."""
    flat, ends = _flat(values)
    index, value = flat.field(0).to_numpy(), flat.field(1).to_numpy()
    return pb.strings(pb.raw(np.stack([index, value.view(np.uint32)], axis=1)), ends * 8)


def _scalars(spec: TypeSpec, values: pa.Array) -> pb.Chunks:
    """Encode the body of a BoolArray, IntArray, ..., which all have their values in field 1."""
    if spec.type is MilvusType.ARRAY:
        return _repeated(_arrays(spec, values))
    if spec.type in TEXT_TYPES:
        return _repeated(values)
    return pb.packed(1, pb.raw(_numbers(spec.type, values)[0]))


def _repeated(values: pa.Array) -> pb.Chunks:
    return [pb.joined(pb.repeated(1, values))]


def _arrays(spec: TypeSpec, values: pa.Array) -> pa.Array:
    """Encode each list as a separate ScalarField."""
    assert spec.element_type is not None
    flat, ends = _flat(values)
    if spec.element_type in TEXT_TYPES:
        bodies = pb.grouped(pb.repeated(1, flat), ends)
    else:
        data, byte_offset = _numbers(spec.element_type, flat)
        bodies = pb.repeated(1, pb.strings(pb.raw(data), byte_offset(ends)), skip_empty=True)
    return pb.repeated(SCALAR_SLOTS[spec.element_type], bodies)


def _numbers(kind: MilvusType, values: pa.Array) -> tuple[pb.Array, Callable[[pb.Array], pb.Array]]:
    """Return numbers or booleans as the content of a packed list, and a function that returns the byte offset
    of the nth value."""
    data = values.to_numpy(zero_copy_only=False)
    if kind in (MilvusType.BOOL, MilvusType.FLOAT, MilvusType.DOUBLE):
        return data, lambda nth: nth * data.itemsize
    encoded, lengths = pb.varints(data)
    return encoded, lambda nth: pb.ends_of(lengths)[nth]


def _flat(values: pa.Array) -> tuple[pa.Array, pb.Array]:
    """Return all elements of a list array, and the n + 1 offsets of its lists in these elements."""
    ends = values.offsets.to_numpy()
    return values.flatten(), ends - ends[0] if len(ends) else ends
