"""Read context: what a question to a source or a target may use, and when it must end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from migrations_app.engine.errors import TimeIsUp
from migrations_app.engine.log import Log, silent
from migrations_app.engine.stop_token import Deadline, StopToken


class ReadContext:
    """The resources of a read or another question: a stop token, a deadline, a memory budget in bytes, a log.

    After a stop, the question raises the reason within half a second, also while it waits for a server. A
    source looks at the stop alone. The deadline is for the pipeline, which decides when a slice pauses; the
    time limit of a question arrives as a stop (``time_limit``).
    """

    def __init__(
        self,
        stop: StopToken | None = None,
        deadline: Deadline | None = None,
        memory_bytes: int = 64 * 1024 * 1024,
        log: Log = silent,
    ) -> None:
        self.stop = stop or StopToken()
        self.deadline = deadline or Deadline()
        self.memory_bytes = memory_bytes
        self.log = log


@contextmanager
def time_limit(ctx: ReadContext, seconds: float) -> Iterator[ReadContext]:
    """Yield a context like ``ctx`` that is stopped with ``TimeIsUp`` after ``seconds``."""
    stop = ctx.stop.child()
    timer = threading.Timer(seconds, stop.stop, (TimeIsUp(f"The time limit of {seconds:g} s is over."),))
    timer.daemon = True
    timer.start()
    try:
        yield ReadContext(stop, ctx.deadline, ctx.memory_bytes, ctx.log)
    finally:
        timer.cancel()
