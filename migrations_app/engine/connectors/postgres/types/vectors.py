"""pgvector's types, from its binary form."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from migrations_app.engine.connectors.postgres.types.arriving import (
    Converted,
    offsets_of,
    storage_of,
    words_of,
)
from migrations_app.engine.connectors.postgres.types.reading import Family, Reading
from migrations_app.engine.schema import MilvusType, TypeSpec

_HEADER_BYTES = 4
_WIRE_FLOAT = np.dtype(">f4")


def vector(array: pa.Array, spec: TypeSpec) -> Converted:
    """pgvector's binary form (``vector_send``: int16 dimension, int16 zero, big-endian float32 each) as
    ``fixed_size_list<float32>[dim]``, or as ``list<float32>`` where ``spec.dim`` is None.

    A vector of another dimension than ``spec.dim`` is a misfit.
    """
    wire = storage_of(array)
    return Converted(_any_dim(wire)) if spec.dim is None else _one_dim(wire, spec.dim)


def _one_dim(wire: pa.Array, dim: int) -> Converted:
    lengths = np.diff(offsets_of(wire))
    fits = lengths == _HEADER_BYTES + 4 * dim
    if fits.all():
        return Converted(pa.FixedSizeListArray.from_arrays(_floats(wire, dim).ravel(), dim))
    values = np.zeros((len(wire), dim), np.float32)
    values[fits] = _floats(wire.filter(pa.array(fits)), dim)
    is_null = np.asarray(wire.is_null())
    column = pa.FixedSizeListArray.from_arrays(values.ravel(), dim, mask=pa.array(~fits))
    return Converted(column, ~fits & ~is_null)


def _floats(wire: pa.Array, dim: int) -> npt.NDArray[np.float32]:
    """The numbers of vectors that all have ``dim`` of them, in this machine's byte order."""
    words = words_of(wire).reshape(len(wire), dim + 1)
    return words[:, 1:].view(_WIRE_FLOAT).astype(np.float32)


def _any_dim(wire: pa.Array) -> pa.Array:
    offsets = offsets_of(wire)
    lengths = np.diff(offsets)
    is_number = np.ones(len(words_of(wire)), bool)
    is_number[(offsets[:-1][lengths > 0] - offsets[0]) // 4] = False
    numbers = words_of(wire)[is_number].view(_WIRE_FLOAT).astype(np.float32)
    counts = np.maximum(lengths - _HEADER_BYTES, 0) // 4
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(numbers), mask=wire.is_null())


VECTORS: dict[str, Family] = {"vector": Family((Reading(MilvusType.FLOAT_VECTOR, convert=vector),))}

# By operator class of the index; L1 has no counterpart in Milvus.
METRICS: dict[str, str] = {
    "vector_cosine_ops": "COSINE",
    "vector_l2_ops": "L2",
    "vector_ip_ops": "IP",
}
