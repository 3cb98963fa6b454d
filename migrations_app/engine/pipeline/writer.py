"""Writes one mapped batch: as requests of a good size, sent until their fate is known.

What a failure means decides what follows:

    TargetBusy          it has not landed; sent again for as long as it takes, at a slower pace
    TargetUnavailable   it has not landed; sent again, a bounded number of times
    UnknownOutcome      it may have landed; sent again where keys are kept (upsert: harmless), else never
    RowsRefused         always refused; split, down to the rows at fault
    anything else       the slice fails
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pyarrow as pa

from migrations_app.engine.errors import (
    FerryError,
    RowsRefused,
    TargetBusy,
    TargetError,
    TargetUnavailable,
    UncleanStop,
    UnknownOutcome,
)
from migrations_app.engine.log import counted
from migrations_app.engine.model.batch import Rejected
from migrations_app.engine.model.partition_names import groups
from migrations_app.engine.model.row_json import row_excerpt
from migrations_app.engine.pipeline.concurrency_limit import ConcurrencyLimit, QueuePosition
from migrations_app.engine.pipeline.ledger import Allowance
from migrations_app.engine.targets.base import Channel, Request

# A server takes 64 MB; a proxy before it often less. Batches are about 6 MB, so few are ever split.
MAX_REQUEST_BYTES = 16 * 1024 * 1024
# A refused piece is tried again in so many parts: to find one bad row among n costs as many requests as
# halving does, and where every row is bad a third less.
PARTS = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of a mapped batch with the locator (``string``) of each, all for one partition."""

    rows: pa.RecordBatch
    locators: pa.Array
    partition: str = ""

    def split(self, parts: int) -> list[Piece]:
        """Up to ``parts`` pieces of about equal length, in order; shares the buffers."""
        count = self.rows.num_rows
        edges = sorted({count * part // parts for part in range(parts + 1)})
        return [
            replace(self, rows=self.rows.slice(a, b - a), locators=self.locators.slice(a, b - a))
            for a, b in pairwise(edges)
        ]

    def by_partition(self, places: pa.Array) -> list[Piece]:
        """A piece for each of ``places`` (one a row, a dictionary array); itself where all go to one."""
        parts = list(groups(places))
        if len(parts) == 1:
            return [replace(self, partition=parts[0][0])]
        return [
            Piece(self.rows.take(pa.array(rows)), self.locators.take(pa.array(rows)), partition)
            for partition, rows in parts
        ]


@dataclass(slots=True)
class Outcome:
    """What became of a batch so far. ``bytes_written`` counts encoded requests.

    ``repeated``: some rows were sent twice. ``in_doubt`` rows were sent, and whether they are in the target
    nobody knows.
    """

    written: int = 0
    bytes_written: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    repeated: bool = False
    in_doubt: int = 0

    @contextmanager
    def asking(self, rows: int) -> Iterator[None]:
        """While so many rows are sent."""
        before, self.in_doubt = self.in_doubt, rows
        try:
            yield
        except FerryError as error:
            if not isinstance(error, UnknownOutcome):
                self.in_doubt = before
            raise
        self.in_doubt = 0


class Writer:
    """Writes batches of one collection. Any thread may call ``write``; the pace is theirs together.

    ``tries`` bounds how often one request is sent while the target cannot be reached or does not answer.
    """

    def __init__(
        self,
        channel: Channel,
        pace: ConcurrencyLimit,
        allowance: Allowance,
        *,
        upsert: bool,
        timeout_seconds: float,
        tries: int,
        max_request_bytes: int = MAX_REQUEST_BYTES,
    ) -> None:
        self._channel = channel
        self._pace = pace
        self._allowance = allowance
        self._upsert = upsert
        self._timeout_seconds = timeout_seconds
        self._tries = tries
        self._max_request_bytes = max_request_bytes

    def place(self) -> QueuePosition:
        """The next place among batches, which are begun in the order of theirs."""
        return self._pace.place()

    def write(self, place: QueuePosition, batch: Sequence[Piece], outcome: Outcome) -> None:
        """Return once each row was accepted, or refused by itself; ``outcome`` is right also before that.

        Raises ``TooManyRejected``, ``UncleanStop``, ``TargetUnavailable`` (retryable), what ``Channel.send``
        raises for good, and the reason of a stop (see ``ConcurrencyLimit``).
        """
        try:
            self._write(place, batch, outcome)
        finally:
            self._pace.leave(place)

    def _write(self, place: QueuePosition, batch: Sequence[Piece], outcome: Outcome) -> None:
        todo: deque[Piece] = deque()
        for part in batch:
            todo += part.split(1 + part.rows.nbytes // self._max_request_bytes)
        while todo:
            piece = todo.popleft()
            request = self._channel.encode(piece.rows, piece.partition)
            if request.size_bytes > self._max_request_bytes and piece.rows.num_rows > 1:
                todo.extendleft(reversed(piece.split(2)))
                continue
            try:
                self._deliver(request, place, outcome)
            except RowsRefused as error:
                outcome.in_doubt = 0
                if piece.rows.num_rows == 1:
                    self._reject(piece, error, outcome)
                else:
                    todo.extendleft(reversed(piece.split(PARTS)))

    def _deliver(self, request: Request, place: QueuePosition, outcome: Outcome) -> None:
        failures = 0
        while True:
            try:
                with self._pace.turn(place) as turn, outcome.asking(request.rows.num_rows):
                    accepted = self._channel.send(request, self._timeout_seconds)
            except TargetBusy as error:
                self._pace.slow_down(error, turn)
            except (TargetUnavailable, UnknownOutcome) as error:
                failures += 1
                self._check_may_send_again(request, error, failures)
                outcome.repeated |= isinstance(error, UnknownOutcome)
                self._pace.slow_down(error, turn)
            else:
                self._pace.succeeded(turn, request.size_bytes)
                outcome.written += accepted
                outcome.bytes_written += request.size_bytes
                _check_complete(request, accepted)
                return

    def _check_may_send_again(
        self, request: Request, error: TargetUnavailable | UnknownOutcome, failures: int
    ) -> None:
        rows = counted(request.rows.num_rows, "row")
        if isinstance(error, UnknownOutcome) and not self._upsert:
            raise UncleanStop(
                f"The answer to an insert of {rows} was lost ({error.message.rstrip('.')}): "
                "it is not known whether they are in the collection.",
            ) from error
        if failures >= self._tries:
            raise TargetUnavailable(
                f"The target did not take {rows} in {failures} tries: {error.message}",
                error.hint,
            ) from error

    def _reject(self, piece: Piece, error: RowsRefused, outcome: Outcome) -> None:
        """Note the one row of ``piece`` as refused."""
        locator = piece.locators[0].as_py()
        rejected = Rejected(locator, error.field, error.code, error.message, row_excerpt(piece.rows))
        outcome.rejected.append(rejected)
        self._allowance.spend([rejected])


def _check_complete(request: Request, accepted: int) -> None:
    sent = request.rows.num_rows
    if accepted != sent:
        raise TargetError(
            f"The target says that it took {accepted:,} of the {counted(sent, 'row')} sent to it.",
            "Look at the target's own log. Nothing was dropped.",
            code="rows_missing",
        )
