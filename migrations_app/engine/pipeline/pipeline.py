"""The one loop, for every source: read → map → write → checkpoint.

The calling thread reads and maps; senders (``sending.py``) encode and send, several at once::

    source ──batch──▶ mapping ──mapped──▶ │ senders │ ──requests──▶ target
      ▲                  │begin           └────┬────┘
      │                  ▼                     │acknowledge
    cursor ◀───────── Ledger ◀─────────────────┘
                         │checkpoint (low-water mark)
                         ▼
                    the job's heartbeat

It knows no database: the heartbeat of the job stores what ``Ledger.checkpoint`` says, and stops the run by
``ctx.stop``.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from enum import StrEnum

from migrations_app.engine.errors import Draining, FerryError, UncleanStop
from migrations_app.engine.log import Log, counted
from migrations_app.engine.mapping import MappedBatch, Mapping
from migrations_app.engine.model.batch import Batch, CollectionRef, Cursor, ReadPlan, Slice
from migrations_app.engine.model.counters import Counters
from migrations_app.engine.pipeline.concurrency_limit import ConcurrencyLimit
from migrations_app.engine.pipeline.ledger import Allowance, Ledger
from migrations_app.engine.pipeline.retry import RetryPolicy
from migrations_app.engine.pipeline.sender import ByteBudget, Senders
from migrations_app.engine.pipeline.slice_reader import SliceReader
from migrations_app.engine.pipeline.throttle import Throttle
from migrations_app.engine.pipeline.writer import Piece, Writer
from migrations_app.engine.sources.base import ReadContext, Source
from migrations_app.engine.targets.base import Channel

# What a mapped batch under way holds at most: its Arrow buffers, the encoded request, and gRPC's own copy.
COPIES = 3
# Where requests cannot be repeated, an unclean stop leaves no more than so many of them in doubt.
INSERTS_IN_FLIGHT = 4


class SliceEnd(StrEnum):
    """How a run of a slice ended: all its rows are in, or its time was over and it goes on later."""

    DONE = "done"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class SliceWork:
    """What to move. ``max_rejected`` is what is left of the job's allowance (None: any number).

    ``max_rows``: only the first so many rows of the part, those of earlier runs among them. ``throttle``
    lets the rows pass that were read.
    """

    ref: CollectionRef
    part: Slice
    after: Cursor | None
    mapping: Mapping
    max_rejected: int | None = None
    max_rows: int | None = None
    throttle: Throttle | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """How to move it. ``memory_bytes`` counts all copies of the batches under way: Arrow, encoded, in gRPC.

    The source's own buffers come on top (``ReadContext.memory_bytes``). How many requests are in flight, up
    to ``max_in_flight``, the pace finds out. Where inserts cannot be repeated (Auto ID), batches that were
    begun have ``grace_seconds`` after a stop to get in whole.
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
    """Move the rows of ``work.part`` after ``work.after``; ``ledger`` is right however this ends.

    Ends ``PAUSED`` once ``ctx.deadline`` is over and what was read is written; slices that cannot be resumed
    are exempt. After ``ctx.stop`` no batch is begun any more, requests in flight are awaited (at most
    ``policy.request_timeout_seconds``), and the stop's reason is raised. Raises whatever ``FerryError`` the
    source or the target ends with; no thread outlives the call.
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
        self._ledger = ledger
        self._outer_stop = ctx.stop
        stop = ctx.stop.child()
        self._ctx = ReadContext(stop, ctx.deadline, ctx.memory_bytes, ctx.workers)
        self._allowance = Allowance(work.max_rejected)
        plan = self._read_plan()
        # Beside what is under way, the reader holds a batch as it was read and as it was mapped.
        budget = ByteBudget(policy.memory_bytes - 2 * plan.batch_bytes, stop)
        most = policy.max_in_flight if work.mapping.upsert else min(policy.max_in_flight, INSERTS_IN_FLIGHT)
        most = 1 if channel.single_writer else most
        writer = self._writer(channel, most, policy, log)
        # One more thread than requests in flight: it encodes the next one meanwhile.
        self._senders = Senders(writer, ledger, budget, stop, most + 1)
        self._reader = SliceReader(
            source, work.ref, work.part, plan, retry=policy.retry, log=log, start_over=self._start_over
        )

    def _read_plan(self) -> ReadPlan:
        """The mapping's, with what is left of the rows wanted, in batches that suit the throttle."""
        work, plan = self._work, self._work.mapping.read_plan
        if work.throttle is not None:
            plan = replace(plan, batch_bytes=work.throttle.batch_bytes(plan))
        if work.max_rows is None:
            return plan
        done = self._ledger.checkpoint().counters.read if work.part.resumable else 0
        return replace(plan, limit=max(0, work.max_rows - done))

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
            raise self._verdict(problem)
        return end

    def _read(self) -> SliceEnd:
        after = self._work.after
        if not self._work.part.resumable:
            after = None
            self._forget_earlier_runs()
        with closing(self._reader.batches(after, self._ctx)) as batches:
            for batch in batches:
                if self._work.throttle is not None:
                    self._work.throttle.pay(batch.rows_read, self._ctx.stop)
                self._pass_on(batch)
                if self._work.part.resumable and self._ctx.deadline.is_over:
                    return SliceEnd.PAUSED
        return SliceEnd.DONE

    def _pass_on(self, batch: Batch) -> None:
        mapped = self._work.mapping.apply(batch)
        rejected = batch.rejected + mapped.rejected
        read = batch.rows_read
        gone = len(rejected) + mapped.skipped + mapped.collapsed
        assert mapped.rows.num_rows + gone == read, "the mapping lost a row without a word"
        counters = Counters(read=read, skipped=mapped.skipped, collapsed=mapped.collapsed, cut=mapped.cut)
        sequence = self._ledger.begin(batch.after, counters, rejected)
        held_bytes = batch.size_bytes + COPIES * mapped.rows.nbytes
        self._senders.submit(sequence, self._pieces(mapped), held_bytes)
        # Only now, so that the rows that were one too many are stored with their batch.
        self._allowance.spend(rejected)

    def _pieces(self, mapped: MappedBatch) -> list[Piece]:
        """The rows by the partition they go into: by their own value, or all into that of the slice."""
        whole = Piece(mapped.rows, mapped.locators, self._work.part.partition or "")
        return [whole] if mapped.places is None else whole.by_partition(mapped.places)

    def _forget_earlier_runs(self) -> None:
        """A slice that cannot be resumed begins with empty books."""
        found = self._ledger.checkpoint()
        if found.counters.read or found.after is not None:
            self._start_over(None)

    def _start_over(self, error: FerryError | None) -> None:
        self._senders.settle()
        written = self._ledger.checkpoint().counters.written
        if written and not self._work.mapping.upsert:
            raise UncleanStop(
                f"“{self._work.ref.name}” can only be read from its beginning, and "
                f"{counted(written, 'row')} of it went to the target before the read broke off.",
            ) from error
        self._ledger.reset()
        self._allowance.reset()

    def _verdict(self, problem: BaseException) -> BaseException:
        """What to raise: a stop's reason goes before what failed on the way out.

        But a drained slice is handed to another worker. Where rows would then be doubled, that is said.
        """
        reason = self._outer_stop.reason
        if reason is None or not isinstance(problem, FerryError):
            return problem
        if isinstance(reason, Draining) and not self._work.mapping.upsert:
            if isinstance(problem, UncleanStop):
                return problem
            if self._ledger.checkpoint().repeated:
                return UncleanStop(
                    f"The worker was stopped while requests to “{self._work.mapping.target.name}” overtook "
                    "one another: a resume would send rows again that are in the collection.",
                )
        return reason
