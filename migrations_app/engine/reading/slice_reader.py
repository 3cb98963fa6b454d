"""Slice reader: reads the rows of one slice and reconnects. Reads are tried again only here."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import cast

from migrations_app.engine.errors import ConnectionRefused, CursorLost, FerryError, SourceBusy
from migrations_app.engine.log import Log
from migrations_app.engine.model.batch import Batch, CollectionRef, Cursor, ReadPlan, Slice
from migrations_app.engine.pacing.retry_policy import Backoff, RetryPolicy
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import Closable, Source

# A source at its limit asks to slow down again and again. The run log gets one warning in this time.
LOG_EVERY_SECONDS = 60.0


class SliceReader:
    """Reads ``part`` of ``ref``. If a read is interrupted, it is opened again after the last cursor.

    A slice that cannot be resumed, or whose cursor the source has lost, is read from the start instead, after
    ``start_over`` has discarded what was done. ``has_lost_cursor``: that happened to a slice that can be
    resumed. A busy source pauses the read; the pause costs no try.
    """

    def __init__(
        self,
        source: Source,
        ref: CollectionRef,
        part: Slice,
        plan: ReadPlan,
        *,
        retry: RetryPolicy,
        log: Log,
        start_over: Callable[[FerryError], None],
    ) -> None:
        self.has_lost_cursor = False
        self._source = source
        self._ref = ref
        self._part = part
        self._plan = plan
        self._retry = retry
        self._backoff = Backoff(retry)
        # Rows that were read prove nothing here: the next cursor may be lost at the same row.
        self._restarts = Backoff(retry)
        self._pauses = 0
        self._quiet_until = 0.0
        self._log = log
        self._start_over = start_over

    def batches(self, after: Cursor | None, ctx: ReadContext, rows_read: int = 0) -> Generator[Batch]:
        """Yield all batches after ``after``. Raises the source's error if another try cannot help.

        ``rows_read``: how many of the rows of ``plan.limit`` were read before ``after``.
        """
        plan = _remaining(self._plan, rows_read)
        while plan.limit is None or plan.limit > 0:
            has_batches = False
            try:
                for batch in self._try_once(after, plan, ctx):
                    has_batches = True
                    after = batch.after
                    plan = _remaining(plan, batch.rows_read)
                    yield batch
                return
            except FerryError as error:
                seconds = self._seconds_until_next_try(error, has_batches)
                if isinstance(error, CursorLost) or (has_batches and not self._part.resumable):
                    self._start_over(error)
                    after, plan = None, self._plan
                ctx.stop.wait(seconds)

    def _try_once(self, after: Cursor | None, plan: ReadPlan, ctx: ReadContext) -> Iterator[Batch]:
        stream = self._source.read(self._ref, self._part, after, plan, ctx)
        # A read is a generator: closing it also stops the query on the server.
        with closing(cast(Closable, stream)):
            for batch in stream:
                self._pauses = 0
                # For a slice that starts over after each failure, a batch is not progress.
                if self._part.resumable:
                    self._backoff.worked()
                yield batch

    def _seconds_until_next_try(self, error: FerryError, has_batches: bool) -> float:
        if isinstance(error, CursorLost):
            return self._after_lost_cursor(error)
        # A slice that starts over would repeat the same rows forever if that cost no try.
        if isinstance(error, SourceBusy) and (self._part.resumable or not has_batches):
            return self._after_busy(error)
        # The connection settings worked before, but a server that is restarting refuses connections.
        if not error.retryable and not isinstance(error, ConnectionRefused):
            raise error
        seconds = self._backoff.failed(error)
        next_step = "continues" if self._part.resumable else "starts over"
        self._log_interruption(error, f"{next_step} in {seconds:.1f} s")
        return seconds

    def _after_busy(self, error: SourceBusy) -> float:
        self._pauses += 1
        seconds = self._retry.wait_seconds(self._pauses, error.retry_after_seconds)
        is_quiet = time.monotonic() < self._quiet_until
        if not is_quiet:
            self._quiet_until = time.monotonic() + LOG_EVERY_SECONDS
        self._log(
            "debug" if is_quiet else "warning",
            f"The source asked to slow down ({error.message.rstrip('.')}): reading “{self._ref.name}” pauses "
            f"for {seconds:.1f} s",
            code=error.code,
        )
        return seconds

    def _after_lost_cursor(self, error: CursorLost) -> float:
        self.has_lost_cursor = self._part.resumable
        seconds = self._restarts.failed(error)
        self._log_interruption(error, f"starts over in {seconds:.1f} s")
        return seconds

    def _log_interruption(self, error: FerryError, next_step: str) -> None:
        self._log(
            "warning",
            f"Reading “{self._ref.name}” was interrupted ({error.message.rstrip('.')}): it {next_step}",
            code=error.code,
        )


def _remaining(plan: ReadPlan, rows_read: int) -> ReadPlan:
    """Return the plan for the rows after the first ``rows_read``."""
    return plan if plan.limit is None else replace(plan, limit=max(0, plan.limit - rows_read))
