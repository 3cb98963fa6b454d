"""Slice reader: reads the rows of one slice and reconnects. Reads are tried again only here."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import cast

from migrations_app.engine.errors import ConnectionRefused, FerryError
from migrations_app.engine.log import Log
from migrations_app.engine.model.batch import Batch, CollectionRef, Cursor, ReadPlan, Slice
from migrations_app.engine.pacing.retry_policy import Backoff, RetryPolicy
from migrations_app.engine.sources.base import Closable, ReadContext, Source


class SliceReader:
    """Reads ``part`` of ``ref``. If a read is interrupted, it is opened again after the last cursor.

    A slice that cannot be resumed is read from the start instead, after ``start_over`` has discarded what was
    done.
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
        self._source = source
        self._ref = ref
        self._part = part
        self._plan = plan
        self._backoff = Backoff(retry)
        self._log = log
        self._start_over = start_over

    def batches(self, after: Cursor | None, ctx: ReadContext) -> Generator[Batch]:
        """Yield all batches after ``after``. Raises the source's error if another try cannot help."""
        plan = self._plan
        while plan.limit is None or plan.limit > 0:
            try:
                for batch in self._try_once(after, plan, ctx):
                    after = batch.after
                    plan = _remaining(plan, batch)
                    yield batch
                return
            except FerryError as error:
                seconds = self._seconds_until_next_try(error)
                if not self._part.resumable:
                    self._start_over(error)
                    after, plan = None, self._plan
                ctx.stop.wait(seconds)

    def _try_once(self, after: Cursor | None, plan: ReadPlan, ctx: ReadContext) -> Iterator[Batch]:
        stream = self._source.read(self._ref, self._part, after, plan, ctx)
        # A read is a generator: closing it also stops the query on the server.
        with closing(cast(Closable, stream)):
            for batch in stream:
                # For a slice that starts over after each failure, a batch is not progress.
                if self._part.resumable:
                    self._backoff.worked()
                yield batch

    def _seconds_until_next_try(self, error: FerryError) -> float:
        # The connection settings worked before, but a server that is restarting refuses connections.
        if not error.retryable and not isinstance(error, ConnectionRefused):
            raise error
        seconds = self._backoff.failed(error)
        next_step = "continues" if self._part.resumable else "starts over"
        self._log(
            "warning",
            f"Reading “{self._ref.name}” was interrupted ({error.message.rstrip('.')}): "
            f"it {next_step} in {seconds:.1f} s",
            code=error.code,
        )
        return seconds


def _remaining(plan: ReadPlan, batch: Batch) -> ReadPlan:
    """Return the plan for the rows after ``batch``."""
    return plan if plan.limit is None else replace(plan, limit=plan.limit - batch.rows_read)
