"""Counters of rows: read, written, rejected, skipped, collapsed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counters:
    """Rows of a slice. read = written + rejected + skipped + collapsed, once every row is acknowledged.

    ``bytes_written`` counts the bytes of encoded requests that the target accepted, ``cut`` the values that
    were truncated to fit their field, because the plan asks for it, ``mismatched`` the values that did not
    fit the type of their field and went into the dynamic field instead.
    """

    read: int = 0
    written: int = 0
    rejected: int = 0
    skipped: int = 0
    collapsed: int = 0
    bytes_written: int = 0
    cut: int = 0
    mismatched: int = 0

    def __add__(self, other: Counters) -> Counters:
        return Counters(
            self.read + other.read,
            self.written + other.written,
            self.rejected + other.rejected,
            self.skipped + other.skipped,
            self.collapsed + other.collapsed,
            self.bytes_written + other.bytes_written,
            self.cut + other.cut,
            self.mismatched + other.mismatched,
        )
