"""Parsers from the text of a control to its value. They raise ``ValueError`` with a message for the page."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from migrations_app.engine.model.types import INTEGER_TYPES, MilvusType


def shown(value: Any) -> str:
    """Return a value as the text of a control."""
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
        raise ValueError("Milvus does not accept NaN or infinity.")
    return value


def _json_text(text: str) -> str:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("This is not JSON. Put text in double quotes.") from None
    return text


def _list(text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, list):
        raise ValueError('Type a list as JSON: ["a", "b"], or [] for an empty list.')
    return value


PARSERS: dict[MilvusType, Callable[[str], Any]] = {
    **dict.fromkeys(INTEGER_TYPES, whole),
    MilvusType.FLOAT: _decimal,
    MilvusType.DOUBLE: _decimal,
    MilvusType.BOOL: lambda text: text == "true",
    MilvusType.JSON: _json_text,
    MilvusType.ARRAY: _list,
}
