"""A thread that keeps a lease while another works, and tells it to stop when it must."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from django.db import Error as DatabaseError
from django.db import connections

from migrations_app.engine.errors import Draining, Interrupted, LeaseLost
from migrations_app.engine.stop_token import StopToken
from migrations_app.execution.lease import Terms

logger = logging.getLogger(__name__)
LOOK_SECONDS = 0.2


class Drain:
    """Whether this process is to let go of its work. A signal handler may set it: it takes no lock."""

    def __init__(self) -> None:
        self.is_asked = False

    def ask(self) -> None:
        self.is_asked = True


drain = Drain()


class Heartbeat:
    """Calls ``beat`` every ``terms.interval_seconds`` as long as the ``with`` block runs.

    ``beat`` renews the lease and gives the reason to stop, or None. Where it fails (the database is away) it
    is tried again until the lease is over; then, as after a beat that lost the lease, ``stop`` is told.
    ``held_since`` is the monotonic time just before the lease was taken.
    """

    def __init__(
        self, beat: Callable[[], Interrupted | None], terms: Terms, stop: StopToken, held_since: float
    ) -> None:
        self._beat = beat
        self._terms = terms
        self._stop = stop
        self._lease_end = held_since + terms.lease_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        due = time.monotonic() + self._terms.interval_seconds
        try:
            while not self._over.wait(LOOK_SECONDS):
                if drain.is_asked:
                    self._stop.stop(Draining("The worker is shutting down."))
                if time.monotonic() >= due:
                    self._try()
                    due = time.monotonic() + self._terms.interval_seconds
        finally:
            # Without a heartbeat nobody may go on, whatever ended it.
            if not self._over.is_set():
                self._stop.stop(LeaseLost("The heartbeat ended."))
            connections.close_all()

    def _try(self) -> None:
        started = time.monotonic()
        try:
            reason = self._beat()
        except DatabaseError as error:
            logger.warning("A lease could not be renewed: %s", error)
            connections.close_all()
            if time.monotonic() >= self._lease_end:
                self._stop.stop(LeaseLost("The lease ran out while the database was away."))
            return
        self._lease_end = started + self._terms.lease_seconds
        if reason is not None:
            self._stop.stop(reason)
