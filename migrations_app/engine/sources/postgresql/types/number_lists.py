"""Vectors in columns of other types: arrays of numbers, and lists of numbers in JSON or text.

Such a column is offered as FLOAT_VECTOR if the values in the sample are lists of the same length, at least
most of them. The user has to choose it; rows with any other value are rejected.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.sources import vector_text
from migrations_app.engine.sources.postgresql.types.arrow_buffers import Converted, Mask, storage_of
from migrations_app.engine.sources.postgresql.types.family import (
    Reading,
    UnreadableValues,
    only_if_sampled,
)

# The driver would flatten an array of several dimensions into one list.
NOT_FLAT = UnreadableValues(
    "array_ndims({c}) > 1", "array_dimensions", "has more than one dimension; an ARRAY has one"
)


def numbers(array: pa.Array, spec: TypeSpec) -> Converted:
    """Convert lists of numbers to ``fixed_size_list<float32>[dim]``. A value that is not a list of ``dim``
    numbers does not fit."""
    assert spec.dim is not None
    column = storage_of(array)
    found, fits = (_of_arrays if pa.types.is_list(column.type) else _of_texts)(column, spec.dim)
    if fits.all():
        return Converted(pa.FixedSizeListArray.from_arrays(pa.array(found), spec.dim))
    values = np.zeros((len(column), spec.dim), np.float32)
    values[fits] = found.reshape(-1, spec.dim)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), spec.dim, mask=pa.array(~fits))
    return Converted(vectors, not_lists=~fits & np.asarray(column.is_valid()))


def _of_texts(column: pa.Array, dim: int) -> tuple[npt.NDArray[np.float32], Mask]:
    parsed = vector_text.parse_vectors(column, dim)
    return parsed.numbers, parsed.fits


def _of_arrays(column: pa.Array, dim: int) -> tuple[npt.NDArray[np.float32], Mask]:
    fits = np.asarray(pc.equal(column.value_lengths(), dim).fill_null(False))
    items = column.flatten()
    if items.null_count:
        rows = np.asarray(pc.list_parent_indices(column))
        fits[rows[np.asarray(items.is_null())]] = False
    if not fits.all():
        items = column.filter(pa.array(fits)).flatten()
    return items.cast(pa.float32(), safe=False).to_numpy(), fits


def usual_dim(column: pa.Array) -> tuple[int, int]:
    """Return the most frequent dimension in a sampled column, and the number of values that have it. Without
    any, both are 0."""
    if pa.types.is_string(column.type):
        return vector_text.usual_dim(column)
    if not pa.types.is_list(column.type) or not pa.types.is_floating(column.type.value_type):
        return 0, 0
    lengths = column.drop_null().value_lengths()
    modes = pc.mode(lengths.filter(pc.greater(lengths, 1)))
    if not len(modes):
        return 0, 0
    dim = modes[0]["mode"].as_py()
    return dim, int(_of_arrays(column, dim)[1].sum())


AS_VECTOR = Reading(MilvusType.FLOAT_VECTOR, convert=numbers, suits=only_if_sampled)
ARRAY_AS_VECTOR = replace(AS_VECTOR, sql="({c})[:]", unreadable=NOT_FLAT)
