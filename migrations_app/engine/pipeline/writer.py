"""Writer: sends a mapped batch as requests of a suitable size, until the result of each one is known.

What happens after a failure depends on its type:

    TargetBusy          not written; sent again without limit, with fewer requests in flight
    TargetUnavailable   not written; sent again, a limited number of times
    UnknownOutcome      may be written; sent again if the keys come from the source (upsert), else never
    RowsRefused         refused for good; split, down to the rows that are the cause
    any other error     the slice fails
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
from migrations_app.engine.model.json.row import row_json
from migrations_app.engine.model.partition_names import groups
from migrations_app.engine.pipeline.concurrency_limit import ConcurrencyLimit, QueuePosition
from migrations_app.engine.pipeline.ledger import Allowance
from migrations_app.engine.targets.base import Channel, Request

# A server takes 64 MB; a proxy in front of it often less. Batches are about 6 MB, so few are ever split.
MAX_REQUEST_BYTES = 16 * 1024 * 1024
# A refused piece is split into this many parts. With four parts, one bad row costs as many requests as with
# two; if every row is bad, a third fewer.
PARTS = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of a mapped batch, all for one partition, with the locator (``string``) of each row."""

    rows: pa.RecordBatch
    locators: pa.Array
    partition: str = ""

    def split(self, parts: int) -> list[Piece]:
        """Return up to ``parts`` pieces of about equal length, in order. They share the buffers."""
        count = self.rows.num_rows
        edges = sorted({count * part // parts for part in range(parts + 1)})
        return [
            replace(self, rows=self.rows.slice(a, b - a), locators=self.locators.slice(a, b - a))
            for a, b in pairwise(edges)
        ]

    def by_partition(self, partitions: pa.Array) -> list[Piece]:
        """Return one piece for each partition. ``partitions``: the partition of each row (dictionary)."""
        parts = list(groups(partitions))
        if len(parts) == 1:
            return [replace(self, partition=parts[0][0])]
        return [
            Piece(self.rows.take(pa.array(rows)), self.locators.take(pa.array(rows)), partition)
            for partition, rows in parts
        ]


@dataclass(slots=True)
class Outcome:
    """The result of a batch so far. ``bytes_written`` counts encoded requests.

    ``repeated``: some rows were sent twice. ``in_doubt`` rows were sent, but it is not known if they are in
    the target.
    """

    written: int = 0
    bytes_written: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    repeated: bool = False
    in_doubt: int = 0

    @contextmanager
    def sending(self, rows: int) -> Iterator[None]:
        """Count ``rows`` as in doubt while they are sent, and afterwards if the outcome is unknown."""
        before, self.in_doubt = self.in_doubt, rows
        try:
            yield
        except FerryError as error:
            if not isinstance(error, UnknownOutcome):
                self.in_doubt = before
            raise
        self.in_doubt = 0


class Writer:
    """Writes batches of one collection. Any thread may call ``write``; all share the concurrency limit.

    ``tries``: how often one request is sent at most if the target cannot be reached or does not answer.
    """

    def __init__(
        self,
        channel: Channel,
        concurrency: ConcurrencyLimit,
        allowance: Allowance,
        *,
        upsert: bool,
        timeout_seconds: float,
        tries: int,
        max_request_bytes: int = MAX_REQUEST_BYTES,
    ) -> None:
        self._channel = channel
        self._concurrency = concurrency
        self._allowance = allowance
        self._upsert = upsert
        self._timeout_seconds = timeout_seconds
        self._tries = tries
        self._max_request_bytes = max_request_bytes

    def enqueue(self) -> QueuePosition:
        """Return the next queue position. Batches begin in the order of the queue."""
        return self._concurrency.enqueue()

    def write(self, position: QueuePosition, batch: Sequence[Piece], outcome: Outcome) -> None:
        """Write ``batch`` until each row was accepted or refused. ``outcome`` is correct at any time.

        Raises ``TooManyRejected``, ``UncleanStop``, ``TargetUnavailable`` (retryable), permanent errors of
        ``Channel.send``, and the reason of a stop (see ``ConcurrencyLimit``).
        """
        try:
            self._write(position, batch, outcome)
        finally:
            self._concurrency.leave_queue(position)

    def _write(self, position: QueuePosition, batch: Sequence[Piece], outcome: Outcome) -> None:
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
                self._deliver(request, position, outcome)
            except RowsRefused as error:
                outcome.in_doubt = 0
                if piece.rows.num_rows == 1:
                    self._reject(piece, error, outcome)
                else:
                    todo.extendleft(reversed(piece.split(PARTS)))

    def _deliver(self, request: Request, position: QueuePosition, outcome: Outcome) -> None:
        failures = 0
        while True:
            try:
                with self._concurrency.permit(position) as permit, outcome.sending(request.rows.num_rows):
                    accepted = self._channel.send(request, self._timeout_seconds)
            except TargetBusy as error:
                self._concurrency.slow_down(error, permit)
            except (TargetUnavailable, UnknownOutcome) as error:
                failures += 1
                self._check_may_send_again(request, error, failures)
                outcome.repeated |= isinstance(error, UnknownOutcome)
                self._concurrency.slow_down(error, permit)
            else:
                self._concurrency.succeeded(permit, request.size_bytes)
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
                f"The target did not answer an insert of {rows} ({error.message.rstrip('.')}), "
                "so it is not known if they are in the collection.",
            ) from error
        if failures >= self._tries:
            raise TargetUnavailable(
                f"The target did not accept {rows} in {counted(failures, 'attempt')}: {error.message}",
                error.hint,
            ) from error

    def _reject(self, piece: Piece, error: RowsRefused, outcome: Outcome) -> None:
        """Record the single row of ``piece`` as rejected."""
        locator = piece.locators[0].as_py()
        rejected = Rejected(locator, error.field, error.code, error.message, row_json(piece.rows))
        outcome.rejected.append(rejected)
        self._allowance.spend([rejected])


def _check_complete(request: Request, accepted: int) -> None:
    sent = request.rows.num_rows
    if accepted != sent:
        raise TargetError(
            f"The target reported that it accepted {accepted:,} of {counted(sent, 'row')} sent to it.",
            "Look at the log of the target. Nothing was dropped.",
            code="rows_missing",
        )
