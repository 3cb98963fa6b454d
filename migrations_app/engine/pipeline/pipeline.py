"""Pipeline of a slice, for every source: read → map → write → checkpoint.

The calling thread reads and maps. Senders (``sender.py``) encode and send, several at the same time::

    source ──batch──▶ mapping ──mapped──▶ │ senders │ ──requests──▶ target
      ▲                  │begin           └────┬────┘
      │                  ▼                     │acknowledge
    cursor ◀───────── Ledger ◀─────────────────┘
                         │checkpoint (low-water mark)
                         ▼
                    the job's heartbeat

The pipeline does not use the console's database. The heartbeat of the job stores what ``Ledger.checkpoint``
returns, and stops the run with ``ctx.stop``.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from enum import StrEnum

from migrations_app.engine.errors import CursorLost, Draining, FerryError, UncleanStop
from migrations_app.engine.log import Log, counted
from migrations_app.engine.mapping import MappedBatch, Mapping
from migrations_app.engine.model.batch import Batch, CollectionRef, Cursor, ReadPlan, Slice
from migrations_app.engine.model.counters import Counters
from migrations_app.engine.pacing.retry_policy import RetryPolicy
from migrations_app.engine.pipeline.concurrency_limit import ConcurrencyLimit
from migrations_app.engine.pipeline.ledger import Allowance, Ledger
from migrations_app.engine.pipeline.sender import ByteBudget, Senders
from migrations_app.engine.pipeline.writer import Piece, Writer
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.reading.slice_reader import SliceReader
from migrations_app.engine.reading.throttle import Throttle
from migrations_app.engine.sources.base import Source
from migrations_app.engine.targets.base import Channel

# The copies of a mapped batch in progress, at most: its Arrow buffers, the encoded request, and gRPC's copy.
COPIES = 3
# If requests cannot be repeated, an unclean stop leaves at most this many of them in doubt.
INSERTS_IN_FLIGHT = 4


class SliceEnd(StrEnum):
    """How a run of a slice ended: all rows are written, or its time was over and it continues later."""

    DONE = "done"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class SliceWork:
    """The slice to move. ``allowance``: how many rows of the job may be rejected.

    ``max_rows``: move only the first ``max_rows`` rows of the slice, including those of earlier runs.
    ``throttle`` limits how fast rows are read.
    """

    ref: CollectionRef
    part: Slice
    after: Cursor | None
    mapping: Mapping
    allowance: Allowance = field(default_factory=Allowance)
    max_rows: int | None = None
    throttle: Throttle | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """How to move a slice. ``memory_bytes``: all copies of the batches in progress (Arrow, encoded, gRPC).

    The buffers of the source are not included (``ReadContext.memory_bytes``). The concurrency limit finds the
    best number of requests in flight, up to ``max_in_flight``. If inserts cannot be repeated (Auto ID),
    batches that were begun get ``grace_seconds`` after a stop to be written completely.
    """

    max_in_flight: int = 8
    request_timeout_seconds: float = 15.0
    memory_bytes: int = 128 * 1024 * 1024
    grace_seconds: float = 5.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)


def run_slice(
    source: Source,
    channel: Channel,
    work: SliceWork,
    ledger: Ledger,
    ctx: ReadContext,
    policy: Policy,
    log: Log,
) -> SliceEnd:
    """Move the rows of ``work.part`` after ``work.after``. ``ledger`` is correct also if this fails.

    Returns ``PAUSED`` if ``ctx.deadline`` is over and all rows that were read are written. Slices that cannot
    be resumed ignore the deadline; so do those whose cursor was lost, which might not survive another pause.
    After ``ctx.stop`` no batch begins, requests in flight are awaited (for at
    most ``policy.request_timeout_seconds``), and the reason of the stop is raised. Raises the ``FerryError``
    with which the source or the target fails. All threads have ended when the call returns.
    """
    return _Run(source, channel, work, ledger, ctx, policy, log).run()


class _Run:
    def __init__(
        self,
        source: Source,
        channel: Channel,
        work: SliceWork,
        ledger: Ledger,
        ctx: ReadContext,
        policy: Policy,
        log: Log,
    ) -> None:
        self._work = work
        self._partition = work.mapping.partition_of(work.part)
        self._ledger = ledger
        self._outer_stop = ctx.stop
        stop = ctx.stop.child()
        self._ctx = ReadContext(stop, ctx.deadline, ctx.memory_bytes, log)
        self._allowance = work.allowance
        self._allowance.begin(ledger.checkpoint().counters.rejected)
        plan = self._read_plan()
        # Besides the batches in progress, the reader holds one batch twice: as read and as mapped.
        budget = ByteBudget(policy.memory_bytes - 2 * plan.batch_bytes, stop)
        most = policy.max_in_flight if work.mapping.upsert else min(policy.max_in_flight, INSERTS_IN_FLIGHT)
        most = 1 if channel.single_writer else most
        writer = self._writer(channel, most, policy, log)
        # One more thread than requests in flight, so that it can encode the next request.
        self._senders = Senders(writer, ledger, budget, stop, most + 1)
        self._reader = SliceReader(
            source, work.ref, work.part, plan, retry=policy.retry, log=log, start_over=self._start_over
        )

    def _read_plan(self) -> ReadPlan:
        """Return the mapping's read plan for the whole slice, with batches that suit the throttle."""
        work, plan = self._work, self._work.mapping.read_plan
        if work.throttle is not None:
            plan = replace(plan, batch_bytes=work.throttle.batch_bytes(plan))
        return plan if work.max_rows is None else replace(plan, limit=work.max_rows)

    def _writer(self, channel: Channel, most: int, policy: Policy, log: Log) -> Writer:
        upsert = self._work.mapping.upsert
        grace_seconds = 0.0 if upsert else policy.grace_seconds
        return Writer(
            channel,
            ConcurrencyLimit(most, policy.retry, self._ctx.stop, log, grace_seconds),
            self._allowance,
            upsert=upsert,
            timeout_seconds=policy.request_timeout_seconds,
            tries=policy.retry.tries,
        )

    def run(self) -> SliceEnd:
        try:
            with self._senders:
                end = self._read()
        except FerryError as error:
            problem: BaseException | None = self._senders.failure or error
        else:
            problem = self._senders.failure
        finally:
            self._ledger.abandon()
        if problem is not None:
            raise self._error_to_raise(problem)
        return end

    def _read(self) -> SliceEnd:
        after = self._work.after
        if not self._work.part.resumable:
            after = None
            self._forget_earlier_runs()
        rows_read = self._ledger.checkpoint().counters.read
        with closing(self._reader.batches(after, self._ctx, rows_read)) as batches:
            for batch in batches:
                if self._work.throttle is not None:
                    self._work.throttle.pay(batch.rows_read, self._ctx.stop)
                self._pass_on(batch)
                if self._may_pause and self._ctx.deadline.is_over:
                    return SliceEnd.PAUSED
        return SliceEnd.DONE

    @property
    def _may_pause(self) -> bool:
        return self._work.part.resumable and not self._reader.has_lost_cursor

    def _pass_on(self, batch: Batch) -> None:
        mapped = self._work.mapping.apply(batch)
        rejected = batch.rejected + mapped.rejected
        read = batch.rows_read
        gone = len(rejected) + mapped.skipped + mapped.collapsed
        assert mapped.rows.num_rows + gone == read, "the mapping lost a row and did not report it"
        counters = Counters(
            read=read,
            skipped=mapped.skipped,
            collapsed=mapped.collapsed,
            cut=mapped.cut,
            mismatched=mapped.mismatched,
        )
        sequence = self._ledger.begin(batch.after, counters, rejected)
        held_bytes = batch.size_bytes + COPIES * mapped.rows.nbytes
        self._senders.submit(sequence, self._pieces(mapped), held_bytes)
        # After the batch was submitted, so that rejected rows that exceed the allowance are stored too.
        self._allowance.spend(rejected)

    def _pieces(self, mapped: MappedBatch) -> list[Piece]:
        """Return the rows by target partition: each row's own, or the partition of the slice for all."""
        whole = Piece(mapped.rows, mapped.locators, self._partition)
        return [whole] if mapped.partitions is None else whole.by_partition(mapped.partitions)

    def _forget_earlier_runs(self) -> None:
        """Clear the ledger for a slice that cannot be resumed."""
        checkpoint = self._ledger.checkpoint()
        if checkpoint.counters.read or checkpoint.after is not None:
            self._start_over(None)

    def _start_over(self, error: FerryError | None) -> None:
        self._senders.settle()
        written = self._ledger.checkpoint().counters.written
        if written and not self._work.mapping.upsert:
            raise UncleanStop(_start_over_text(self._work.ref.name, written, error)) from error
        self._ledger.reset()
        self._allowance.begin(0)

    def _error_to_raise(self, problem: BaseException) -> BaseException:
        """Return the error to raise: the reason of a stop, rather than what failed while stopping.

        A drained slice is given to another worker. If rows would then be in the target twice, the error is an
        ``UncleanStop``.
        """
        reason = self._outer_stop.reason
        if reason is None or not isinstance(problem, FerryError):
            return problem
        if isinstance(reason, Draining) and not self._work.mapping.upsert:
            if isinstance(problem, UncleanStop):
                return problem
            if self._ledger.checkpoint().repeated:
                return UncleanStop(
                    f"The worker was stopped after requests to “{self._work.mapping.target.name}” were "
                    "accepted out of order. Resuming would send some rows a second time.",
                )
        return reason


def _start_over_text(name: str, written: int, error: FerryError | None) -> str:
    rows = counted(written, "row")
    if isinstance(error, CursorLost):
        return (
            f"“{name}” can only be read from its beginning again ({error.message.rstrip('.')}), and {rows} "
            "of it are in the target already."
        )
    return (
        f"“{name}” can only be read from its beginning, and {rows} of it were written to the target before "
        "reading was interrupted."
    )
