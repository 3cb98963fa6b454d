"""The rows of one slice, over broken connections: the only place where a read is tried again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import cast

from migrations_app.engine.errors import ConnectionRefused, FerryError
from migrations_app.engine.log import Log
from migrations_app.engine.model.batch import Batch, CollectionRef, Cursor, ReadPlan, Slice
from migrations_app.engine.pipeline.retry import Backoff, RetryPolicy
from migrations_app.engine.sources.base import Closable, ReadContext, Source


class SliceReader:
    """Reads ``part`` of ``ref``; opens the read again after its last cursor when it broke off.

    A slice that cannot be resumed begins anew instead, once ``start_over`` has thrown away what was done.
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
        """All batches after ``after``. Raises what the source raises once no further try may help."""
        plan = self._plan
        while plan.limit is None or plan.limit > 0:
            try:
                for batch in self._once(after, plan, ctx):
                    after = batch.after
                    plan = _rest(plan, batch)
                    yield batch
                return
            except FerryError as error:
                seconds = self._seconds_until_next_try(error)
                if not self._part.resumable:
                    self._start_over(error)
                    after, plan = None, self._plan
                ctx.stop.wait(seconds)

    def _once(self, after: Cursor | None, plan: ReadPlan, ctx: ReadContext) -> Iterator[Batch]:
        stream = self._source.read(self._ref, self._part, after, plan, ctx)
        # Sources are generators: closing one stops the work of its server.
        with closing(cast(Closable, stream)):
            for batch in stream:
                # A slice that starts over each time gets nowhere by getting a little further.
                if self._part.resumable:
                    self._backoff.worked()
                yield batch

    def _seconds_until_next_try(self, error: FerryError) -> float:
        # The settings worked before: a server that is restarting refuses for a while.
        if not error.retryable and not isinstance(error, ConnectionRefused):
            raise error
        seconds = self._backoff.failed(error)
        again = "goes on" if self._part.resumable else "starts over"
        self._log(
            "warning",
            f"Reading “{self._ref.name}” broke off ({error.message.rstrip('.')}): "
            f"it {again} in {seconds:.1f} s",
            code=error.code,
        )
        return seconds


def _rest(plan: ReadPlan, batch: Batch) -> ReadPlan:
    """What is still to be read once ``batch`` is."""
    return plan if plan.limit is None else replace(plan, limit=plan.limit - batch.rows_read)
