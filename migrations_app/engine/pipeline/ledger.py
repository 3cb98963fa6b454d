"""Ledger of a slice: keeps the cursor, the counters and the rejected rows that a checkpoint stores."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from migrations_app.engine.errors import TooManyRejected
from migrations_app.engine.log import counted
from migrations_app.engine.model.batch import Cursor, Rejected
from migrations_app.engine.model.counters import Counters


@dataclass(frozen=True, slots=True)
class BeyondCheckpoint:
    """The results of batches after the checkpoint, once a run has ended. A resume reads these batches again,
    and this result is then discarded.

    ``counters`` are of rows whose result is known. The target did not answer for ``in_doubt`` rows, so they
    may be in it or not.
    """

    counters: Counters = Counters()
    rejected: tuple[Rejected, ...] = ()
    in_doubt: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The low-water mark: every row up to ``after`` was accepted or rejected, and is counted.

    ``rejected`` are the rows that are not stored yet; ``Ledger.saved`` uses ``sequence`` to forget them.
    ``repeated``: some rows were sent twice, or will be after a resume. If ``restarts`` has increased, the
    slice started over, and the rejected rows that were stored for it before are discarded.
    """

    after: Cursor | None
    counters: Counters
    rejected: tuple[Rejected, ...] = ()
    sequence: int = 0
    repeated: bool = False
    restarts: int = 0
    beyond: BeyondCheckpoint = BeyondCheckpoint()


@dataclass(slots=True)
class _Entry:
    """A batch in progress. ``is_begun``: a part of it was sent, ``in_doubt`` rows of it without an answer."""

    after: Cursor
    counters: Counters
    rejected: list[Rejected] = field(default_factory=list)
    is_begun: bool = False
    is_done: bool = False
    in_doubt: int = 0

    @property
    def settled(self) -> Counters:
        """The counters of the rows whose result is known."""
        counters = self.counters
        if self.is_done:
            return counters
        read = counters.written + counters.rejected + counters.skipped + counters.collapsed
        return replace(counters, read=read, cut=0, mismatched=0)


class Ledger:
    """Keeps account of one slice: which batches are in progress, which are done, and what may be stored.

    The reader begins batches in order, and senders acknowledge them in any order. The mark moves over the
    batches that are done, up to the first one that is not. ``after`` and ``counters`` are what was stored
    when the slice was claimed. Any thread may call any method.
    """

    def __init__(
        self,
        after: Cursor | None = None,
        counters: Counters = Counters(),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lock = threading.Lock()
        self._after = after
        self._counters = counters
        self._entries: dict[int, _Entry] = {}
        self._begun = 0
        self._mark = 0
        self._unsaved: list[tuple[int, Rejected]] = []
        self._repeated = False
        self._restarts = 0
        self._beyond = BeyondCheckpoint()
        self._clock = clock
        self._moved_at = clock()

    def begin(self, after: Cursor, counters: Counters, rejected: Sequence[Rejected] = ()) -> int:
        """Note the next batch of the read and return its number.

        ``counters`` are its rows read, skipped and collapsed. The ``rejected`` rows are counted here.
        """
        with self._lock:
            self._begun += 1
            self._entries[self._begun] = _Entry(after, counters + _counted(rejected), list(rejected))
            self._moved_at = self._clock()
            return self._begun

    def acknowledge(
        self,
        sequence: int,
        written: int,
        bytes_written: int = 0,
        rejected: Sequence[Rejected] = (),
        *,
        repeated: bool = False,
    ) -> None:
        """Note that every row of this batch was accepted, or refused and is in ``rejected``."""
        with self._lock:
            entry = self._entry_with(sequence, written, bytes_written, rejected)
            entry.is_done = True
            self._repeated |= repeated
            self._moved_at = self._clock()
            self._move_mark()

    def broke_off(
        self,
        sequence: int,
        written: int,
        bytes_written: int = 0,
        rejected: Sequence[Rejected] = (),
        *,
        in_doubt: int = 0,
    ) -> None:
        """Note how far this batch got before it failed. ``in_doubt`` rows may be in the target or not."""
        with self._lock:
            entry = self._entry_with(sequence, written, bytes_written, rejected)
            entry.is_begun, entry.in_doubt = True, in_doubt

    def _entry_with(
        self, sequence: int, written: int, bytes_written: int, rejected: Sequence[Rejected]
    ) -> _Entry:
        entry = self._entries[sequence]
        entry.counters += _counted(rejected) + Counters(written=written, bytes_written=bytes_written)
        entry.rejected += rejected
        return entry

    def _move_mark(self) -> None:
        while (entry := self._entries.get(self._mark + 1)) and entry.is_done:
            del self._entries[self._mark + 1]
            self._mark += 1
            self._after = entry.after
            self._counters += entry.counters
            self._unsaved += [(self._mark, row) for row in entry.rejected]

    def reset(self) -> None:
        """Start the slice over: no cursor, no counts, no rejected rows. No batch may be in progress."""
        with self._lock:
            assert not self._entries
            self._repeated |= self._counters.written > 0
            self._after, self._counters = None, Counters()
            self._unsaved.clear()
            self._restarts += 1
            self._moved_at = self._clock()

    def abandon(self) -> None:
        """Give up the batches in progress. They will be read again, so rows that were written are sent twice.

        Call it when no thread writes any longer. The numbers of these batches are used again.
        """
        with self._lock:
            sent = [entry for entry in self._entries.values() if entry.is_done or entry.is_begun]
            self._beyond = BeyondCheckpoint(
                sum((entry.settled for entry in sent), Counters()),
                tuple(row for entry in sent for row in entry.rejected),
                sum(entry.in_doubt for entry in sent),
            )
            self._repeated |= self._beyond.counters.written > 0 or self._beyond.in_doubt > 0
            self._entries.clear()
            self._begun = self._mark

    def checkpoint(self) -> Checkpoint:
        """Return what may be stored now."""
        with self._lock:
            rejected = tuple(row for _, row in self._unsaved)
            return Checkpoint(
                self._after,
                self._counters,
                rejected,
                self._mark,
                self._repeated,
                self._restarts,
                self._beyond,
            )

    def saved(self, checkpoint: Checkpoint) -> None:
        """Forget the rejected rows that were stored with ``checkpoint``."""
        with self._lock:
            self._unsaved = [(n, row) for n, row in self._unsaved if n > checkpoint.sequence]

    @property
    def in_flight_rows(self) -> int:
        """The rows that were read and whose result is not known yet. After the run: the rows in doubt."""
        with self._lock:
            in_progress = (e.counters for e in self._entries.values() if not e.is_done)
            return self._beyond.in_doubt + sum(rows.read - rows.rejected for rows in in_progress)

    @property
    def idle_seconds(self) -> float:
        """The seconds since a batch was last read or accepted."""
        with self._lock:
            return self._clock() - self._moved_at


class Allowance:
    """How many rows of a job may be rejected before it fails (``most``; None: any number).

    ``others`` is the number of rows that the other slices of the job rejected. Another thread may set it at
    any time.
    """

    def __init__(self, most: int | None = None, others: int = 0) -> None:
        self.most = most
        self.others = others
        self._rejected = 0
        self._lock = threading.Lock()

    def begin(self, rejected: int) -> None:
        """Note how many rows of this slice were rejected before: none if it starts over."""
        with self._lock:
            self._rejected = rejected

    def spend(self, rejected: Sequence[Rejected]) -> None:
        """Count these rows. Raises ``TooManyRejected``, with the last row's reason, if they are too many."""
        if not rejected:
            return
        with self._lock:
            self._rejected += len(rejected)
            total = self._rejected + self.others
        if self.most is not None and total > self.most:
            last = rejected[-1]
            allowed = f"{self.most:,}" if self.most else "none"
            raise TooManyRejected(
                f"{counted(total, 'row')} could not be moved; the plan allows {allowed}. "
                f"The last one was row {last.locator}: {last.reason}",
                "Look at the rejected rows. Then press “Resume” and raise “Maximum rejected rows” "
                "(max_rejected), or change the mapping: “Edit as new”.",
            )


def _counted(rejected: Sequence[Rejected]) -> Counters:
    return Counters(rejected=len(rejected))
