"""Literals: values written in a plan (``default``, ``fill_null``), converted to values of a field."""

from __future__ import annotations

import json
import math
from typing import Any

from migrations_app.engine.log import shortened
from migrations_app.engine.model.limits import FLOAT32_END, INTEGER_BITS, MAX_JSON_BYTES
from migrations_app.engine.model.types import MilvusType, TypeSpec

# Deeper than any value in a real plan, and within the limit of every Milvus version.
MAX_LITERAL_DEPTH = 100


def literal(value: Any, spec: TypeSpec) -> Any:
    """Return ``value`` as a field of type ``spec`` stores it in Arrow: JSON as text, a number for a FLOAT or
    DOUBLE as float.

    Raises ``ValueError`` with a sentence that explains why the value does not fit the type.
    """
    if spec.type.is_vector:
        raise ValueError("A vector field cannot have a fixed value.")
    if spec.type in INTEGER_BITS:
        return _integer(value, spec.type)
    if spec.type in (MilvusType.FLOAT, MilvusType.DOUBLE):
        return _number(value, spec.type)
    if spec.type is MilvusType.ARRAY:
        return _array(value, spec)
    if spec.type is MilvusType.JSON:
        return _json(value)
    wanted = bool if spec.type is MilvusType.BOOL else str
    if not isinstance(value, wanted):
        raise ValueError(f"{_shown(value)} is not a {spec.type} value.")
    return _text(value, spec) if isinstance(value, str) else value


def _integer(value: Any, type_: MilvusType) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is not a whole number.")
    end = 1 << (INTEGER_BITS[type_] - 1)
    if not -end <= value < end:
        raise ValueError(f"{value} does not fit {type_}: {-end:,} to {end - 1:,}.")
    return value


def _number(value: Any, type_: MilvusType) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is not a number.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or (type_ is MilvusType.FLOAT and abs(number) >= FLOAT32_END):
        raise ValueError(f"{_shown(value)} does not fit {type_}.")
    return number


def _text(value: str, spec: TypeSpec) -> str:
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise ValueError(f"{_shown(value)} is not valid Unicode text.") from None
    limit = spec.max_length
    if limit is not None and size > limit:
        raise ValueError(f"{_shown(value)} is {size:,} bytes long; the field takes at most {limit:,}.")
    return value


def _array(value: Any, spec: TypeSpec) -> list[Any]:
    assert spec.element_type is not None
    if not isinstance(value, list):
        raise ValueError(f"{_shown(value)} is not a list.")
    limit = spec.max_capacity
    if limit is not None and len(value) > limit:
        raise ValueError(f"The list has {len(value):,} elements; the field takes at most {limit:,}.")
    element = TypeSpec(spec.element_type, max_length=spec.max_length)
    return [literal(item, element) for item in value]


def _json(value: Any) -> str:
    """Return the JSON text of an object or list, which may be given as text."""
    try:
        document = json.loads(value) if isinstance(value, str) else value
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size, depth = len(text.encode()), _depth(document)
    except (ValueError, TypeError, RecursionError):
        raise ValueError(f"{_shown(value)} is not valid JSON.") from None
    if not isinstance(document, (dict, list)):
        raise ValueError(f"{_shown(value)} is not a JSON object or list.")
    if size > MAX_JSON_BYTES:
        raise ValueError(f"The JSON is {size:,} bytes long; Milvus takes at most {MAX_JSON_BYTES:,}.")
    if depth > MAX_LITERAL_DEPTH:
        raise ValueError(f"{_shown(value)} is nested more than {MAX_LITERAL_DEPTH} levels deep.")
    return value if isinstance(value, str) else text


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner)) if inner else 1


def _shown(value: Any) -> str:
    text = f"“{value}”" if isinstance(value, str) else str(value)
    return shortened(text.encode(errors="replace").decode())
