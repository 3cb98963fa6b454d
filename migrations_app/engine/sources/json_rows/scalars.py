"""Scalars and arrays: decoded values as a column of booleans, numbers, texts or lists of these."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from migrations_app.engine.model.json.values import EXACT_KINDS, TypeMismatch, fit, shown
from migrations_app.engine.model.limits import FLOAT32_END, INTEGER_BITS
from migrations_app.engine.model.types import MilvusType, TypeSpec, arrow_type
from migrations_app.engine.sources.json_rows.converted import (
    NOT_FINITE,
    SURROGATE,
    Converted,
    Problem,
    type_mismatch,
)

T = MilvusType
_KINDS = EXACT_KINDS | {T.FLOAT: EXACT_KINDS[T.DOUBLE], T.VARCHAR: frozenset({str, int})}
# A FLOAT holds every integer below this value exactly.
_FLOAT_INTEGERS_END = 2.0**24


def scalars(values: Sequence[Any], spec: TypeSpec) -> Converted:
    """Convert scalars; None is NULL. A page without type mismatches takes one pass by Arrow."""
    kinds = set(map(type, values)) - {type(None)}
    if kinds <= _KINDS[spec.type]:
        try:
            column = _at_once(values, spec, kinds)
        except (pa.ArrowInvalid, OverflowError, UnicodeEncodeError):
            column = None  # _one_by_one finds the values that do not fit
        if column is not None:
            return Converted(column)
    return _one_by_one(values, spec)


def _at_once(values: Sequence[Any], spec: TypeSpec, kinds: set[type]) -> pa.Array | None:
    """Return the column, or None if a value may not fit. The Python types are right."""
    if spec.type is T.VARCHAR and int in kinds:
        values = [str(value) if type(value) is int else value for value in values]
    if spec.type not in (T.DOUBLE, T.FLOAT):
        return pa.array(values, arrow_type(spec))
    # Arrow refuses integers that a double would round.
    doubles = pa.array(values, pa.float64())
    greatest = np.abs(doubles.drop_null().to_numpy()).max(initial=0)
    end = math.inf if spec.type is T.DOUBLE else _FLOAT_INTEGERS_END if int in kinds else FLOAT32_END
    return doubles.cast(arrow_type(spec)) if greatest < end else None


def _one_by_one(values: Sequence[Any], spec: TypeSpec) -> Converted:
    fitting: list[Any] = []
    problems: dict[int, Problem] = {}
    for row, value in enumerate(values):
        problem = _problem(value, spec)
        if problem is not None:
            problems[row] = problem
        fitting.append(None if value is None or problem is not None else _fitted(value, spec))
    return Converted(pa.array(fitting, arrow_type(spec)), problems)


def _problem(value: Any, spec: TypeSpec) -> Problem | None:
    if value is None:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return NOT_FINITE
    try:
        fitted = _fitted(value, spec)
        if isinstance(fitted, str):
            fitted.encode()
    except TypeMismatch as mismatch:
        return type_mismatch(f"is {shown(value)}, which {mismatch}")
    except UnicodeEncodeError:
        return SURROGATE
    return None


def _fitted(value: Any, spec: TypeSpec) -> Any:
    if spec.type in INTEGER_BITS and isinstance(value, float):
        raise TypeMismatch("is a float, not an integer")
    if spec.type is T.VARCHAR and type(value) is int:
        return str(value)
    return fit(value, spec)


def arrays(values: Sequence[Any], spec: TypeSpec) -> Converted:
    """Convert lists of scalars; None is NULL."""
    assert spec.element_type is not None
    element = TypeSpec(spec.element_type)
    column = _lists_at_once(values, element)
    if column is not None:
        return Converted(column)
    problems: dict[int, Problem] = {}
    for row, value in enumerate(values):
        problem = None if value is None else _array_problem(value, element)
        if problem is not None:
            problems[row] = problem
    fitting = [None if row in problems else value for row, value in enumerate(values)]
    return Converted(_lists_at_once(fitting, element), problems)


def _lists_at_once(values: Sequence[Any], element: TypeSpec) -> pa.Array | None:
    """Return the column, or None if a value does not fit."""
    lists = [value for value in values if value is not None]
    if set(map(type, lists)) - {list}:
        return None
    items = scalars(list(chain.from_iterable(lists)), element)
    if items.problems or items.values.null_count:
        return None
    sizes = [0 if value is None else len(value) for value in values]
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
    mask = pa.array([value is None for value in values], pa.bool_())
    return pa.ListArray.from_arrays(offsets, items.values, mask=mask)


def _array_problem(value: Any, element: TypeSpec) -> Problem | None:
    if not isinstance(value, list):
        return type_mismatch(f"is {shown(value)}, which is not a list")
    if any(item is None for item in value):
        return type_mismatch("has an element that is null, and an ARRAY cannot hold null")
    problem = next(iter(scalars(value, element).problems.values()), None)
    if problem is None or problem.code != "misfit":
        return problem
    return type_mismatch(f"has an element that {problem.sentence}")
