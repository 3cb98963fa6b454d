"""Sparse vectors: objects ``{"indices": [...], "values": [...]}`` as a column of sparse vectors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from migrations_app.engine.model.json.values import shown
from migrations_app.engine.model.types import SPARSE
from migrations_app.engine.sources.json_rows.converted import (
    NOT_FINITE,
    Converted,
    Problem,
    type_mismatch,
)

_INDICES_END = 2**32


def sparse(values: Sequence[Any]) -> Converted:
    """Convert sparse vectors; None is NULL. The indices become ascending; an index that occurs twice is a
    type mismatch. Values are rounded to float32."""
    problems: dict[int, Problem] = {}
    fitting: list[Any] = []
    for row, value in enumerate(values):
        problem = None if value is None else _shape_problem(value)
        if problem is not None:
            problems[row] = problem
        fitting.append(None if problem is not None else value)
    sizes = [0 if value is None else len(value["indices"]) for value in fitting]
    rows = np.repeat(np.arange(len(values)), sizes)
    indices, weights = _flat(fitting, "indices", np.int64), _flat(fitting, "values", np.float64)
    order = np.lexsort((indices, rows))
    indices = indices[order]
    with np.errstate(over="ignore"):
        weights = weights[order].astype(np.float32)
    problems |= _number_problems(rows, indices, weights)
    is_null = np.array([value is None for value in fitting], bool)
    is_null[list(problems)] = True
    stays = ~is_null[rows]
    entries = pa.StructArray.from_arrays(
        [pa.array(indices[stays], pa.uint32()), pa.array(weights[stays])],
        fields=list(SPARSE.value_type.fields),
    )
    ends = np.concatenate([[0], np.cumsum(np.where(is_null, 0, sizes))]).astype(np.int32)
    column = pa.ListArray.from_arrays(pa.array(ends), entries, type=SPARSE, mask=pa.array(is_null))
    return Converted(column, problems)


def _flat(values: Sequence[Any], key: str, dtype: type[np.generic]) -> npt.NDArray[Any]:
    lists = [value[key] for value in values if value is not None]
    return np.fromiter(chain.from_iterable(lists), dtype, sum(map(len, lists)))


def _shape_problem(value: Any) -> Problem | None:
    """Return the problem of a value whose lists do not have the right form, types or range."""
    lists: list[Any] = [value.get(key) for key in ("indices", "values")] if isinstance(value, dict) else []
    if set(map(type, lists)) != {list}:
        return type_mismatch(f"is {shown(value)}, which is not an object with “indices” and “values”")
    indices, weights = lists
    if len(indices) != len(weights):
        return type_mismatch(f"has {len(indices):,} indices, but {len(weights):,} values")
    if not indices:
        return None
    if set(map(type, indices)) != {int} or min(indices) < 0 or max(indices) >= _INDICES_END:
        wrong = next(i for i in indices if type(i) is not int or not 0 <= i < _INDICES_END)
        return type_mismatch(f"has the index {shown(wrong)}, which is not an integer from 0 to 2^32 - 1")
    if not set(map(type, weights)) <= {int, float}:
        wrong = next(w for w in weights if type(w) not in (int, float))
        return type_mismatch(f"has the value {shown(wrong)}, which is not a number")
    try:
        float(max(weights)), float(min(weights))
    except OverflowError:
        return NOT_FINITE
    return None


def _number_problems(
    rows: npt.NDArray[np.int64], indices: npt.NDArray[np.int64], weights: npt.NDArray[np.float32]
) -> dict[int, Problem]:
    """Return the problems of rows with an index twice, or a value that is not finite. The entries are sorted
    by row and index."""
    repeated = np.flatnonzero((rows[1:] == rows[:-1]) & (indices[1:] == indices[:-1]))
    problems = {
        int(rows[entry]): type_mismatch(f"has the index {int(indices[entry]):,} twice") for entry in repeated
    }
    not_finite = rows[~np.isfinite(weights)].tolist()
    return dict.fromkeys(not_finite, NOT_FINITE) | problems
