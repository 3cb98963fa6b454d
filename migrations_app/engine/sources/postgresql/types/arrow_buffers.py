"""Arrow buffers: conversion of received columns to the types of ``arrow_type``, without a loop over rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from migrations_app.engine.model.types import TypeSpec, arrow_type

Mask = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
# The length of the header before the numbers of a vector and the bits of a bit string.
HEADER_BYTES = 4


@dataclass(frozen=True, slots=True)
class Converted:
    """A column in its Arrow type. ``wrong_dims`` marks the vectors without the requested dimension: they are
    NULL in ``values``, and ``dims`` contains their dimensions. ``not_lists`` marks the values that are not
    lists of as many numbers as requested; they are NULL in ``values`` too."""

    values: pa.Array
    wrong_dims: Mask | None = None
    dims: npt.NDArray[np.int32] | None = None
    not_lists: Mask | None = None


Converter = Callable[[pa.Array, TypeSpec], Converted]


def storage_of(array: pa.Array) -> pa.Array:
    """Return the storage array of the driver's extension types (``arrow.json``, ``arrow.opaque``)."""
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def plain(array: pa.Array, spec: TypeSpec) -> Converted:
    """Return the same values, cast if the requested type is wider."""
    values, wanted = storage_of(array), arrow_type(spec)
    return Converted(values if values.type == wanted else values.cast(wanted))


def offsets_of(wire: pa.Array) -> npt.NDArray[np.int32]:
    """Return the start of each value in a binary column's data, and the end of the last. NULLs are empty."""
    offsets = np.frombuffer(wire.buffers()[1], np.int32)
    return offsets[wire.offset : wire.offset + len(wire) + 1]


def bytes_of(wire: pa.Array) -> Bytes:
    """Return all bytes of a binary column, one value after another."""
    offsets = offsets_of(wire)
    if not len(wire) or offsets[0] == offsets[-1]:
        return np.empty(0, np.uint8)
    return np.frombuffer(wire.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]


def fixed_size_binary(values: Bytes, valid: Mask | None = None) -> pa.Array:
    """Return ``values``, ``(rows, width)`` bytes, as one value per row; NULL if not ``valid``."""
    rows, width = values.shape
    bitmap = None if valid is None else pa.array(valid).buffers()[1]
    buffers = [bitmap, pa.py_buffer(values)]
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), rows, buffers)
