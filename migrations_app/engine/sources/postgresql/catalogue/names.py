"""Table names: ``schema.table`` as plans and pages write it.

The parts are written unchanged, including case and spaces. A part with a dot or a double quote is written
with PostgreSQL's quoting (``"Odd ""Schema"."t'q"``). Quoting is accepted for every part.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from psycopg import sql

# A name cannot contain NUL or half a surrogate pair.
_PART = r'(?:"((?:[^"\0\ud800-\udfff]|"")+)"|([^".\0\ud800-\udfff]+))'
_NAME = re.compile(rf"{_PART}\.{_PART}")


class TableName(NamedTuple):
    """A table's schema and name, unquoted."""

    schema: str
    table: str

    def __str__(self) -> str:
        return f"{_quoted(self.schema)}.{_quoted(self.table)}"

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.table)


def parse_name(text: str) -> TableName | None:
    """Return the table that ``text`` names, or None if it does not have the form ``schema.table``."""
    match = _NAME.fullmatch(text)
    if match is None:
        return None
    quoted_schema, schema, quoted_table, table = match.groups()
    return TableName(_unquoted(quoted_schema, schema), _unquoted(quoted_table, table))


def _unquoted(quoted: str | None, plain: str) -> str:
    return plain if quoted is None else quoted.replace('""', '"')


def _quoted(part: str) -> str:
    if "." not in part and '"' not in part:
        return part
    return '"' + part.replace('"', '""') + '"'
