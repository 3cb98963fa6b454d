"""Reading no faster than a plan allows (``source_rows_per_second``)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pyarrow as pa

from migrations_app.engine.model.batch import ReadPlan
from migrations_app.engine.model.types import TypeSpec, arrow_type
from migrations_app.engine.stop_token import StopToken

# Time that went by without a read is lost, but for so much of it: what was late may be made up for.
GRACE_SECONDS = 1.0
# A batch holds about as many rows as may be read in this time, so that they come evenly.
BATCH_SECONDS = 1.0
LEAST_BATCH_BYTES = 4096
TYPICAL_BYTES = 64


class Throttle:
    """Lets rows pass at ``rows_per_second`` on average, those of one batch together.

    One thread pays; another may set ``sharers``, the number of reads that share the rate, at any time.
    """

    def __init__(self, rows_per_second: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.rows_per_second = rows_per_second
        self.sharers = 1
        self._clock = clock
        self._due = clock()

    def pay(self, rows: int, stop: StopToken) -> None:
        """Wait until ``rows`` more may pass. Raises the reason of a stop, also while it waits."""
        self._due = max(self._due + rows * self.sharers / self.rows_per_second, self._clock() - GRACE_SECONDS)
        seconds = self._due - self._clock()
        if seconds > 0:
            stop.wait(seconds)

    def batch_bytes(self, plan: ReadPlan) -> int:
        """How large a batch of ``plan`` should be, at most as large as it asks for."""
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
