"""Row count: counts the rows of a collection in the target.

Milvus answers ``count(*)`` only for a loaded collection, and loads only an indexed one. So a count may have
to create indexes and load the collection for a short time; afterwards it restores the previous state. It
works in steps, so that it can be interrupted and another process can continue it: only a ``CountState`` has
to be stored.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from migrations_app.engine.errors import FerryError, Interrupted, TargetChanged, TargetError
from migrations_app.engine.milvus.metrics import FULL_TEXT_METRICS, METRICS_OF_TYPE
from migrations_app.engine.model.target_schema import IndexSpec, TargetField, TargetSchema
from migrations_app.engine.stop_token import Deadline, StopToken
from migrations_app.engine.targets.base import Target
from migrations_app.engine.verification.stall import StallDetector

# Other work on the loaded collection. It gets the number of rows, and returns True when it is finished.
WhileLoaded = Callable[[int, StopToken, Deadline], bool]
POLL_SECONDS = 0.5
# The longest wait for a load in one run.
MAX_WAIT_SECONDS = 3.0
MAX_ASKS = 3
STATISTICS, COUNT = "statistics", "count(*)"


@dataclass(frozen=True, slots=True)
class CountState:
    """The progress of a count. ``as_dict`` is JSON.

    ``unindexed`` and ``was_loaded``: the state of the collection before the count, once ``is_prepared``.
    ``asks``: how often a load was requested. ``watch``: the progress of the load.
    ``rows`` is None until counted, and stays None if the target refuses the count. ``reason``: the error, or
    (after a count) what could not be restored.
    ``by_partition``: the rows of each partition that was to be counted.
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

    ``statistics_are_exact``: no key was sent twice, so the segment statistics are enough.
    ``indexes`` and ``keep_loaded``: what the collection needs after the count anyway, so it is not undone.
    ``partitions``: the partitions to count separately too.
    ``while_loaded`` is called after the count and before the previous state is restored, repeatedly until it
    returns True. A load that makes no progress for ``stall_seconds`` counts as refused.
    ``save`` is called with each new state, before the target is changed.
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
        self._waited_seconds = 0.0
        self.state = state or CountState()

    def run(self, stop: StopToken, deadline: Deadline) -> CountState:
        """Continue until done, until ``deadline``, or until the collection takes long to load. If not done,
        run it again later with the saved state, in any process.

        Raises the reason of ``stop``, ``TargetChanged`` if the collection no longer exists, and retryable
        errors. After any other error the state has no ``rows``. A count that is not continued after a stop
        has to be undone (``undo``).
        """
        try:
            while not self.state.is_done:
                stop.check()
                self._step(stop, deadline)
                if deadline.is_over or self._waited_seconds >= MAX_WAIT_SECONDS:
                    break
        except FerryError as error:
            if error.retryable or isinstance(error, (Interrupted, TargetChanged)):
                raise
            self._update(reason=error.message)
            self.restore()
            self._update(is_done=True)
        return self.state

    def undo(self) -> None:
        """Restore the previous state and discard the count: for a count that will not be continued."""
        self.restore()
        self.state = CountState()
        self._save(self.state)

    def restore(self) -> None:
        """Restore the previous indexes and load state. Safe to call at any time and more than once.

        If the target refuses a step, its error is noted in ``reason``.
        """
        if not self.state.is_prepared:
            return
        if not (self.state.was_loaded or self._keep_loaded):
            self._revert(self._target.release)
        for name in self.state.unindexed:
            if name not in self._indexes:
                self._revert(self._target.drop_index, name)

    def _revert(self, action: Callable[..., None], *arguments: str) -> None:
        try:
            action(self._name, *arguments)
        except FerryError as error:
            if error.retryable or isinstance(error, (Interrupted, TargetChanged)):
                raise
            self._update(reason=f"{self.state.reason} {error.message}".strip())

    def _step(self, stop: StopToken, deadline: Deadline) -> None:
        capabilities = self._target.capabilities()
        if capabilities.flush_before_count and not self.state.is_flushed:
            self._target.flush(self._name)
            self._update(is_flushed=True)
        elif not capabilities.count_needs_load:
            self._count(stop, deadline)
        elif self._statistics_are_exact:
            self._count_rows(self._target.row_statistics, STATISTICS, stop)
            self._update(is_done=True)
        elif not self.state.is_prepared:
            self._note_previous_state()
        elif self._is_loaded(stop):
            self._count(stop, deadline)

    def _count(self, stop: StopToken, deadline: Deadline) -> None:
        if self.state.rows is None:
            self._count_rows(self._target.count, COUNT, stop)
        assert self.state.rows is not None
        if self._while_loaded(self.state.rows, stop, deadline):
            self.restore()
            self._update(is_done=True)

    def _count_rows(self, rows_of: Callable[..., int], method: str, stop: StopToken) -> None:
        by_partition: dict[str, int] = {}
        for partition in self._partitions:
            stop.check()
            by_partition[partition] = rows_of(self._name, partition)
        self._update(rows=rows_of(self._name), method=method, by_partition=by_partition)

    def _note_previous_state(self) -> None:
        indexed = {index.spec.field for index in self._target.indexes(self._name)}
        self._update(
            is_prepared=True,
            unindexed=tuple(f.name for f in self._schema().vector_fields if f.name not in indexed),
            was_loaded=self._target.load_state(self._name).is_loaded,
        )

    def _is_loaded(self, stop: StopToken) -> bool:
        load = self._target.load_state(self._name)
        if load.state == "not_loaded":
            self._request_load()
        if not load.is_loaded:
            self._check_stall(load.percent)
            stop.wait(POLL_SECONDS)
            self._waited_seconds += POLL_SECONDS
        return load.is_loaded

    def _check_stall(self, percent: int) -> None:
        self._update(watch=self.state.watch.look(percent, time.time()))
        if self.state.watch.idle_seconds > self._stall_seconds:
            raise TargetError(
                f"“{self._name}” could not be loaded to count its rows: loading stayed at {percent} % for "
                f"{self._stall_seconds:g} seconds."
            )

    def _request_load(self) -> None:
        """Create the missing indexes, and load. Requesting again what is in progress changes nothing."""
        if self.state.asks >= MAX_ASKS:
            raise TargetError(f"“{self._name}” could not be loaded to count its rows.")
        self._update(asks=self.state.asks + 1)
        schema = self._schema()
        for vector in schema.vector_fields:
            if vector.name in self.state.unindexed:
                wanted = self._indexes.get(vector.name)
                is_output = vector.name in schema.outputs
                self._target.create_index(self._name, wanted or temporary_index(vector, is_output=is_output))
        self._target.load(self._name)

    def _schema(self) -> TargetSchema:
        schema = self._target.describe(self._name)
        if schema is None:
            raise TargetChanged(f"The collection “{self._name}” no longer exists.")
        return schema

    def _update(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)
        self._save(self.state)


def temporary_index(field: TargetField, *, is_output: bool = False) -> IndexSpec:
    """Return an index with which the collection can be loaded; the metric does not matter for counting.

    ``is_output``: the field is the output of a full-text search function.
    """
    metric = FULL_TEXT_METRICS[0] if is_output else METRICS_OF_TYPE[field.spec.type][0]
    return IndexSpec(field.name, metric=metric)
