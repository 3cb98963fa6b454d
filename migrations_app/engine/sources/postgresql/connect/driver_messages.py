"""Driver messages: the SQLSTATE and the message in an error of psycopg, ADBC or libpq (which both use)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import adbc_driver_manager
import psycopg

VENDOR_ERRORS = (psycopg.Error, adbc_driver_manager.Error)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of a driver: the five characters of the SQLSTATE, or empty, and the server's message."""

    sqlstate: str
    message: str


def failure_of(error: Exception) -> Failure:
    """Return the failure in an error of psycopg, of ADBC, or of pyarrow around ADBC."""
    if isinstance(error, psycopg.Error):
        return Failure(error.sqlstate or "", _tidy(error.diag.message_primary or str(error)))
    pairs: list[tuple[str, bytes]] = getattr(error, "details", [])
    details = {_text(name): _text(value) for name, value in pairs}
    message = details.get("PG_DIAG_MESSAGE_PRIMARY") or str(error).split("[libpq]")[-1]
    return Failure(getattr(error, "sqlstate", None) or "", _tidy(message))


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _tidy(message: str) -> str:
    """Return the message as one line, without the prefixes that the driver adds."""
    line = " ".join(message.split())
    for start in ("connection failed: ", "connection is bad: ", "Failed to connect: "):
        line = line.removeprefix(start)
    return line.strip()[:500]
