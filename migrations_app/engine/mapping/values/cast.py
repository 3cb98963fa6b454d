"""Cast: converts a column to the Arrow type of its target field, and finds the values that do not fit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.mapping.checks.column_checks import rows_where
from migrations_app.engine.mapping.checks.findings import Finding


def cast_values(column: pa.Array, wanted: pa.DataType, name: str) -> tuple[pa.Array, tuple[Finding, ...]]:
    """Return ``column`` as type ``wanted``. Values that do not fit become NULL and are in the findings.

    Usually nothing has to be cast, because sources deliver the type that was asked for. A sample, however,
    has the first possible type of each field, and a preview may need another one. The cast handles vectors
    without a declared dimension (they arrive as lists), float16 vectors to float32 and back, and integers.
    """
    if column.type == wanted:
        return column, ()
    findings: tuple[Finding, ...] = ()
    if pa.types.is_fixed_size_binary(column.type) and pa.types.is_fixed_size_list(wanted):
        column = _floats_of_halves(column)
    elif pa.types.is_list(column.type) and (dim := _dimension(wanted)) is not None:
        column, findings = _of_one_dimension(column, dim, name)
        if pa.types.is_fixed_size_binary(wanted):
            return _halves_of_floats(column.cast(pa.list_(pa.float32(), dim))), findings
    try:
        return column.cast(wanted), findings
    except pa.ArrowInvalid:
        return _one_by_one(column, wanted, name)


def _dimension(wanted: pa.DataType) -> int | None:
    """Return the dimension of a float32 or float16 vector type (``types.arrow_type``), else None."""
    if pa.types.is_fixed_size_list(wanted):
        return int(wanted.list_size)
    return int(wanted.byte_width) // 2 if pa.types.is_fixed_size_binary(wanted) else None


def _floats_of_halves(column: pa.Array) -> pa.Array:
    """Convert little-endian float16 (``fixed_size_binary[2*dim]``) to ``fixed_size_list<float32>[dim]``."""
    size = column.type.byte_width
    raw = np.frombuffer(column.buffers()[1], np.uint8)[column.offset * size :][: len(column) * size]
    floats = pa.array(raw.view("<f2").astype(np.float32))
    return pa.FixedSizeListArray.from_arrays(floats, size // 2, mask=column.is_null())


def _halves_of_floats(column: pa.Array) -> pa.Array:
    """Convert ``fixed_size_list<float32>[dim]`` to float16; numbers are rounded."""
    floats = column.values.slice(column.offset * column.type.list_size, len(column) * column.type.list_size)
    bitmap = pa.array(np.asarray(column.is_valid())).buffers()[1]
    numbers = pa.py_buffer(floats.fill_null(0).to_numpy().astype("<f2"))
    wanted = pa.binary(2 * column.type.list_size)
    return pa.FixedSizeBinaryArray.from_buffers(wanted, len(column), [bitmap, numbers])


def _of_one_dimension(column: pa.Array, dim: int, name: str) -> tuple[pa.Array, tuple[Finding, ...]]:
    sizes = pc.list_value_length(column)
    is_wrong = pc.not_equal(sizes, dim).fill_null(False)
    if not pc.any(is_wrong).as_py():
        return column, ()
    finding = Finding(
        rows_where(is_wrong),
        "wrong_dimension",
        lambda row: f"“{name}” has {sizes[row].as_py():,} dimensions; the field takes {dim:,}.",
    )
    return pc.if_else(is_wrong, pa.scalar(None, column.type), column), (finding,)


def _one_by_one(column: pa.Array, wanted: pa.DataType, name: str) -> tuple[pa.Array, tuple[Finding, ...]]:
    """Cast each value separately. This is slow, so it is done only after casting the whole column failed."""
    values = list(_cast_each_value(column, wanted))
    failed = pa.array([v is None for v in values], pa.bool_())
    finding = Finding(
        rows_where(pc.and_(failed, column.is_valid())),
        "misfit",
        lambda row: f"“{name}” is {str(column[row])[:40]}, which is not a valid {wanted}.",
    )
    return pa.array(values, wanted), (finding,)


def _cast_each_value(column: pa.Array, wanted: pa.DataType) -> Iterator[object]:
    for value in column:
        try:
            yield value.cast(wanted).as_py()
        except pa.ArrowInvalid:
            yield None
