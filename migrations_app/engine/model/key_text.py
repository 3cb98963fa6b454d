"""Several texts as one, so that two different lists of texts never become the same: joined keys."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.model.types import MilvusType, TypeSpec

PART = TypeSpec(MilvusType.VARCHAR)
"""How a part of a joined key is read: its exact text, of any length."""

_SEPARATOR = "/"
# In this order: what stands for a separator holds the escape's own character.
_ESCAPES = (("%", "%25"), (_SEPARATOR, "%2F"))


def joined(parts: Sequence[pa.Array]) -> pa.Array:
    """Columns of texts (``string``) joined by “/”, row by row; NULL where a part is.

    In all parts but the last, “%” is written “%25” and “/” is “%2F”: the first separators of a joined text
    are those between its parts, so it can be taken apart again.
    """
    *first, last = parts
    return pc.binary_join_element_wise(*map(_escaped, first), last, _SEPARATOR).cast(pa.string())


def parted(text: str, parts: int) -> list[str]:
    """The ``parts`` texts that ``joined`` made ``text`` of."""
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
