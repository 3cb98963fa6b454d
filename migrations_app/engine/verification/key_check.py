"""Key check: finds out if the keys that were sent are in the target. A count of rows cannot show this if some
of them replaced rows that were in the target before.

The keys are read from the source again, and counted in the target page by page. Between two pages only a
``KeyCheckState`` has to be stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.errors import CursorLost
from migrations_app.engine.mapping import Mapping
from migrations_app.engine.model.batch import Batch, CollectionRef, Cursor, Slice
from migrations_app.engine.sources.base import Closable, ReadContext, Source
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
    sent, and ``found`` have a key that is in the target. ``reason``: why the check ended early.
    """

    part: int = 0
    after: Cursor | None = None
    read: int = 0
    asked: int = 0
    found: int = 0
    is_done: bool = False
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


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
    """One key check. ``save`` is called with each new state."""

    def __init__(
        self,
        source: Source,
        target: Target,
        sent: SentRows,
        *,
        state: KeyCheckState | None = None,
        save: Callable[[KeyCheckState], None] = lambda state: None,
    ) -> None:
        self._source = source
        self._target = target
        self._sent = sent
        self._save = save
        self.state = state or KeyCheckState()

    def run(self, stop: StopToken, deadline: Deadline) -> bool:
        """Continue until done or until ``deadline``, and return True if done. If not done, run it again later
        with the saved state.

        Raises the reason of ``stop``, and the errors of source and target.
        """
        while not self.state.is_done:
            if self.state.part >= len(self._sent.parts) or self._left == 0:
                self._update(is_done=True)
            elif self._is_slice_checked(ReadContext(stop), deadline):
                self._update(part=self.state.part + 1, after=None)
            else:
                break
        return self.state.is_done

    @property
    def _left(self) -> int | None:
        return None if self._sent.limit is None else max(0, self._sent.limit - self.state.read)

    def _is_slice_checked(self, ctx: ReadContext, deadline: Deadline) -> bool:
        try:
            return self._check_slice(self._sent.parts[self.state.part], ctx, deadline)
        except CursorLost:
            self._update(is_done=True, reason=CURSOR_LOST)
            return False

    def _check_slice(self, part: Slice, ctx: ReadContext, deadline: Deadline) -> bool:
        """Look for the keys of ``part``, from where the last run stopped. Return True at the end of it."""
        state = self.state
        plan = replace(self._sent.mapping.read_plan, limit=self._left)
        stream = self._source.read(self._sent.ref, part, state.after, plan, ctx)
        with closing(cast(Closable, stream)):
            for batch in stream:
                ctx.stop.check()
                state = self._after_batch(state, batch)
                if part.resumable:
                    self._update(**state.as_dict())
                if deadline.is_over and part.resumable:
                    return False
                if deadline.is_over:
                    self._update(is_done=True, reason=NOT_RESUMABLE)
                    return False
        self._update(**state.as_dict())
        return True

    def _after_batch(self, state: KeyCheckState, batch: Batch) -> KeyCheckState:
        mapped = self._sent.mapping.apply(batch)
        keys = mapped.rows.column(self._sent.mapping.target.key.name)
        if self._sent.rejected is not None:
            keys = keys.filter(pc.invert(pc.is_in(mapped.locators, value_set=self._sent.rejected)))
        return replace(
            state,
            after=batch.after,
            read=state.read + batch.rows_read,
            # Collapsed rows share their key with another row of the page, so they are not looked for again.
            asked=state.asked + len(keys) + mapped.collapsed,
            found=state.found + self._count_keys(keys) + mapped.collapsed,
        )

    def _count_keys(self, keys: pa.Array) -> int:
        name, key = self._sent.mapping.target.name, self._sent.mapping.target.key.name
        pages = (keys.slice(first, KEYS_AT_ONCE) for first in range(0, len(keys), KEYS_AT_ONCE))
        return sum(self._target.count_keys(name, key, page) for page in pages)

    def _update(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)
        self._save(self.state)
