"""What goes wrong while reading, by SQLSTATE: one table.

The codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from migrations_app.engine.errors import (
    ConnectionFailed,
    ExtensionMissing,
    FerryError,
    PrivilegeMissing,
    SourceChanged,
    SourceDataError,
    SourceError,
    SourceUnavailable,
)
from migrations_app.engine.sources.postgresql.connect.failures import VENDOR_ERRORS, Failure, failure_of


@dataclass(frozen=True, slots=True)
class ReadFault:
    """What a SQLSTATE, or the class of its first two letters, means while reading."""

    error: type[FerryError]
    message: str
    hint: str
    more: Mapping[str, Any] = field(default_factory=dict)


_GONE = ReadFault(
    SourceChanged,
    "{what} is not what it was: {said}",
    "Somebody changed it: look at it again under Configure Schema.",
)
_DENIED = ReadFault(
    PrivilegeMissing,
    "The user may not read {what}: {said}",
    "Grant it: GRANT USAGE ON SCHEMA … TO …; GRANT SELECT ON … TO …",
)
_AWAY = ReadFault(
    SourceUnavailable,
    "PostgreSQL stopped sending {what}: {said}",
    "It goes on after the last row once the server answers again.",
)
_BUSY = ReadFault(SourceUnavailable, "PostgreSQL cannot send {what} now: {said}", "Try again later.")
_LOCKED = ReadFault(
    SourceUnavailable,
    "Somebody holds a lock on {what}, and did not let go of it: {said}",
    "VACUUM FULL, ALTER TABLE and LOCK do so. Try again when it is over: pg_locks and pg_stat_activity tell.",
    {"code": "source_locked"},
)
_UNREADY = ReadFault(
    SourceDataError,
    "PostgreSQL cannot read {what} as it is: {said}",
    "Make it readable in the source (REFRESH MATERIALIZED VIEW; a foreign table's wrapper), or copy its rows "
    "into an ordinary table.",
    {"code": "source_unready"},
)
_CONFLICT = ReadFault(
    SourceUnavailable,
    "PostgreSQL broke off reading {what}: {said}",
    "On a standby, raise max_standby_streaming_delay or turn hot_standby_feedback on.",
)
_STOPPED = ReadFault(
    SourceUnavailable,
    "PostgreSQL stopped the query on {what}: {said}",
    "A time limit of the server or an operator ended it: see statement_timeout.",
    {"code": "query_stopped"},
)
_WRITES = ReadFault(
    SourceDataError,
    "Reading {what} would write: {said}",
    "Vectorferry reads in a read-only transaction. Use a view that writes nothing.",
    {"code": "source_writes"},
)
_DATA = ReadFault(
    SourceDataError,
    "PostgreSQL cannot give the rows of {what}: {said}",
    "Put the value right in the source, or leave the column out.",
)
_NO_TEXT = ReadFault(
    SourceDataError,
    "A text of {what} is none in UTF-8: {said}",
    "Put it right in the source, leave its column out, or leave its rows out by a condition.",
    {"code": "text_invalid"},
)
_NO_EXTENSION = ReadFault(
    ExtensionMissing,
    "pgvector does not answer for {what}: {said}",
    "As an administrator of the database: CREATE EXTENSION vector",
)

_POOLER = ReadFault(
    ConnectionFailed,
    "The pooler in between pools single statements: {said}",
    "Connect straight to the server, or to a pooler in session or transaction mode.",
    {"code": "pooler_unsupported"},
)

_NO_FUNCTION = "42883"
READ_FAULTS: dict[str, ReadFault] = {
    "42P01": _GONE, "42703": _GONE, "3F000": _GONE, "42704": _GONE, "42809": _GONE,
    "42501": _DENIED,
    _NO_FUNCTION: _NO_EXTENSION,
    "25006": _WRITES,
    "57014": _STOPPED,
    "22021": _NO_TEXT, "22P05": _NO_TEXT,
    "40001": _CONFLICT, "40P01": _CONFLICT,
    "55P03": _LOCKED, "55006": _BUSY, "55000": _UNREADY, "0A000": _UNREADY,
    "XX000": _DATA,
    "08": _AWAY, "53": _BUSY, "57": _AWAY, "58": _BUSY,
}  # fmt: skip
# A lost connection has no SQLSTATE, and neither has a value that a driver cannot decode.
_LOST = ("connection", "PQgetCopyData", "SSL", "could not receive", "could not send", "EOF")


def read_error(error: Exception, what: str) -> FerryError:
    """The error to raise where reading ``what`` ("table shop.items") failed with ``error``."""
    failure = failure_of(error)
    fault = _read_fault(failure)
    message = fault.message.format(what=what, said=failure.message)
    return fault.error(message, fault.hint, **fault.more)


def _read_fault(failure: Failure) -> ReadFault:
    state = failure.sqlstate
    if "statement pooling" in failure.message:
        return _POOLER
    if state == _NO_FUNCTION and "vector" not in failure.message:
        return _DATA  # one that a view or a condition calls
    if not state:
        return _AWAY if any(word in failure.message for word in _LOST) else _DATA
    return READ_FAULTS.get(state) or READ_FAULTS.get(state[:2]) or _DATA


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Maps whatever a driver raises inside."""
    try:
        yield
    except VENDOR_ERRORS as error:
        raise read_error(error, what) from error


def is_timeout(error: FerryError) -> bool:
    """Whether the time limit of a look ended it."""
    return isinstance(error, SourceError) and error.code == "query_stopped"
