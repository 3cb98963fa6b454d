"""What is stored of a slice: the cursor, the counters and the rejected rows it covers."""

from __future__ import annotations

from dataclasses import dataclass

from migrations_app.engine.batch import Cursor, Rejected


@dataclass(frozen=True, slots=True)
class Counters:
    """Rows of a slice. read = written + rejected + skipped + collapsed, once all is acknowledged.

    ``bytes_written`` counts bytes of encoded requests that the target accepted.
    """

    read: int = 0
    written: int = 0
    rejected: int = 0
    skipped: int = 0
    collapsed: int = 0
    bytes_written: int = 0

    def __add__(self, other: Counters) -> Counters:
        return Counters(
            self.read + other.read,
            self.written + other.written,
            self.rejected + other.rejected,
            self.skipped + other.skipped,
            self.collapsed + other.collapsed,
            self.bytes_written + other.bytes_written,
        )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The low-water mark: everything up to ``after`` was accepted or rejected, nothing beyond is counted.

    ``rejected`` are the rows not yet stored; ``sequence`` tells ``Ledger.saved`` which were.
    """

    after: Cursor
    counters: Counters
    rejected: tuple[Rejected, ...] = ()
    sequence: int = 0
    repeated: bool = False
