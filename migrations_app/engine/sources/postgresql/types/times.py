"""Dates, times of day and timestamps."""

from __future__ import annotations

from dataclasses import replace
from typing import LiteralString

from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.sources.postgresql.types.family import TEXT, Family, Reading, UnreadableValues

T = MilvusType


def _iso(c: LiteralString, value: LiteralString, zone: LiteralString) -> LiteralString:
    """ISO 8601 with microseconds, or PostgreSQL's text if ISO has no form. ``value`` is ``c`` in UTC."""
    return ("CASE WHEN " + c + " >= '0001-01-01' AND " + c + " < '10000-01-01' THEN to_char(" + value) + (
        """, 'YYYY-MM-DD"T"HH24:MI:SS.US')""" + zone + " ELSE " + c + "::text END"
    )


def iso(c: LiteralString) -> LiteralString:
    """A timestamp as ISO 8601, without a time zone."""
    return _iso(c, c, "")


def iso_utc(c: LiteralString) -> LiteralString:
    """A timestamptz as ISO 8601 in UTC."""
    return _iso(c, c + " AT TIME ZONE 'UTC'", " || '+00:00'")


# Rounded down: date_trunc rounds towards the past, also before 1970.
_MILLISECONDS: LiteralString = (
    "CASE WHEN isfinite({c}) THEN (EXTRACT(epoch FROM date_trunc('milliseconds', {c})) * 1000)::bigint END"
)
_INFINITE = UnreadableValues("NOT isfinite({c})", "not_finite", "is infinity, which is not a point in time")
_ISO_NOTE = "ISO 8601, with microseconds; before year 1 and after 9999 as PostgreSQL writes it."
_MILLISECONDS_NOTE = "Milliseconds since 1970, in UTC, rounded down; a row with infinity is rejected."
_AS_MILLISECONDS = Reading(
    T.INT64, _MILLISECONDS, unreadable=_INFINITE, note=_MILLISECONDS_NOTE, is_distinct=False
)
# The session sets IntervalStyle.
_INTERVAL_NOTE = "As PostgreSQL writes it: “1 year 2 mons 3 days 04:05:06.789”."
_TEXT = Family((Reading(T.VARCHAR, TEXT),), can_be_key=True)

TIMES: dict[str, Family] = {
    "date": _TEXT,
    "time": _TEXT,
    "timetz": Family((Reading(T.VARCHAR, TEXT),)),
    "interval": Family((Reading(T.VARCHAR, TEXT, note=_INTERVAL_NOTE),)),
    "timestamp": Family(
        (
            Reading(T.VARCHAR, iso("{c}"), note=_ISO_NOTE),
            replace(_AS_MILLISECONDS, note=_MILLISECONDS_NOTE + " Read as UTC."),
        ),
        can_be_key=True,
    ),
    "timestamptz": Family(
        (
            Reading(T.VARCHAR, iso_utc("{c}"), note=_ISO_NOTE),
            _AS_MILLISECONDS,
        )
    ),
}
