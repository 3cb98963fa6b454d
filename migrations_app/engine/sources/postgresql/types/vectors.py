"""Dense vectors of pgvector, from their binary form: a header of four bytes, then the numbers.

``vector_send`` and ``halfvec_send`` write the dimension as int16, an int16 that is 0, and big-endian float32
or float16 numbers (pgvector, src/vector.c and src/halfvec.c).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.sources.postgresql.types.arrow_buffers import (
    HEADER_BYTES,
    Converted,
    Mask,
    bytes_of,
    fixed_size_binary,
    offsets_of,
    storage_of,
)
from migrations_app.engine.sources.postgresql.types.family import Family, Reading

Numbers = npt.NDArray[np.floating]
_FLOAT = np.dtype(">f4")
_HALF = np.dtype(">f2")


def vector(array: pa.Array, spec: TypeSpec) -> Converted:
    """Convert ``vector`` to ``fixed_size_list<float32>[dim]``; to ``list<float32>`` if ``spec.dim`` is None.

    A vector whose dimension is not ``spec.dim`` does not fit.
    """
    return _floats(storage_of(array), _FLOAT, spec.dim)


def halfvec(array: pa.Array, spec: TypeSpec) -> Converted:
    """Convert ``halfvec`` in the same way as ``vector``: float32 can store every float16 exactly."""
    return _floats(storage_of(array), _HALF, spec.dim)


def halfvec_bytes(array: pa.Array, spec: TypeSpec) -> Converted:
    """Convert ``halfvec`` to ``fixed_size_binary[2*dim]`` little-endian, or to ``list<float32>`` if
    ``spec.dim`` is None."""
    wire = storage_of(array)
    if spec.dim is None:
        return _floats(wire, _HALF, None)
    numbers, fits = _of_one_dim(wire, _HALF, spec.dim)
    values = fixed_size_binary(numbers.astype("<f2", copy=False).view(np.uint8), fits)
    return _with_wrong_dims(values, wire, _HALF, fits)


def _floats(wire: pa.Array, item: np.dtype[np.floating], dim: int | None) -> Converted:
    if dim is None:
        return Converted(_of_any_dim(wire, item))
    numbers, fits = _of_one_dim(wire, item, dim)
    mask = None if fits is None else pa.array(~fits)
    floats = numbers.astype(np.float32, copy=False).ravel()
    return _with_wrong_dims(pa.FixedSizeListArray.from_arrays(floats, dim, mask=mask), wire, item, fits)


def _with_wrong_dims(
    values: pa.Array, wire: pa.Array, item: np.dtype[np.floating], fits: Mask | None
) -> Converted:
    """Return the column with the mask of vectors that do not fit, if there are any. NULL fits."""
    if fits is None:
        return Converted(values)
    dims = (np.diff(offsets_of(wire)) - HEADER_BYTES) // item.itemsize
    return Converted(values, ~fits & np.asarray(wire.is_valid()), dims)


def _of_one_dim(wire: pa.Array, item: np.dtype[np.floating], dim: int) -> tuple[Numbers, Mask | None]:
    """Return the numbers, ``(rows, dim)`` in native byte order, and a mask of the rows that have dimension
    ``dim`` (None if all do). The other rows are zeros."""
    fits = np.diff(offsets_of(wire)) == HEADER_BYTES + item.itemsize * dim
    if fits.all():
        return _numbers(wire, item, dim), None
    numbers = np.zeros((len(wire), dim), item.newbyteorder("="))
    numbers[fits] = _numbers(wire.filter(pa.array(fits)), item, dim)
    return numbers, fits


def _numbers(wire: pa.Array, item: np.dtype[np.floating], dim: int) -> Numbers:
    """Return the numbers of vectors that all have dimension ``dim``."""
    header = HEADER_BYTES // item.itemsize
    numbers = bytes_of(wire).view(item).reshape(len(wire), header + dim)[:, header:]
    return numbers.astype(item.newbyteorder("="))


def _of_any_dim(wire: pa.Array, item: np.dtype[np.floating]) -> pa.Array:
    offsets = offsets_of(wire)
    lengths = np.diff(offsets)
    header = HEADER_BYTES // item.itemsize
    data = bytes_of(wire).view(item)
    is_number = np.ones(len(data), bool)
    starts = (offsets[:-1][lengths > 0] - offsets[0]) // item.itemsize
    is_number[starts[:, None] + np.arange(header)] = False
    counts = np.maximum(lengths - HEADER_BYTES, 0) // item.itemsize
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    numbers = data[is_number].astype(np.float32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(numbers), mask=wire.is_null())


# The metrics by operator class of an index. Milvus has no L1.
_METRICS: dict[str, str] = {
    f"{name}_{distance}_ops": metric
    for name in ("vector", "halfvec")
    for distance, metric in (("cosine", "COSINE"), ("l2", "L2"), ("ip", "IP"), ("l1", "L1"))
}
_DIMS = "{vector_dims}({c})"

VECTORS: dict[str, Family] = {
    "vector": Family((Reading(MilvusType.FLOAT_VECTOR, convert=vector),), metrics=_METRICS, dims=_DIMS),
    "halfvec": Family(
        (
            Reading(MilvusType.FLOAT16_VECTOR, convert=halfvec_bytes),
            Reading(MilvusType.FLOAT_VECTOR, convert=halfvec, note="Twice the size, the same numbers."),
        ),
        metrics=_METRICS,
        dims=_DIMS,
    ),
}
