"""JSON columns: the text of a value of each document."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import orjson
import pyarrow as pa

from migrations_app.engine.model.json.documents import MISSING, TooDeep
from migrations_app.engine.sources.json_rows.converted import (
    NOT_FINITE,
    SURROGATE,
    TOO_DEEP,
    Converted,
    Problem,
)
from migrations_app.engine.sources.json_rows.documents import Documents, JsonColumn
from migrations_app.engine.sources.json_rows.member_texts import text_at

# orjson writes the exponent of large doubles like this.
_LARGE = b"e+"


def json_texts(documents: Documents, column: JsonColumn) -> Converted:
    """Return the texts of a column's values; null and missing values are NULL."""
    texts: list[bytes | None] = []
    problems: dict[int, Problem] = {}
    for row, value in enumerate(documents.at(column.place)):
        text = None
        if value is not None and value is not MISSING:
            try:
                text = _text(documents, row, value, column)
            except UnicodeEncodeError:
                problems[row] = SURROGATE
            except (RecursionError, TooDeep):
                problems[row] = TOO_DEEP
            except ValueError:
                problems[row] = NOT_FINITE
        texts.append(text)
    return Converted(pa.array(texts, pa.binary()).cast(pa.string()), problems)


def _text(documents: Documents, row: int, value: Any, column: JsonColumn) -> bytes:
    if documents.texts is not None and not callable(column.place):
        return text_at(documents.texts[row], column.place, column.without)
    text = _written(value, column.without)
    if _LARGE in text:
        return _written(documents.exact_at(row, column.place), column.without)
    return text


def _written(value: Any, without: Collection[str]) -> bytes:
    """Return the JSON text of a decoded value.

    Raises ``RecursionError``, ``UnicodeEncodeError`` for half a surrogate pair, and ``ValueError`` for a
    number that is not finite.
    """
    if without and isinstance(value, dict):
        value = {key: inner for key, inner in value.items() if key not in without}
    try:
        text = orjson.dumps(value)
    except TypeError:
        pass  # an integer of more than 64 bits, half a surrogate pair, or deep nesting
    else:
        # orjson writes a number that is not finite as null.
        if b"null" not in text:
            return text
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
