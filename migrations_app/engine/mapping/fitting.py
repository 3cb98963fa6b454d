"""A column brought into the Arrow type of its target field, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.mapping.checks import rows_where
from migrations_app.engine.mapping.findings import Finding


def fitted(column: pa.Array, wanted: pa.DataType, name: str) -> tuple[pa.Array, tuple[Finding, ...]]:
    """``column`` as ``wanted``; values that do not fit become NULL and are found. Mostly it is there already.

    Sources deliver the type asked for; this is for vectors of undeclared dimension, which travel as lists,
    and for integers that a source gives wider than they are wanted.
    """
    if column.type == wanted:
        return column, ()
    found: tuple[Finding, ...] = ()
    if pa.types.is_fixed_size_list(wanted) and pa.types.is_list(column.type):
        column, found = _of_one_dimension(column, wanted.list_size, name)
    try:
        return column.cast(wanted), found
    except pa.ArrowInvalid:
        return _one_by_one(column, wanted, name)


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
    """The slow way, taken only once a cast of the whole column has failed."""
    values = list(_cast_values(column, wanted))
    misfit = pa.array([v is None for v in values], pa.bool_())
    finding = Finding(
        rows_where(pc.and_(misfit, column.is_valid())),
        "misfit",
        lambda row: f"“{name}” is {str(column[row])[:40]}, which is no {wanted}.",
    )
    return pa.array(values, wanted), (finding,)


def _cast_values(column: pa.Array, wanted: pa.DataType) -> Iterator[object]:
    for value in column:
        try:
            yield value.cast(wanted).as_py()
        except pa.ArrowInvalid:
            yield None
