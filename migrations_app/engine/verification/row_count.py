"""How many rows a collection of the target holds.

Milvus answers ``count(*)`` only for a loaded collection, and loads only an indexed one. So a count may have
to index and load for the moment; what was found is put back. It goes in steps, so that it can be interrupted
and gone on with by another process: all it has to remember is a ``CountState``.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from migrations_app.engine.errors import Canceled, FerryError, Interrupted, TargetChanged, TargetError
from migrations_app.engine.milvus.metrics import FULL_TEXT_METRICS, METRICS
from migrations_app.engine.model.target_schema import IndexSpec, TargetField, TargetSchema
from migrations_app.engine.stop_token import Deadline, StopToken
from migrations_app.engine.targets.base import Target
from migrations_app.engine.verification.stall import StallDetector

# What else is asked of a loaded collection: given its rows; whether it is through.
WhileLoaded = Callable[[int, StopToken, Deadline], bool]
POLL_SECONDS = 0.5
MAX_ASKS = 3
STATISTICS, COUNT = "statistics", "count(*)"


@dataclass(frozen=True, slots=True)
class CountState:
    """How far a count came. ``as_dict`` is JSON.

    ``unindexed`` and ``was_loaded`` are what was found, once ``is_prepared``; ``asks`` how often a load was
    asked for, and ``watch`` how far it was last seen.
    ``rows`` is None until counted, and stays so where the target refuses, as ``reason`` says; beside a count
    it says what could not be put back.
    ``by_partition`` are the rows of each partition that was asked for.
    """

    is_flushed: bool = False
    is_prepared: bool = False
    unindexed: tuple[str, ...] = ()
    was_loaded: bool = True
    asks: int = 0
    watch: StallDetector = dataclasses.field(default_factory=StallDetector)
    is_done: bool = False
    rows: int | None = None
    method: str = ""
    reason: str = ""
    by_partition: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CountState:
        watch = StallDetector(**data.get("watch", {}))
        return cls(**data | {"unindexed": tuple(data.get("unindexed", ())), "watch": watch})


class RowCount:
    """One count of one collection.

    ``statistics_are_exact``: no key was sent twice, so that segment statistics will do.
    ``indexes`` and ``keep_loaded``: what is wanted afterwards in any case, and so is not undone.
    ``partitions``: those to count each by itself, too.
    ``while_loaded`` is called after the count, before what was found is restored, until it says that it is
    through. A load of which nothing moves for ``stall_seconds`` counts as refused.
    ``save`` is given each new state, before what it says is done to the target.
    """

    def __init__(
        self,
        target: Target,
        name: str,
        *,
        statistics_are_exact: bool = False,
        indexes: Sequence[IndexSpec] = (),
        keep_loaded: bool = False,
        partitions: Sequence[str] = (),
        while_loaded: WhileLoaded = lambda rows, stop, deadline: True,
        stall_seconds: float = 900.0,
        state: CountState | None = None,
        save: Callable[[CountState], None] = lambda state: None,
    ) -> None:
        self._target = target
        self._name = name
        self._statistics_are_exact = statistics_are_exact
        self._indexes = {index.field: index for index in indexes}
        self._keep_loaded = keep_loaded
        self._partitions = partitions
        self._while_loaded = while_loaded
        self._stall_seconds = stall_seconds
        self._save = save
        self.state = state or CountState()

    def run(self, stop: StopToken, deadline: Deadline) -> CountState:
        """Go on until done, or until ``deadline``: then run again, in any process, from the saved state.

        Raises what ``stop`` was asked for (a cancel first puts back what was found), ``TargetChanged`` where
        the collection is gone, and retryable errors. Any other refusal is a count without ``rows``.
        """
        try:
            while not self.state.is_done and not deadline.is_over:
                stop.check()
                self._step(stop, deadline)
        except Canceled:
            self.undo()
            raise
        except FerryError as error:
            if error.retryable or isinstance(error, (Interrupted, TargetChanged)):
                raise
            self._keep(reason=error.message)
            self.restore()
            self._keep(is_done=True)
        return self.state

    def undo(self) -> None:
        """Restore, and be as if nothing was counted: for a count that is not gone on with."""
        self.restore()
        self.state = CountState()
        self._save(self.state)

    def restore(self) -> None:
        """Put back the indexes and the load state that were found. Safe to call twice, and at any time. What
        the target refuses of it is noted in ``reason``."""
        if not self.state.is_prepared:
            return
        if not (self.state.was_loaded or self._keep_loaded):
            self._put_back(self._target.release)
        for name in self.state.unindexed:
            if name not in self._indexes:
                self._put_back(self._target.drop_index, name)

    def _put_back(self, ask: Callable[..., None], *more: str) -> None:
        try:
            ask(self._name, *more)
        except FerryError as error:
            if error.retryable or isinstance(error, (Interrupted, TargetChanged)):
                raise
            self._keep(reason=f"{self.state.reason} {error.message}".strip())

    def _step(self, stop: StopToken, deadline: Deadline) -> None:
        capabilities = self._target.capabilities()
        if capabilities.flush_before_count and not self.state.is_flushed:
            self._target.flush(self._name, stop)
            self._keep(is_flushed=True)
        elif not capabilities.count_needs_load:
            self._count(stop, deadline)
        elif self._statistics_are_exact:
            self._keep_rows(self._target.row_statistics, STATISTICS, stop)
            self._keep(is_done=True)
        elif not self.state.is_prepared:
            self._look()
        elif self._is_loaded(stop):
            self._count(stop, deadline)

    def _count(self, stop: StopToken, deadline: Deadline) -> None:
        if self.state.rows is None:
            self._keep_rows(self._target.count, COUNT, stop)
        assert self.state.rows is not None
        if self._while_loaded(self.state.rows, stop, deadline):
            self.restore()
            self._keep(is_done=True)

    def _keep_rows(self, rows_of: Callable[..., int], method: str, stop: StopToken) -> None:
        found: dict[str, int] = {}
        for partition in self._partitions:
            stop.check()
            found[partition] = rows_of(self._name, partition)
        self._keep(rows=rows_of(self._name), method=method, by_partition=found)

    def _look(self) -> None:
        indexed = {index.spec.field for index in self._target.indexes(self._name)}
        self._keep(
            is_prepared=True,
            unindexed=tuple(f.name for f in self._schema().vector_fields if f.name not in indexed),
            was_loaded=self._target.load_state(self._name).is_loaded,
        )

    def _is_loaded(self, stop: StopToken) -> bool:
        found = self._target.load_state(self._name)
        if found.state == "not_loaded":
            self._ask()
        if not found.is_loaded:
            self._look_for_a_stall(found.percent)
            stop.wait(POLL_SECONDS)
        return found.is_loaded

    def _look_for_a_stall(self, percent: int) -> None:
        self._keep(watch=self.state.watch.look(percent, time.time()))
        if self.state.watch.idle_seconds > self._stall_seconds:
            raise TargetError(
                f"“{self._name}” could not be loaded for counting: it stood at {percent} % for "
                f"{self._stall_seconds:g} seconds."
            )

    def _ask(self) -> None:
        """Index what has none, and load. Asking again for what is under way changes nothing."""
        if self.state.asks >= MAX_ASKS:
            raise TargetError(f"“{self._name}” could not be loaded for counting.")
        self._keep(asks=self.state.asks + 1)
        schema = self._schema()
        for vector in schema.vector_fields:
            if vector.name in self.state.unindexed:
                wanted = self._indexes.get(vector.name)
                is_made = vector.name in schema.outputs
                self._target.create_index(self._name, wanted or momentary(vector, is_made=is_made))
        self._target.load(self._name)

    def _schema(self) -> TargetSchema:
        schema = self._target.describe(self._name)
        if schema is None:
            raise TargetChanged(f"There is no collection “{self._name}” any more.")
        return schema

    def _keep(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)
        self._save(self.state)


def momentary(field: TargetField, *, is_made: bool = False) -> IndexSpec:
    """An index that lets a collection be loaded, by any metric. ``is_made``: full-text search fills it."""
    metric = FULL_TEXT_METRICS[0] if is_made else METRICS[field.spec.type][0]
    return IndexSpec(field.name, metric=metric)
