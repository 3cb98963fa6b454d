"""Dense vectors: lists of numbers as vector columns, without a Python loop over their numbers.

The numbers are rounded to the nearest value of the element type. A source that receives its vectors in
binary gives numpy arrays instead of lists.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from migrations_app.engine.model.json.values import shown
from migrations_app.engine.model.types import MilvusType, TypeSpec, arrow_type
from migrations_app.engine.sources.json_rows.converted import (
    NOT_FINITE,
    Converted,
    Problem,
    type_mismatch,
)

T = MilvusType
Numbers = npt.NDArray[Any]
_NUMBERS, _INTEGERS = frozenset({int, float}), frozenset({int})


def dense(values: Sequence[Any], spec: TypeSpec) -> Converted:
    """Convert vectors; None is NULL. A BINARY_VECTOR is a list of bytes, signed or unsigned."""
    present = [row for row, value in enumerate(values) if value is not None]
    vectors = [values[row] for row in present]
    problems: dict[int, Problem] = {}
    numbers = _encoded(vectors, spec)
    if numbers is None:
        for row, vector in zip(present, vectors, strict=True):
            problem = _problem(vector, spec)
            if problem is not None:
                problems[row] = problem
        present = [row for row in present if row not in problems]
        vectors = [np.asarray(values[row], _dtype(spec)) for row in present]
        numbers = _encoded(vectors, spec)
        assert numbers is not None
    return Converted(_column(numbers, list(map(len, vectors)), present, len(values), spec), problems)


def _encoded(vectors: Sequence[Any], spec: TypeSpec) -> Numbers | None:
    """Return the numbers of all vectors in the element type, one after another, or None if a vector may not
    fit."""
    kinds = set(map(type, vectors))
    try:
        if kinds <= {list}:
            numbers = _of_lists(vectors, spec)
        elif kinds == {np.ndarray}:
            numbers = _of_arrays(vectors, spec)
        else:
            return None
    except (struct.error, OverflowError):
        return None
    if spec.type is T.INT8_VECTOR:
        return numbers.astype(np.int8) if ((numbers >= -128) & (numbers <= 127)).all() else None
    if _is_binary(spec):
        return numbers.astype(np.uint8) if ((numbers >= -128) & (numbers <= 255)).all() else None
    with np.errstate(over="ignore"):
        floats = numbers.astype("<f2" if _is_half(spec) else "<f4")
    if not np.isfinite(floats).all():
        return None
    if spec.type is T.BFLOAT16_VECTOR and spec.dim is not None:
        return _bfloat16(floats)
    return floats


def _of_lists(vectors: Sequence[list[Any]], spec: TypeSpec) -> Numbers:
    """Return the numbers of lists. Raises ``struct.error`` or ``OverflowError`` if a list does not fit."""
    if not set(map(type, chain.from_iterable(vectors))) <= _kinds(spec):
        raise struct.error("not a number")
    size = _size(spec)
    if size is None:
        return np.fromiter(chain.from_iterable(vectors), _dtype(spec), sum(map(len, vectors)))
    # One call of ``pack_into`` for each vector takes half the time of ``np.fromiter``.
    form = struct.Struct(f"={size}{'q' if _kinds(spec) is _INTEGERS else 'd'}")
    data = bytearray(len(vectors) * form.size)
    for row, vector in enumerate(vectors):
        form.pack_into(data, row * form.size, *vector)
    return np.frombuffer(data, _dtype(spec))


def _of_arrays(vectors: Sequence[Numbers], spec: TypeSpec) -> Numbers:
    size = _size(spec)
    if any(vector.ndim != 1 or size not in (None, len(vector)) for vector in vectors):
        raise struct.error("wrong dimension")
    numbers: Numbers = np.concatenate(vectors)
    if numbers.dtype.kind not in ("iu" if _kinds(spec) is _INTEGERS else "iuf"):
        raise struct.error("not a number")
    return numbers


def _problem(vector: Any, spec: TypeSpec) -> Problem | None:
    if _encoded([vector], spec) is not None:
        return None
    if isinstance(vector, np.ndarray):
        vector = vector.tolist()
    if not isinstance(vector, list):
        return type_mismatch(f"is {shown(vector)}, which is not a list of numbers")
    wrong = [item for item in vector if type(item) not in _kinds(spec)]
    if wrong:
        what = "an integer" if _kinds(spec) is _INTEGERS else "a number"
        return type_mismatch(f"has an element that is {shown(wrong[0])}, which is not {what}")
    size = _size(spec)
    if size is not None and len(vector) != size:
        bits = 8 if _is_binary(spec) else 1
        sentence = f"has {len(vector) * bits:,} dimensions; the field takes {spec.dim:,}"
        return Problem("dimension_mismatch", sentence)
    if _kinds(spec) is _INTEGERS:
        return type_mismatch(f"has an element that does not fit {spec.type}")
    return NOT_FINITE


def _column(numbers: Numbers, sizes: list[int], present: list[int], rows: int, spec: TypeSpec) -> pa.Array:
    """Return ``rows`` values: the vectors in the rows ``present``, the others are NULL."""
    wanted = arrow_type(spec)
    is_null = np.ones(rows, bool)
    is_null[present] = False
    mask = pa.array(is_null)
    if pa.types.is_list(wanted):
        lengths = np.zeros(rows + 1, np.int32)
        lengths[np.array(present, int) + 1] = sizes
        offsets = pa.array(np.cumsum(lengths, dtype=np.int32))
        return pa.ListArray.from_arrays(offsets, pa.array(numbers, wanted.value_type), mask=mask)
    size = _size(spec)
    assert size is not None
    matrix = numbers.reshape(len(present), size)
    if len(present) < rows:
        matrix = np.zeros((rows, size), numbers.dtype)
        matrix[present] = numbers.reshape(len(present), size)
    if pa.types.is_fixed_size_list(wanted):
        return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), wanted.list_size, mask=mask)
    data = pa.py_buffer(np.ascontiguousarray(matrix))
    bitmap = pa.array(~is_null).buffers()[1]
    return pa.FixedSizeBinaryArray.from_buffers(wanted, rows, [bitmap, data])


def _bfloat16(floats: npt.NDArray[np.float32]) -> Numbers | None:
    """Return the upper halves of the floats, rounded to nearest even, or None if one becomes infinite."""
    bits = floats.view(np.uint32)
    halves = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
    return None if ((halves & 0x7F80) == 0x7F80).any() else halves


def _size(spec: TypeSpec) -> int | None:
    """Return the length of the list of a vector, or None if it may have any length."""
    return spec.dim // 8 if _is_binary(spec) and spec.dim is not None else spec.dim


def _is_binary(spec: TypeSpec) -> bool:
    return spec.type is T.BINARY_VECTOR and spec.dim is not None


def _is_half(spec: TypeSpec) -> bool:
    return spec.type is T.FLOAT16_VECTOR and spec.dim is not None


def _kinds(spec: TypeSpec) -> frozenset[type]:
    return _INTEGERS if spec.type is T.INT8_VECTOR or _is_binary(spec) else _NUMBERS


def _dtype(spec: TypeSpec) -> type[np.generic]:
    return np.int64 if _kinds(spec) is _INTEGERS else np.float64
