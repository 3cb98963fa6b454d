"""Throttle: limits how fast rows are read from the source (``source_rows_per_second`` of a plan)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pyarrow as pa

from migrations_app.engine.model.batch import ReadPlan
from migrations_app.engine.model.types import TypeSpec, arrow_type
from migrations_app.engine.stop_token import StopToken

# After a delay, a read may catch up by at most this time. Longer idle time is lost.
GRACE_SECONDS = 1.0
# A batch holds about the rows that may be read in this time, so that rows arrive evenly.
BATCH_SECONDS = 1.0
LEAST_BATCH_BYTES = 4096
TYPICAL_BYTES = 64


class Throttle:
    """Lets rows pass at ``rows_per_second`` on average, one batch at a time.

    One thread calls ``pay``. Another may set ``sharers``, how many reads share the rate, at any time.
    """

    def __init__(self, rows_per_second: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.rows_per_second = rows_per_second
        self.sharers = 1
        self._clock = clock
        self._due = clock()

    @classmethod
    def of(cls, rows_per_second: int | None) -> Throttle | None:
        """Return a throttle for the limit of a plan; None if there is no limit."""
        return None if rows_per_second is None else cls(rows_per_second)

    def pay(self, rows: int, stop: StopToken) -> None:
        """Wait until ``rows`` more rows may pass. Raises the reason of a stop, also while it waits."""
        self._due = max(self._due + rows * self.sharers / self.rows_per_second, self._clock() - GRACE_SECONDS)
        seconds = self._due - self._clock()
        if seconds > 0:
            stop.wait(seconds)

    def batch_bytes(self, plan: ReadPlan) -> int:
        """Return the size for batches of ``plan``, at most the size that the plan asks for."""
        row_bytes = sum(_typical_bytes(column.spec) for column in plan.columns)
        wanted = int(row_bytes * self.rows_per_second * BATCH_SECONDS)
        return min(max(wanted, LEAST_BATCH_BYTES), plan.batch_bytes)


def _typical_bytes(spec: TypeSpec) -> int:
    kind = arrow_type(spec)
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size * kind.value_type.bit_width // 8)
    if pa.types.is_fixed_size_binary(kind):
        return int(kind.byte_width)
    return int(kind.bit_width // 8) if pa.types.is_primitive(kind) else TYPICAL_BYTES
