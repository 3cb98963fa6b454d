"""Log: the function through which the data plane reports events. It does not know where they are stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class Log(Protocol):
    """A job's run log. ``level`` is "debug", "info", "warning" or "error"; ``facts`` are JSON values."""

    def __call__(self, level: str, message: str, **facts: object) -> None: ...


def silent(level: str, message: str, **facts: object) -> None:
    """A ``Log`` that discards everything."""


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: ``1 row``, ``4,000 rows``. ``many`` is the plural, ``one`` + "s" by
    default."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def use_one_of(names: Iterable[str]) -> str:
    """Return the hint that lists the possible values: ``Use one of: a, b.``, or ``Use a.``; empty if none."""
    listed = tuple(names)
    return f"Use one of: {', '.join(listed)}." if len(listed) > 1 else f"Use {listed[0]}." if listed else ""


def shortened(text: str, characters: int = 40) -> str:
    """Return ``text``, cut to ``characters`` if it is longer."""
    return text if len(text) <= characters else text[: characters - 1] + "…"
