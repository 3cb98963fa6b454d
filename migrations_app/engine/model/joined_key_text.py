"""Joined keys: several texts joined into one, so that different lists of texts never give the same text."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.model.types import MilvusType, TypeSpec

PART = TypeSpec(MilvusType.VARCHAR)
"""The type in which a part of a joined key is read: its exact text, of any length."""

_SEPARATOR = "/"
# The order matters: the escape of the separator contains “%”.
_ESCAPES = (("%", "%25"), (_SEPARATOR, "%2F"))


def joined(parts: Sequence[pa.Array]) -> pa.Array:
    """Join columns of texts (``string``) by “/”, row by row. The result is NULL if a part is NULL.

    In all parts except the last, “%” is written as “%25” and “/” as “%2F”. So the first separators of a
    joined text are those between its parts, and the text can be split again.
    """
    *first, last = parts
    return pc.binary_join_element_wise(*map(_escaped, first), last, _SEPARATOR).cast(pa.string())


def split_joined(text: str, parts: int) -> list[str]:
    """Return the ``parts`` texts that ``joined`` combined into ``text``."""
    *first, last = text.split(_SEPARATOR, parts - 1)
    return [*map(_unescaped, first), last]


def _escaped(texts: pa.Array) -> pa.Array:
    for character, escape in _ESCAPES:
        texts = pc.replace_substring(texts, character, escape)
    return texts


def _unescaped(text: str) -> str:
    for character, escape in reversed(_ESCAPES):
        text = text.replace(escape, character)
    return text
