"""Family and reading: the ways to read a native type. ``{c}`` in an expression is the column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import LiteralString

from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.sources.postgresql.types.arrow_buffers import Converter, plain
from migrations_app.engine.sources.postgresql.types.column import PostgresColumn

TEXT: LiteralString = "{c}::text"


@dataclass(frozen=True, slots=True)
class UnreadableValues:
    """The values that a reading cannot take: rows for which ``condition`` is true are rejected. ``reason``
    follows the column's name in the message."""

    condition: LiteralString
    code: str
    reason: str


def suits_all(column: PostgresColumn) -> bool:
    """True: the reading suits every column of its family."""
    return True


def only_for_keys(column: PostgresColumn) -> bool:
    """False: the user cannot choose the reading. It is used if the column is a key."""
    return False


def only_if_sampled(column: PostgresColumn) -> bool:
    """False: the reading is offered only if the sample shows that it suits (``describe.py``)."""
    return False


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a column. It is offered for the columns for which ``suits`` is true. ``is_distinct``
    False: different values may become equal. ``is_proposed`` and ``encoding``: see ``TypeChoice``. ``bytes``
    is the size of the text in bytes, where that is known without making the text."""

    type: MilvusType
    sql: LiteralString = "{c}"
    element: MilvusType | None = None
    convert: Converter = plain
    unreadable: UnreadableValues | None = None
    note: str = ""
    suits: Callable[[PostgresColumn], bool] = suits_all
    is_distinct: bool = True
    is_proposed: bool = True
    encoding: str = ""
    bytes: LiteralString = ""


@dataclass(frozen=True, slots=True)
class Family:
    """One native type: its readings, the proposed one first, and whether it can be a key.

    For vectors: ``metrics`` by operator class of an index, and ``dims``, the expression for the dimension of
    a value (``{vector_dims}`` is pgvector's function with its schema).
    """

    readings: tuple[Reading, ...]
    can_be_key: bool = False
    metrics: Mapping[str, str] = field(default_factory=dict)
    dims: LiteralString = ""
