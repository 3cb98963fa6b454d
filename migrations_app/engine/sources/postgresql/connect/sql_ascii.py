"""Texts of a SQL_ASCII database: it stores any bytes, and what is none in UTF-8 is found here.

Asked for UTF-8, such a server ends the whole answer at the first text that is none (PostgreSQL's
documentation, "Character Set Support"). So it is asked for the bytes as they are, and each row is judged by
itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.errors import SourceDataError

ENCODING = "SQL_ASCII"
CODE = "text_invalid"


def readable(values: pa.Array) -> tuple[pa.Array, Mapping[int, str]]:
    """``values`` with NULL in place of each text, or list of texts, that is none in UTF-8; and these by their
    row, with ``\\xff`` for each byte that cannot be read. Rows are looked at where there is one only."""
    if not _holds_text(values.type) or _is_readable(values):
        return values, {}
    unreadable = dict(_unreadable(values))
    mask = np.ones(len(values), bool)
    mask[list(unreadable)] = False
    return pc.if_else(pa.array(mask), values, pa.scalar(None, values.type)), unreadable


def refuse_unreadable(keys: pa.Array, what: str) -> None:
    """A row whose key cannot be read cannot be named, nor gone on after."""
    if _holds_text(keys.type) and not _is_readable(keys):
        shown = next(text for _, text in _unreadable(keys))
        raise SourceDataError(
            f"A key of {what} is no text in UTF-8: {shown[:100]}",
            "Put it right in the source, or leave its row out by a condition.",
            code=CODE,
        )


def _holds_text(of: pa.DataType) -> bool:
    return bool(pa.types.is_string(of) or (pa.types.is_list(of) and pa.types.is_string(of.value_type)))


def _is_readable(values: pa.Array) -> bool:
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _unreadable(values: pa.Array) -> Iterator[tuple[int, str]]:
    is_list = pa.types.is_list(values.type)
    for row, value in enumerate(values.cast(pa.list_(pa.binary()) if is_list else pa.binary()).to_pylist()):
        for text in _texts(value):
            try:
                text.decode()
            except UnicodeDecodeError:
                yield row, text.decode(errors="backslashreplace")
                break


def _texts(value: Any) -> list[bytes]:
    found = value if isinstance(value, list) else [value]
    return [text for text in found if text is not None]
