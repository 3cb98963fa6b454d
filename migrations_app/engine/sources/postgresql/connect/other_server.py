"""Other server: finds out what answers on the port if PostgreSQL does not, before the time is up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from migrations_app.engine.errors import ConnectionFailed, ConnectTimeout, FerryError
from migrations_app.engine.probe import POSTGRESQL, TLS, Answer, probe
from migrations_app.engine.sources.postgresql.connect.connect_errors import not_postgresql, silent
from migrations_app.engine.sources.postgresql.connect.conninfo import PostgresAddress

# PostgreSQL answers sooner, unless it is far away or overloaded.
PATIENCE_SECONDS = 0.6
# Errors that another kind of server may cause.
UNCLEAR = frozenset(
    {"not_postgresql", "connection_closed", "connect_timeout", "tls_failed", "connection_failed"}
)
# These say nothing against PostgreSQL.
MAYBE_POSTGRESQL = ("", POSTGRESQL, TLS)


class OtherServer:
    """Looks at ``place`` (an IP address and a port) once, if an attempt to connect takes long or fails."""

    def __init__(self, place: Callable[[], tuple[str, int] | None], address: PostgresAddress) -> None:
        self._place, self._address = place, address
        self._began = time.monotonic()
        self._looking: threading.Thread | None = None
        self._answer = Answer()

    def check(self) -> None:
        """Called while the attempt lasts. Raises ``ConnectionFailed`` if another kind of server answers."""
        if self._looking is None and time.monotonic() - self._began > PATIENCE_SECONDS:
            self._look()
        if self._looking is not None and not self._looking.is_alive():
            self._raise_if_other()

    def explained(self, error: ConnectionFailed) -> ConnectionFailed:
        """Return the error to show for an attempt that failed with ``error``."""
        if error.code not in UNCLEAR:
            return error
        if self._looking is None:
            self._look()
        assert self._looking is not None
        self._looking.join()
        if self._answer.name not in MAYBE_POSTGRESQL:
            return not_postgresql(self._address, self._answer.name)
        is_silent = isinstance(error, ConnectTimeout) and self._answer.accepted
        return silent(self._address) if is_silent else error

    def _look(self) -> None:
        self._looking = threading.Thread(target=self._run, name="probe", daemon=True)
        self._looking.start()

    def _run(self) -> None:
        try:
            if place := self._place():
                self._answer = probe([place[0]], place[1])
        except FerryError:
            return  # the attempt itself reports it

    def _raise_if_other(self) -> None:
        if self._answer.name not in MAYBE_POSTGRESQL:
            raise not_postgresql(self._address, self._answer.name)
