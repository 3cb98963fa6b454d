"""Bit strings: binary vectors, or texts of zeros and ones.

``bit_send`` writes the number of bits as a big-endian int32, then the bits (PostgreSQL,
src/backend/utils/adt/varbit.c). The first bit is the highest bit of its byte, as in Milvus and in numpy's
``packbits``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.sources.postgresql.types.arrow_buffers import (
    HEADER_BYTES,
    Converted,
    bytes_of,
    fixed_size_binary,
    offsets_of,
    storage_of,
)
from migrations_app.engine.sources.postgresql.types.column import PostgresColumn
from migrations_app.engine.sources.postgresql.types.family import TEXT, Family, Reading


def bits(array: pa.Array, spec: TypeSpec) -> Converted:
    """Convert ``bit(n)`` to ``fixed_size_binary[n/8]``. A value does not fit if ``n`` is not ``spec.dim``."""
    assert spec.dim is not None
    wire = storage_of(array)
    width = spec.dim // 8
    dims = _dims(wire)
    fits = dims == spec.dim
    if fits.all():
        return Converted(fixed_size_binary(_payload(wire, width)))
    data = np.zeros((len(wire), width), np.uint8)
    data[fits] = _payload(wire.filter(pa.array(fits)), width)
    return Converted(fixed_size_binary(data, fits), ~fits & np.asarray(wire.is_valid()), dims)


def _dims(wire: pa.Array) -> npt.NDArray[np.int32]:
    """The number of bits of each row, 0 for NULL."""
    offsets = offsets_of(wire)
    has_bits = np.diff(offsets) > 0
    starts = (offsets[:-1] - offsets[0])[has_bits]
    heads = bytes_of(wire)[starts[:, None] + np.arange(HEADER_BYTES)]
    dims = np.zeros(len(wire), np.int32)
    dims[has_bits] = heads.view(">i4").ravel()
    return dims


def _payload(wire: pa.Array, width: int) -> npt.NDArray[np.uint8]:
    """The bits of rows that all have ``width`` bytes."""
    return np.ascontiguousarray(bytes_of(wire).reshape(len(wire), HEADER_BYTES + width)[:, HEADER_BYTES:])


def _is_vector(column: PostgresColumn) -> bool:
    return column.is_vector


def _may_be_vector(column: PostgresColumn) -> bool:
    return column.has_whole_bytes and not column.is_vector


BITS: dict[str, Family] = {
    "bit": Family(
        (
            Reading(MilvusType.BINARY_VECTOR, convert=bits, suits=_is_vector),
            Reading(MilvusType.VARCHAR, TEXT, note="Zeros and ones."),
            Reading(MilvusType.BINARY_VECTOR, convert=bits, suits=_may_be_vector),
        ),
        metrics={"bit_hamming_ops": "HAMMING", "bit_jaccard_ops": "JACCARD"},
        dims="length({c})",
    ),
    "varbit": Family((Reading(MilvusType.VARCHAR, TEXT, note="Zeros and ones."),)),
}
