"""Texts of controls as the values they stand for. ``ValueError`` with a sentence where one is none."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from migrations_app.engine.model.types import MilvusType

WHOLE = frozenset({MilvusType.INT8, MilvusType.INT16, MilvusType.INT32, MilvusType.INT64})


def shown(value: Any) -> str:
    """A value as it is typed."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def whole(text: str) -> int:
    digits = text.strip().replace(",", "")
    if not digits.isascii() or not digits.removeprefix("-").isdecimal():
        raise ValueError(f"“{text[:40]}” is not a whole number." if digits else "Type a whole number.")
    return int(digits[:30])


def _decimal(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"“{text[:40]}” is not a number." if text else "Type a number.") from None
    if not math.isfinite(value):
        raise ValueError("Milvus takes no NaN and no infinity.")
    return value


def _json_text(text: str) -> str:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("This is not JSON: text stands in double quotes.") from None
    return text


def _list(text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, list):
        raise ValueError('Type a list as JSON: ["a", "b"], or [] for an empty one.')
    return value


PARSERS: dict[MilvusType, Callable[[str], Any]] = {
    **dict.fromkeys(WHOLE, whole),
    MilvusType.FLOAT: _decimal,
    MilvusType.DOUBLE: _decimal,
    MilvusType.BOOL: lambda text: text == "true",
    MilvusType.JSON: _json_text,
    MilvusType.ARRAY: _list,
}
