"""Texts, and what is read as its text, exactly."""

from __future__ import annotations

from migrations_app.engine.connectors.postgres.types.reading import TEXT, Family, Reading
from migrations_app.engine.schema import MilvusType

_TEXT = Family((Reading(MilvusType.VARCHAR),), can_be_key=True)
AS_TEXT = Family((Reading(MilvusType.VARCHAR, TEXT),), can_be_key=True)

TEXTS: dict[str, Family] = {
    "text": _TEXT,
    "varchar": _TEXT,
    "bpchar": Family(
        (Reading(MilvusType.VARCHAR, TEXT, note="The blanks that pad char(n) at its end are left off."),),
        can_be_key=True,
    ),
    "uuid": AS_TEXT,
    "enum": AS_TEXT,
}
