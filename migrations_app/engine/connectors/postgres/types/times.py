"""Dates, times of day and points in time."""

from __future__ import annotations

from typing import LiteralString

from migrations_app.engine.connectors.postgres.types.reading import Family, Misfit, Reading
from migrations_app.engine.connectors.postgres.types.texts import AS_TEXT
from migrations_app.engine.schema import MilvusType

T = MilvusType


def _iso(value: LiteralString, zone: LiteralString) -> LiteralString:
    """ISO 8601 with microseconds; PostgreSQL's own text where ISO has none."""
    return (
        "CASE WHEN {c} >= '0001-01-01' AND {c} < '10000-01-01' THEN to_char("
        + value
        + """, 'YYYY-MM-DD"T"HH24:MI:SS.US')"""
        + zone
        + " ELSE {c}::text END"
    )


# Floored: date_trunc cuts towards the past on both sides of 1970.
_MILLISECONDS: LiteralString = (
    "CASE WHEN isfinite({c}) THEN (EXTRACT(epoch FROM date_trunc('milliseconds', {c})) * 1000)::bigint END"
)
_INFINITE = Misfit("NOT isfinite({c})", "not_finite", "is infinity, which is no point in time")
_ISO_NOTE = "ISO 8601 with microseconds; before year 1 and after 9999 as PostgreSQL writes it."
_MILLISECONDS_NOTE = "Milliseconds since 1970 UTC, rounded down; a row with infinity is rejected."

TIMES: dict[str, Family] = {
    "date": AS_TEXT,
    "time": AS_TEXT,
    "timestamp": Family(
        (
            Reading(T.VARCHAR, _iso("{c}", ""), note=_ISO_NOTE),
            Reading(T.INT64, _MILLISECONDS, misfit=_INFINITE, note=_MILLISECONDS_NOTE + " Read as UTC."),
        ),
        can_be_key=True,
    ),
    "timestamptz": Family(
        (
            Reading(T.VARCHAR, _iso("{c} AT TIME ZONE 'UTC'", " || '+00:00'"), note=_ISO_NOTE),
            Reading(T.INT64, _MILLISECONDS, misfit=_INFINITE, note=_MILLISECONDS_NOTE),
        )
    ),
}
