"""SQL_ASCII: finds the texts of a SQL_ASCII database that are not valid UTF-8.

Such a database stores any bytes. If the client asks for UTF-8, the server cancels the whole read at the first
invalid text (PostgreSQL's documentation, "Character Set Support"). So the client asks for the raw bytes, and
each row is checked separately.
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


def separate_unreadable(values: pa.Array) -> tuple[pa.Array, Mapping[int, str]]:
    """Return ``values`` with NULL in place of each text, or list of texts, that is not valid UTF-8, and these
    texts by row number, with ``\\xff`` for each invalid byte. Rows are checked one by one only if some text
    is invalid."""
    if not _holds_text(values.type) or _is_readable(values):
        return values, {}
    unreadable = dict(_unreadable(values))
    mask = np.ones(len(values), bool)
    mask[list(unreadable)] = False
    return pc.if_else(pa.array(mask), values, pa.scalar(None, values.type)), unreadable


def refuse_unreadable(keys: pa.Array, what: str) -> None:
    """Raise ``SourceDataError`` if a key is not valid UTF-8: without it, the row has no name and the read no
    cursor."""
    if _holds_text(keys.type) and not _is_readable(keys):
        shown = next(text for _, text in _unreadable(keys))
        raise SourceDataError(
            f"A key of {what} is not valid UTF-8: {shown[:100]}",
            "Correct it in the source, or exclude its row with a condition.",
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
    texts = value if isinstance(value, list) else [value]
    return [text for text in texts if text is not None]
