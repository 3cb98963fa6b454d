"""What a way to read a column is. ``{c}`` in an expression is the column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from migrations_app.engine.connectors.postgres.types.arriving import Converter, plain
from migrations_app.engine.schema import MilvusType

TEXT: LiteralString = "{c}::text"


@dataclass(frozen=True, slots=True)
class Misfit:
    """Values that this reading cannot take: those for which ``condition`` holds are rejected. ``reason`` goes
    on after the column's name."""

    condition: LiteralString
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a column. ``offered`` is False for a type that only a key is read as."""

    type: MilvusType
    sql: LiteralString = "{c}"
    element: MilvusType | None = None
    convert: Converter = plain
    misfit: Misfit | None = None
    note: str = ""
    offered: bool = True


@dataclass(frozen=True, slots=True)
class Family:
    """One native type: its readings, the proposed one first, and whether it may be a key."""

    readings: tuple[Reading, ...]
    can_be_key: bool = False
