"""What arrives from the wire, as the Arrow types of ``schema.arrow_type``. Column-wise: no loop over rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from migrations_app.engine.schema import TypeSpec, arrow_type

Mask = npt.NDArray[np.bool_]
_HEADER_BYTES = 4
_WIRE_FLOAT = np.dtype(">f4")


@dataclass(frozen=True, slots=True)
class Converted:
    """A column as its Arrow type. Rows where ``misfits`` is set could not be read so, and are null in it."""

    values: pa.Array
    misfits: Mask | None = None


Converter = Callable[[pa.Array, TypeSpec], Converted]


def storage_of(array: pa.Array) -> pa.Array:
    """The array below the driver's extension types (``arrow.json``, ``arrow.opaque``)."""
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def plain(array: pa.Array, spec: TypeSpec) -> Converted:
    """The same values, widened where the type asked for is wider."""
    values, wanted = storage_of(array), arrow_type(spec)
    return Converted(values if values.type == wanted else values.cast(wanted))


def vector(array: pa.Array, spec: TypeSpec) -> Converted:
    """pgvector's binary form (``vector_send``: int16 dimension, int16 zero, big-endian float32 each) as
    ``fixed_size_list<float32>[dim]``, or as ``list<float32>`` where ``spec.dim`` is None.

    A vector of another dimension than ``spec.dim`` is a misfit.
    """
    wire = storage_of(array)
    return Converted(_any_dim(wire)) if spec.dim is None else _one_dim(wire, spec.dim)


def _one_dim(wire: pa.Array, dim: int) -> Converted:
    lengths = np.diff(_offsets(wire))
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
    words = _words(wire).reshape(len(wire), dim + 1)
    return words[:, 1:].view(_WIRE_FLOAT).astype(np.float32)


def _any_dim(wire: pa.Array) -> pa.Array:
    offsets = _offsets(wire)
    lengths = np.diff(offsets)
    is_number = np.ones(len(_words(wire)), bool)
    is_number[(offsets[:-1][lengths > 0] - offsets[0]) // 4] = False
    numbers = _words(wire)[is_number].view(_WIRE_FLOAT).astype(np.float32)
    counts = np.maximum(lengths - _HEADER_BYTES, 0) // 4
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(numbers), mask=wire.is_null())


def _offsets(wire: pa.Array) -> npt.NDArray[np.int32]:
    """Where each value begins in the data buffer, and where the last one ends; NULLs have no length."""
    offsets = np.frombuffer(wire.buffers()[1], np.int32)
    return offsets[wire.offset : wire.offset + len(wire) + 1]


def _words(wire: pa.Array) -> npt.NDArray[np.uint32]:
    """All bytes of the column, header and numbers, as the words they consist of."""
    offsets = _offsets(wire)
    if not len(wire) or offsets[0] == offsets[-1]:
        return np.empty(0, np.uint32)
    data = np.frombuffer(wire.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    return data.view(np.uint32)
