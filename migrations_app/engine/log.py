"""How the data plane tells a person what happens, without knowing where it is kept."""

from __future__ import annotations

from typing import Protocol


class Log(Protocol):
    """A job's run log. ``level`` is "debug", "info", "warning" or "error"; ``facts`` are JSON values."""

    def __call__(self, level: str, message: str, **facts: object) -> None: ...


def silent(level: str, message: str, **facts: object) -> None:
    """A ``Log`` that keeps nothing."""


def counted(number: int, noun: str) -> str:
    """``1 insert``, ``4,000 inserts``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def shortened(text: str, characters: int = 40) -> str:
    """A value as a sentence quotes it: cut where it is long."""
    return text if len(text) <= characters else text[: characters - 1] + "…"
