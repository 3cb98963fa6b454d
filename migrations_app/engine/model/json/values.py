"""JSON values: fits one decoded value into a Milvus type, exactly or not at all.

A value that the type cannot hold exactly is a type mismatch: a fraction or more than 64 bits in an INT64, a
number in a VARCHAR, a whole number that a DOUBLE would round. Only fractions are rounded, to the nearest
DOUBLE or FLOAT, as JSON numbers always are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np

from migrations_app.engine.log import shortened
from migrations_app.engine.model.json.documents import to_json
from migrations_app.engine.model.limits import FLOAT32_END, INTEGER_BITS
from migrations_app.engine.model.types import MilvusType, TypeSpec

T = MilvusType
SHOWN_BYTES = 40

# The Python types that Arrow either stores exactly or refuses. For others it would cut off fractions, and
# round any number to a FLOAT.
EXACT_KINDS: dict[MilvusType, frozenset[type]] = {
    T.BOOL: frozenset({bool}),
    **dict.fromkeys(INTEGER_BITS, frozenset({int})),
    T.DOUBLE: frozenset({int, float}),
    T.VARCHAR: frozenset({str}),
}


class TypeMismatch(ValueError):
    """A value does not fit a type. The message completes a sentence that ends with “which”."""


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
    try:
        text = to_json(value).decode()
    except TypeError:
        text = _text_of(value)
    return shortened(text, SHOWN_BYTES)


def _text_of(value: Any) -> str:
    """Return the JSON of a value that orjson cannot write: it has an integer of more than 64 bits, half a
    surrogate pair, or is deeply nested."""
    try:
        return json.dumps(value)
    except RecursionError:
        return "a deeply nested value"
