"""The senders of one slice: threads that write batches, and the memory that batches under way may hold."""

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
    """Bytes that may be held at once. Something larger than all of it is let in alone."""

    def __init__(self, size_bytes: int, stop: StopToken) -> None:
        self._size_bytes = size_bytes
        self._held_bytes = 0
        self._changed = threading.Condition()
        self._stop = stop
        self.peak_bytes = 0
        stop.on_stop(lambda _: self._wake())

    def take(self, size_bytes: int) -> None:
        """Wait until there is room. Raises the reason of a stop, also while it waits."""
        with self._changed:
            self._stop.check()
            while self._held_bytes and self._held_bytes + size_bytes > self._size_bytes:
                self._changed.wait()
                self._stop.check()
            self._held_bytes += size_bytes
            self.peak_bytes = max(self.peak_bytes, self._held_bytes)

    def give(self, size_bytes: int) -> None:
        with self._changed:
            self._held_bytes -= size_bytes
            self._changed.notify_all()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


class Senders:
    """Threads that write batches and acknowledge them. As a context manager: none outlives it.

    The first one that fails stops ``stop``, and with it the reader and the others; ``failure`` keeps why.
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
        self._door = threading.Lock()
        self._under_way: set[Future[None]] = set()
        self._failures: list[BaseException] = []

    def submit(self, sequence: int, batch: Sequence[Piece], held_bytes: int) -> None:
        """Hand over a batch, a piece a partition, once there is room for its ``held_bytes``."""
        self._budget.take(held_bytes)
        self._collect({future for future in self._under_way if future.done()})
        self._waiting.append((sequence, batch, held_bytes))
        self._under_way.add(self._pool.submit(self._send_next))

    def _send_next(self) -> None:
        # One at a time, so that batches have their places in the order in which they were read.
        with self._door:
            self._stop.check()
            sequence, batch, held_bytes = self._waiting.popleft()
            place = self._writer.place()
        done = Outcome()
        try:
            self._writer.write(place, batch, done)
        except BaseException:
            self._ledger.broke_off(
                sequence, done.written, done.bytes_written, done.rejected, in_doubt=done.in_doubt
            )
            self._stop.stop(Interrupted("Another batch of the slice failed."))
            raise
        else:
            self._ledger.acknowledge(
                sequence, done.written, done.bytes_written, done.rejected, repeated=done.repeated
            )
        finally:
            self._budget.give(held_bytes)

    def _collect(self, done: set[Future[None]]) -> None:
        self._under_way -= done
        self._failures += [error for future in done if (error := future.exception()) is not None]

    def settle(self) -> None:
        """Wait until all that was handed over is written. Raises ``failure``."""
        self._collect(wait(self._under_way).done)
        if self.failure is not None:
            raise self.failure

    @property
    def failure(self) -> BaseException | None:
        """Why a sender failed: the cause, rather than the stops that followed from it."""
        causes = [error for error in self._failures if not isinstance(error, Interrupted)]
        return next(iter(causes or self._failures), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What was read before the source failed is good and still goes out; after a stop nothing does.
        if error is not None and (isinstance(error, Interrupted) or not isinstance(error, FerryError)):
            self._stop.stop(Interrupted("The reader stopped."))
        self._pool.shutdown(wait=True)
        self._collect(set(self._under_way))
