"""Read failures: one table of the errors that can happen while reading, by SQLSTATE.

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
from migrations_app.engine.sources.postgresql.connect.driver_messages import (
    VENDOR_ERRORS,
    Failure,
    failure_of,
)


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """The meaning of a SQLSTATE, or of its class (the first two characters), while reading."""

    error: type[FerryError]
    message: str
    hint: str
    extra: Mapping[str, Any] = field(default_factory=dict)


_CHANGED = ReadFailure(
    SourceChanged,
    "The definition of {what} changed: {said}",
    "Check it again under Configure Schema.",
)
_DENIED = ReadFailure(
    PrivilegeMissing,
    "The user may not read {what}: {said}",
    "Grant the privileges: GRANT USAGE ON SCHEMA … TO …; GRANT SELECT ON … TO …",
)
_UNAVAILABLE = ReadFailure(
    SourceUnavailable,
    "PostgreSQL stopped sending {what}: {said}",
    "The read continues after the last row when the server answers again.",
)
_BUSY = ReadFailure(SourceUnavailable, "PostgreSQL cannot send {what} now: {said}", "Try again later.")
_LOCKED = ReadFailure(
    SourceUnavailable,
    "Another session holds a lock on {what}: {said}",
    "VACUUM FULL, ALTER TABLE and LOCK lock a table. Try again when the lock is released: pg_locks and "
    "pg_stat_activity show it.",
    {"code": "source_locked"},
)
_NOT_READY = ReadFailure(
    SourceDataError,
    "PostgreSQL cannot read {what} in its current state: {said}",
    "Make it readable in the source (REFRESH MATERIALIZED VIEW; the wrapper of a foreign table), or copy its "
    "rows into an ordinary table.",
    {"code": "source_unready"},
)
_CONFLICT = ReadFailure(
    SourceUnavailable,
    "PostgreSQL canceled the read of {what}: {said}",
    "On a standby, raise max_standby_streaming_delay or turn on hot_standby_feedback.",
)
_STOPPED = ReadFailure(
    SourceUnavailable,
    "PostgreSQL stopped the query on {what}: {said}",
    "A time limit of the server or an operator stopped it: see statement_timeout.",
    {"code": "query_stopped"},
)
_WRITES = ReadFailure(
    SourceDataError,
    "Reading {what} would write: {said}",
    "Vectorferry reads in a read-only transaction. Use a view that does not write.",
    {"code": "source_writes"},
)
_DATA = ReadFailure(
    SourceDataError,
    "PostgreSQL cannot send the rows of {what}: {said}",
    "Correct the value in the source, or leave out the column.",
)
_NOT_UTF8 = ReadFailure(
    SourceDataError,
    "A text of {what} cannot be converted to UTF-8: {said}",
    "Correct it in the source, leave out its column, or exclude its rows with a condition.",
    {"code": "text_invalid"},
)
_NO_EXTENSION = ReadFailure(
    ExtensionMissing,
    "A function of pgvector is missing for {what}: {said}",
    "Ask an administrator of the database to run: CREATE EXTENSION vector",
)

_POOLER = ReadFailure(
    ConnectionFailed,
    "The pooler uses statement pooling: {said}",
    "Connect directly to the server, or to a pooler in session or transaction mode.",
    {"code": "pooler_unsupported"},
)

_NO_FUNCTION = "42883"
READ_FAILURES: dict[str, ReadFailure] = {
    "42P01": _CHANGED, "42703": _CHANGED, "3F000": _CHANGED, "42704": _CHANGED, "42809": _CHANGED,
    "42501": _DENIED,
    _NO_FUNCTION: _NO_EXTENSION,
    "25006": _WRITES,
    "57014": _STOPPED,
    "22021": _NOT_UTF8, "22P05": _NOT_UTF8,
    "40001": _CONFLICT, "40P01": _CONFLICT,
    "55P03": _LOCKED, "55006": _BUSY, "55000": _NOT_READY, "0A000": _NOT_READY,
    "XX000": _DATA,
    "08": _UNAVAILABLE, "53": _BUSY, "57": _UNAVAILABLE, "58": _BUSY,
}  # fmt: skip
# Two errors have no SQLSTATE: a lost connection, and a value that a driver cannot decode. The messages of a
# lost connection contain one of these words.
_CONNECTION_WORDS = ("connection", "PQgetCopyData", "SSL", "could not receive", "could not send", "EOF")


def read_error(error: Exception, what: str) -> FerryError:
    """Return the error to raise for a read of ``what`` ("table shop.items") that failed with ``error``."""
    failure = failure_of(error)
    meaning = _read_failure(failure)
    message = meaning.message.format(what=what, said=failure.message)
    return meaning.error(message, meaning.hint, **meaning.extra)


def _read_failure(failure: Failure) -> ReadFailure:
    state = failure.sqlstate
    if "statement pooling" in failure.message:
        return _POOLER
    if state == _NO_FUNCTION and "vector" not in failure.message:
        return _DATA  # a function that a view or a condition calls
    if not state:
        return _UNAVAILABLE if any(word in failure.message for word in _CONNECTION_WORDS) else _DATA
    return READ_FAILURES.get(state) or READ_FAILURES.get(state[:2]) or _DATA


@contextmanager
def mapped_errors(what: str) -> Iterator[None]:
    """Convert the errors of the drivers inside the block."""
    try:
        yield
    except VENDOR_ERRORS as error:
        raise read_error(error, what) from error


def is_timeout(error: FerryError) -> bool:
    """True if the time limit of a query caused the error."""
    return isinstance(error, SourceError) and error.code == "query_stopped"
