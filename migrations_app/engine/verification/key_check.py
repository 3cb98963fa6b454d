"""Key check: finds out if the keys that were sent are in the target. A count of rows cannot show this if some
of them replaced rows that were in the target before.

The keys are read from the source again, and counted in the target page by page. Between two pages only a
``KeyCheckState`` has to be stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.errors import BoundsLost, CursorLost, FerryError
from migrations_app.engine.log import Log, silent
from migrations_app.engine.mapping import Mapping
from migrations_app.engine.model.batch import Batch, CollectionRef, Cursor, Slice
from migrations_app.engine.pacing.retry_policy import RetryPolicy
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.reading.slice_reader import SliceReader
from migrations_app.engine.reading.throttle import Throttle
from migrations_app.engine.sources.base import Source
from migrations_app.engine.stop_token import Deadline, StopToken
from migrations_app.engine.targets.base import Target

# The keys of one filter expression. More of them would make a request of several megabytes.
KEYS_AT_ONCE = 10_000
NOT_RESUMABLE = (
    "the source collection has no key order to continue from, and reading all of it takes longer than one "
    "task may run"
)
CURSOR_LOST = "the source lost the place of the read while the keys were compared"


@dataclass(frozen=True, slots=True)
class KeyCheckState:
    """The progress of a key check; ``as_dict`` returns JSON.

    ``read`` rows were read, up to ``after`` in slice number ``part``. ``asked`` of them have a key that was
    sent, and ``found`` have a key that is in the target. ``before``: these three numbers at the start of the
    slice, in case it starts over. ``reason``: why the check ended early.
    """

    part: int = 0
    after: Cursor | None = None
    read: int = 0
    asked: int = 0
    found: int = 0
    before: tuple[int, int, int] = (0, 0, 0)
    is_done: bool = False
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> KeyCheckState:
        read, asked, found = data.get("before", cls().before)
        return cls(**data | {"before": (read, asked, found)})

    def next_slice(self) -> KeyCheckState:
        before = (self.read, self.asked, self.found)
        return replace(self, part=self.part + 1, after=None, before=before)

    def at_start_of_slice(self) -> KeyCheckState:
        read, asked, found = self.before
        return replace(self, after=None, read=read, asked=asked, found=found)


@dataclass(frozen=True, slots=True)
class SentRows:
    """The rows that were sent: those of all slices, through ``mapping``, at most ``limit`` rows, without the
    rows whose locators are in ``rejected``."""

    ref: CollectionRef
    parts: Sequence[Slice]
    mapping: Mapping
    limit: int | None = None
    rejected: pa.Array | None = None


class KeyCheck:
    """One key check. ``save`` is called with each new state. ``throttle`` limits how fast rows are read."""

    def __init__(
        self,
        source: Source,
        target: Target,
        sent: SentRows,
        *,
        state: KeyCheckState | None = None,
        save: Callable[[KeyCheckState], None] = lambda state: None,
        retry: RetryPolicy | None = None,
        throttle: Throttle | None = None,
        log: Log = silent,
    ) -> None:
        self._source = source
        self._target = target
        self._sent = sent
        self._save = save
        self._retry = retry or RetryPolicy()
        self._throttle = throttle
        self._log = log
        self.state = state or KeyCheckState()

    def run(self, stop: StopToken, deadline: Deadline) -> bool:
        """Continue until done or until ``deadline``, and return True if done. If not done, run it again later
        with the saved state.

        Raises the reason of ``stop``, and the errors of source and target.
        """
        while not self.state.is_done:
            if self.state.part >= len(self._sent.parts) or self._left == 0:
                self._update(replace(self.state, is_done=True))
            elif self._is_slice_checked(ReadContext(stop, log=self._log), deadline):
                self._update(self.state.next_slice())
            else:
                break
        return self.state.is_done

    @property
    def _left(self) -> int | None:
        return None if self._sent.limit is None else max(0, self._sent.limit - self.state.read)

    def _is_slice_checked(self, ctx: ReadContext, deadline: Deadline) -> bool:
        try:
            return self._check_slice(self._sent.parts[self.state.part], ctx, deadline)
        except (CursorLost, BoundsLost):
            self._end_early(CURSOR_LOST)
            return False

    def _check_slice(self, part: Slice, ctx: ReadContext, deadline: Deadline) -> bool:
        """Look for the keys of ``part``, from where the last run stopped. Return True at the end of it."""
        if not part.resumable:
            self.state = self.state.at_start_of_slice()
        reader, read_before = self._reader(part), self.state.before[0]
        with closing(reader.batches(self.state.after, ctx, self.state.read - read_before)) as batches:
            for batch in batches:
                ctx.stop.check()
                if self._throttle is not None:
                    self._throttle.pay(batch.rows_read, ctx.stop)
                self._update(self._after_batch(batch))
                if deadline.is_over:
                    if reader.has_lost_cursor or not part.resumable:
                        self._end_early(CURSOR_LOST if reader.has_lost_cursor else NOT_RESUMABLE)
                    return False
        return True

    def _reader(self, part: Slice) -> SliceReader:
        limit = self._sent.limit
        left = None if limit is None else limit - self.state.before[0]
        plan = replace(self._sent.mapping.read_plan, limit=left)
        if self._throttle is not None:
            plan = replace(plan, batch_bytes=self._throttle.batch_bytes(plan))
        return SliceReader(
            self._source,
            self._sent.ref,
            part,
            plan,
            retry=self._retry,
            log=self._log,
            start_over=self._start_over,
        )

    def _start_over(self, error: FerryError) -> None:
        self._update(self.state.at_start_of_slice())

    def _after_batch(self, batch: Batch) -> KeyCheckState:
        mapped = self._sent.mapping.apply(batch)
        keys = mapped.rows.column(self._sent.mapping.target.key.name)
        if self._sent.rejected is not None:
            keys = keys.filter(pc.invert(pc.is_in(mapped.locators, value_set=self._sent.rejected)))
        return replace(
            self.state,
            after=batch.after,
            read=self.state.read + batch.rows_read,
            # Collapsed rows share their key with another row of the page, so they are not looked for again.
            asked=self.state.asked + len(keys) + mapped.collapsed,
            found=self.state.found + self._count_keys(keys) + mapped.collapsed,
        )

    def _count_keys(self, keys: pa.Array) -> int:
        name, key = self._sent.mapping.target.name, self._sent.mapping.target.key.name
        pages = (keys.slice(first, KEYS_AT_ONCE) for first in range(0, len(keys), KEYS_AT_ONCE))
        return sum(self._target.count_keys(name, key, page) for page in pages)

    def _end_early(self, reason: str) -> None:
        self._update(replace(self.state, is_done=True, reason=reason))

    def _update(self, state: KeyCheckState) -> None:
        self.state = state
        self._save(state)
