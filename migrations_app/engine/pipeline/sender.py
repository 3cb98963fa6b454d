"""Senders of one slice: the threads that write batches, and the memory limit for batches in progress."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self

from migrations_app.engine.errors import FerryError, Interrupted
from migrations_app.engine.pipeline.ledger import Ledger
from migrations_app.engine.pipeline.writer import Outcome, Piece, Writer
from migrations_app.engine.stop_token import StopToken


class ByteBudget:
    """The bytes that may be held at the same time. A batch larger than the whole budget is let in alone."""

    def __init__(self, size_bytes: int, stop: StopToken) -> None:
        self._size_bytes = size_bytes
        self._held_bytes = 0
        self._changed = threading.Condition()
        self._stop = stop
        stop.on_stop(lambda _: self._wake())

    def take(self, size_bytes: int) -> None:
        """Wait until there is room. Raises the reason of a stop, also while it waits."""
        with self._changed:
            self._stop.check()
            while self._held_bytes and self._held_bytes + size_bytes > self._size_bytes:
                self._changed.wait()
                self._stop.check()
            self._held_bytes += size_bytes

    def give(self, size_bytes: int) -> None:
        with self._changed:
            self._held_bytes -= size_bytes
            self._changed.notify_all()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


class Senders:
    """Threads that write batches and acknowledge them. All have ended when the context manager exits.

    The first thread that fails triggers ``stop``, which stops the reader and the other threads. ``failure``
    is the reason.
    """

    def __init__(
        self, writer: Writer, ledger: Ledger, budget: ByteBudget, stop: StopToken, threads: int
    ) -> None:
        self._writer = writer
        self._ledger = ledger
        self._budget = budget
        self._stop = stop
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="send")
        self._waiting: deque[tuple[int, Sequence[Piece], int]] = deque()
        self._order = threading.Lock()
        self._in_progress: set[Future[None]] = set()
        self._failures: list[BaseException] = []

    def submit(self, sequence: int, batch: Sequence[Piece], held_bytes: int) -> None:
        """Submit a batch, one piece for each partition, as soon as there is room for its ``held_bytes``."""
        self._budget.take(held_bytes)
        self._collect({future for future in self._in_progress if future.done()})
        self._waiting.append((sequence, batch, held_bytes))
        self._in_progress.add(self._pool.submit(self._send_next))

    def _send_next(self) -> None:
        # Under a lock, so that batches are queued in the order in which they were read.
        with self._order:
            self._stop.check()
            sequence, batch, held_bytes = self._waiting.popleft()
            position = self._writer.enqueue()
        outcome = Outcome()
        try:
            self._writer.write(position, batch, outcome)
        except BaseException:
            self._ledger.broke_off(
                sequence,
                outcome.written,
                outcome.bytes_written,
                outcome.rejected,
                in_doubt=outcome.in_doubt,
            )
            self._stop.stop(Interrupted("Another batch of the slice failed."))
            raise
        else:
            self._ledger.acknowledge(
                sequence,
                outcome.written,
                outcome.bytes_written,
                outcome.rejected,
                repeated=outcome.repeated,
            )
        finally:
            self._budget.give(held_bytes)

    def _collect(self, done: set[Future[None]]) -> None:
        self._in_progress -= done
        self._failures += [error for future in done if (error := future.exception()) is not None]

    def settle(self) -> None:
        """Wait until every submitted batch is written. Raises ``failure``."""
        self._collect(wait(self._in_progress).done)
        if self.failure is not None:
            raise self.failure

    @property
    def failure(self) -> BaseException | None:
        """The error with which a sender failed: the cause, rather than the stops that followed from it."""
        causes = [error for error in self._failures if not isinstance(error, Interrupted)]
        return next(iter(causes or self._failures), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Batches that were read before the source failed are still sent. After a stop, nothing is sent.
        if error is not None and (isinstance(error, Interrupted) or not isinstance(error, FerryError)):
            self._stop.stop(Interrupted("The reader stopped."))
        self._pool.shutdown(wait=True)
        self._collect(set(self._in_progress))
