"""Whether the keys that were sent are in the target: what a count of rows cannot tell where some of them
replaced rows that were there before.

The keys are read from the source once more, and counted in the target page by page. All that has to be
remembered between two pages is a ``KeyCheckState``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.mapping import Mapping
from migrations_app.engine.model.batch import Batch, CollectionRef, Cursor, Slice
from migrations_app.engine.sources.base import Closable, ReadContext, Source
from migrations_app.engine.stop_token import Deadline, StopToken
from migrations_app.engine.targets.base import Target

# Of an expression: more would be a request of megabytes.
KEYS_AT_ONCE = 10_000
NO_PLACE = "the table has no key of its own to go on after, and reading it takes longer than one turn"


@dataclass(frozen=True, slots=True)
class KeyCheckState:
    """How far a search came: ``read`` rows up to ``after`` in slice number ``part``. ``as_dict`` is JSON.

    Of these, ``asked`` have a key that was sent, and ``found`` one that is in the target. ``reason`` says why
    not all were looked for.
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
    """What was sent: the slices of a collection, by a mapping, at most ``limit`` rows, all but those whose
    locators are among ``rejected``. The keys of one batch are asked for in one expression, or in several of
    ``KEYS_AT_ONCE``."""

    ref: CollectionRef
    parts: Sequence[Slice]
    mapping: Mapping
    limit: int | None = None
    rejected: pa.Array | None = None


class KeyCheck:
    """One search. ``save`` is given each new state."""

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
        """Go on until done, or until ``deadline``: then run again from the saved state. Whether it is done.

        Raises the reason of ``stop``, and what source and target raise.
        """
        while not self.state.is_done:
            if self.state.part >= len(self._sent.parts) or self._left == 0:
                self._keep(is_done=True)
            elif self._search(self._sent.parts[self.state.part], ReadContext(stop), deadline):
                self._keep(part=self.state.part + 1, after=None)
            else:
                break
        return self.state.is_done

    @property
    def _left(self) -> int | None:
        return None if self._sent.limit is None else max(0, self._sent.limit - self.state.read)

    def _search(self, part: Slice, ctx: ReadContext, deadline: Deadline) -> bool:
        """Look for the keys of ``part``, from where an earlier turn stopped. Whether it is through."""
        found = self.state
        plan = replace(self._sent.mapping.read_plan, limit=self._left)
        stream = self._source.read(self._sent.ref, part, found.after, plan, ctx)
        with closing(cast(Closable, stream)):
            for batch in stream:
                ctx.stop.check()
                found = self._counted(found, batch)
                if part.resumable:
                    self._keep(**found.as_dict())
                if deadline.is_over and part.resumable:
                    return False
                if deadline.is_over:
                    self._keep(is_done=True, reason=NO_PLACE)
                    return False
        self._keep(**found.as_dict())
        return True

    def _counted(self, state: KeyCheckState, batch: Batch) -> KeyCheckState:
        mapped = self._sent.mapping.apply(batch)
        keys = mapped.rows.column(self._sent.mapping.target.key.name)
        if self._sent.rejected is not None:
            keys = keys.filter(pc.invert(pc.is_in(mapped.locators, value_set=self._sent.rejected)))
        return replace(
            state,
            after=batch.after,
            read=state.read + batch.rows_read,
            # A row whose key another one on the page has is not looked for a second time.
            asked=state.asked + len(keys) + mapped.collapsed,
            found=state.found + self._found(keys) + mapped.collapsed,
        )

    def _found(self, keys: pa.Array) -> int:
        name, key = self._sent.mapping.target.name, self._sent.mapping.target.key.name
        pages = (keys.slice(first, KEYS_AT_ONCE) for first in range(0, len(keys), KEYS_AT_ONCE))
        return sum(self._target.count_keys(name, key, page) for page in pages)

    def _keep(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)
        self._save(self.state)
