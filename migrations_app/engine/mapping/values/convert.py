"""Convert: turns values of JSON documents into a column of a field's type, exactly or not at all.

A value that the type cannot hold exactly is a type mismatch: a fraction or more than 64 bits in an INT64, a
number in a VARCHAR, a whole number that a DOUBLE would round. Only fractions are rounded, to the nearest
DOUBLE or FLOAT, as JSON numbers always are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from migrations_app.engine.log import shortened
from migrations_app.engine.mapping.checks.findings import Finding, finding_of
from migrations_app.engine.mapping.json_documents import plain, to_json
from migrations_app.engine.model.limits import FLOAT32_END, INTEGER_BITS
from migrations_app.engine.model.types import MilvusType, TypeSpec, arrow_type

T = MilvusType
SHOWN_BYTES = 40


class TypeMismatch(ValueError):
    """A value does not fit a type. The message completes a sentence that ends with “which”."""


def convert_values(values: Sequence[Any], spec: TypeSpec, name: str) -> tuple[pa.Array, tuple[Finding, ...]]:
    """Return a column of ``arrow_type(spec)``. Type mismatches are NULL in it and are in the findings.

    ``values`` come from ``json_documents.find``; None is NULL.
    """
    wanted = arrow_type(spec)
    if spec.type is T.JSON:
        texts = [None if value is None else to_json(value) for value in values]
        return pa.array(texts, pa.binary()).cast(wanted), ()
    bare = [plain(value) for value in values]
    if _are_all(bare, spec):
        try:
            return pa.array(bare, wanted), ()
        except (pa.ArrowInvalid, OverflowError):
            pass  # _one_by_one finds the values that do not fit
    return _one_by_one(values, spec, name)


# The Python types that Arrow either stores exactly or refuses. For others it would cut off fractions, and
# round any number to a FLOAT.
_EXACT: dict[MilvusType, frozenset[type]] = {
    T.BOOL: frozenset({bool}),
    **dict.fromkeys(INTEGER_BITS, frozenset({int})),
    T.DOUBLE: frozenset({int, float}),
    T.VARCHAR: frozenset({str}),
}


def _are_all(values: Sequence[Any], spec: TypeSpec) -> bool:
    kinds = set(map(type, values)) - {type(None)}
    if spec.type is not T.ARRAY:
        return kinds <= _EXACT.get(spec.type, frozenset())
    if not kinds <= {list} or spec.element_type is None:
        return False
    items = chain.from_iterable(value for value in values if value is not None)
    return set(map(type, items)) <= _EXACT.get(spec.element_type, frozenset())


def _one_by_one(values: Sequence[Any], spec: TypeSpec, name: str) -> tuple[pa.Array, tuple[Finding, ...]]:
    """Convert each value separately. This is slow, so it is done only if a value may not fit."""
    fitting: list[Any] = []
    reasons: dict[int, str] = {}
    for row, value in enumerate(values):
        try:
            fitting.append(None if value is None else fit(plain(value), spec))
        except TypeMismatch as mismatch:
            fitting.append(None)
            reasons[row] = f"“{name}” is {shown(value)}, which {mismatch}."
    column = pa.array(fitting, arrow_type(spec))
    if not reasons:
        return column, ()
    return column, (finding_of(reasons, "misfit", name),)


def fit(value: Any, spec: TypeSpec) -> Any:
    """Return a value, which must not be None, as ``spec`` holds it. Raises ``TypeMismatch``."""
    if spec.type is T.ARRAY:
        return _list(value, spec)
    if spec.type in INTEGER_BITS:
        return _whole(value, spec.type)
    return _FIT[spec.type](value)


def fits(value: Any, spec: TypeSpec) -> bool:
    """True if ``fit`` accepts the value and it is not None."""
    try:
        return value is not None and fit(value, spec) is not None
    except TypeMismatch:
        return False


def _list(value: Any, spec: TypeSpec) -> list[Any]:
    assert spec.element_type is not None
    if not isinstance(value, list):
        raise TypeMismatch("is not a list")
    if None in value:
        raise TypeMismatch("has an element that is null, and an ARRAY cannot hold null")
    element = TypeSpec(spec.element_type)
    try:
        return [fit(item, element) for item in value]
    except TypeMismatch as mismatch:
        raise TypeMismatch(f"has an element that {mismatch}") from None


def _whole(value: Any, type_: MilvusType) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise TypeMismatch("is not a number")
    number = Decimal(repr(value)) if isinstance(value, float) else value
    end = 1 << (INTEGER_BITS[type_] - 1)
    if not -end <= number < end:
        raise TypeMismatch(f"does not fit {type_}: {-end:,} to {end - 1:,}")
    if number != int(number):
        raise TypeMismatch("is not a whole number")
    return int(number)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise TypeMismatch("is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise TypeMismatch("is too large for a DOUBLE")
    if isinstance(value, int) and int(number) != value and Decimal(repr(number)) != value:
        raise TypeMismatch("a DOUBLE would round")
    return number


def _float32(value: Any) -> float:
    number = _number(value)
    if abs(number) >= FLOAT32_END:
        raise TypeMismatch("is too large for a FLOAT")
    if isinstance(value, int) and int(np.float32(number)) != value:
        raise TypeMismatch("a FLOAT would round")
    return number


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeMismatch("is neither true nor false")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeMismatch("is not text")
    return value


_FIT: dict[MilvusType, Callable[[Any], Any]] = {
    T.DOUBLE: _number,
    T.FLOAT: _float32,
    T.BOOL: _boolean,
    T.VARCHAR: _text,
}


def shown(value: Any) -> str:
    """Return the JSON of a value, shortened, for use in a message."""
    return shortened(to_json(value).decode(), SHOWN_BYTES)
