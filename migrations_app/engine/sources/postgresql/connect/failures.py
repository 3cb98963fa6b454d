"""What a driver said, be it psycopg, ADBC or libpq below both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import adbc_driver_manager
import psycopg

VENDOR_ERRORS = (psycopg.Error, adbc_driver_manager.Error)


@dataclass(frozen=True, slots=True)
class Failure:
    """What a driver said: the five letters of SQLSTATE, or none, and the server's own words."""

    sqlstate: str
    message: str


def failure_of(error: Exception) -> Failure:
    """Reads an error of psycopg, of ADBC, or of pyarrow around ADBC."""
    if isinstance(error, psycopg.Error):
        return Failure(error.sqlstate or "", _tidy(error.diag.message_primary or str(error)))
    details: list[tuple[str, bytes]] = getattr(error, "details", [])
    said = {_text(name): _text(value) for name, value in details}
    message = said.get("PG_DIAG_MESSAGE_PRIMARY") or str(error).split("[libpq]")[-1]
    return Failure(getattr(error, "sqlstate", None) or "", _tidy(message))


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _tidy(message: str) -> str:
    """One line, without the driver's own beginnings."""
    line = " ".join(message.split())
    for start in ("connection failed: ", "connection is bad: ", "Failed to connect: "):
        line = line.removeprefix(start)
    return line.strip()[:500]
