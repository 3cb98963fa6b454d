"""Texts, and types that are read as their exact text."""

from __future__ import annotations

from typing import LiteralString

from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.sources.postgresql.types.family import TEXT, Family, Reading
from migrations_app.engine.sources.postgresql.types.number_lists import AS_VECTOR


def _text(sql: LiteralString, *others: Reading, can_be_key: bool = False, note: str = "") -> Family:
    return Family((Reading(MilvusType.VARCHAR, sql, note=note), *others), can_be_key)


def _encoded(encoding: str, sql: LiteralString, size: LiteralString) -> Reading:
    """The reading of raw bytes as text. ``size`` is that of the text."""
    note = f"{encoding.capitalize()}, the text form of raw bytes."
    return Reading(MilvusType.VARCHAR, sql, note=note, is_proposed=False, encoding=encoding, bytes=size)


# A column without any other reading is read as its text if it names a row.
AS_TEXT = _text(TEXT)

TEXTS: dict[str, Family] = {
    "text": _text("{c}", AS_VECTOR, can_be_key=True),
    "varchar": _text("{c}", AS_VECTOR, can_be_key=True),
    # The function encode breaks the lines of base64.
    "bytea": Family(
        (
            _encoded("hex", "encode({c}, 'hex')", "2 * octet_length({c})"),
            _encoded(
                "base64",
                "translate(encode({c}, 'base64'), E'\\n', '')",
                "4 * ((octet_length({c}) + 2) / 3)",
            ),
        ),
        can_be_key=True,
    ),
    "bpchar": _text(TEXT, can_be_key=True, note="The trailing blanks that pad char(n) are removed."),
    "name": _text("{c}"),
    "citext": _text("{c}", note="The text is unchanged, but comparisons in Milvus are case-sensitive."),
    "uuid": _text(TEXT, can_be_key=True),
    # An enum's binary form is its label.
    "enum": _text("{c}", can_be_key=True),
    # A cast to text would add the netmask to a single address; the text form of inet does not contain it.
    "inet": _text("abbrev({c})"),
    "cidr": _text(TEXT),
    "macaddr": _text(TEXT),
    "macaddr8": _text(TEXT),
    # The text that clients get. A cast to text would keep an encoding declaration that is no longer correct.
    "xml": _text("textin(xml_out({c}))"),
}
