"""Texts, and what is read as its text, exactly."""

from __future__ import annotations

from typing import LiteralString

from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.sources.postgresql.types.family import TEXT, Family, Reading


def _text(sql: LiteralString, *, can_be_key: bool = False, note: str = "") -> Family:
    return Family((Reading(MilvusType.VARCHAR, sql, note=note),), can_be_key)


# Whatever has no other reading names a row by its text.
AS_TEXT = _text(TEXT)

TEXTS: dict[str, Family] = {
    "text": _text("{c}", can_be_key=True),
    "varchar": _text("{c}", can_be_key=True),
    "bpchar": _text(TEXT, can_be_key=True, note="The blanks that pad char(n) at its end are left off."),
    "name": _text("{c}"),
    "citext": _text("{c}", note="As it was written: Milvus tells capitals from small letters."),
    "uuid": _text(TEXT, can_be_key=True),
    # An enum's binary form is its label.
    "enum": _text("{c}", can_be_key=True),
    # A cast to text would show the mask of a single address, which inet itself does not.
    "inet": _text("abbrev({c})"),
    "cidr": _text(TEXT),
    "macaddr": _text(TEXT),
    "macaddr8": _text(TEXT),
    # As clients are shown it: a cast to text would keep a declared encoding, which holds no longer.
    "xml": _text("textin(xml_out({c}))"),
}
