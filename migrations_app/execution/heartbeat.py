"""Heartbeat: a thread that renews a lease while another thread works, and stops the work if it must end."""

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
POLL_SECONDS = 0.2


class Drain:
    """Request to this process to release its work and end. It has no lock, so a signal handler may set it."""

    def __init__(self) -> None:
        self.is_requested = False

    def request(self) -> None:
        self.is_requested = True


drain = Drain()


class Heartbeat:
    """Calls ``beat`` every ``terms.interval_seconds`` while the ``with`` block runs.

    ``beat`` renews the lease and returns the reason to stop, or None. If it fails because the database is
    unavailable, it is called again until the lease runs out. ``stop`` is set if ``beat`` returns a reason, or
    if the lease runs out. ``held_since`` is the monotonic time just before the lease was taken.
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
            while not self._over.wait(POLL_SECONDS):
                if drain.is_requested:
                    self._stop.stop(Draining("The worker is shutting down."))
                if time.monotonic() >= due:
                    self._beat_once()
                    due = time.monotonic() + self._terms.interval_seconds
        finally:
            # Without a heartbeat the work must stop, even if the thread ended with an exception.
            if not self._over.is_set():
                self._stop.stop(LeaseLost("The heartbeat stopped."))
            connections.close_all()

    def _beat_once(self) -> None:
        started = time.monotonic()
        try:
            reason = self._beat()
        except DatabaseError as error:
            logger.warning("A lease could not be renewed: %s", error)
            connections.close_all()
            if time.monotonic() >= self._lease_end:
                self._stop.stop(LeaseLost("The lease ran out while the database was unavailable."))
            return
        self._lease_end = started + self._terms.lease_seconds
        if reason is not None:
            self._stop.stop(reason)
