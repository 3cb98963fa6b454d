"""What a way to read a column is. ``{c}`` in an expression is the column."""

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
    """Values that this reading cannot take: those for which ``condition`` holds are rejected. ``reason`` goes
    on after the column's name."""

    condition: LiteralString
    code: str
    reason: str


def for_all(column: PostgresColumn) -> bool:
    """A reading that suits every column of its family."""
    return True


def for_keys(column: PostgresColumn) -> bool:
    """A reading that is not offered: a column is read so where it is a key."""
    return False


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a column. It is offered for those that it ``suits``."""

    type: MilvusType
    sql: LiteralString = "{c}"
    element: MilvusType | None = None
    convert: Converter = plain
    misfit: UnreadableValues | None = None
    note: str = ""
    suits: Callable[[PostgresColumn], bool] = for_all


@dataclass(frozen=True, slots=True)
class Family:
    """One native type: its readings, the proposed one first, and whether it may be a key.

    Of vectors: ``metrics`` by operator class of an index, and ``dims``, the expression that tells a value's
    dimension (``{vector_dims}`` is pgvector's function, wherever it lives).
    """

    readings: tuple[Reading, ...]
    can_be_key: bool = False
    metrics: Mapping[str, str] = field(default_factory=dict)
    dims: LiteralString = ""
