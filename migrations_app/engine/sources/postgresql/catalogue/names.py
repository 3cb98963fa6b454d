"""``schema.table`` as plans and pages write it.

The parts stand as they are, case and spaces kept; a part with a dot or a double quote is written in
PostgreSQL's own quoting (``"Odd ""Schema"."t'q"``), which is always accepted.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from psycopg import sql

# Neither NUL nor half a surrogate pair can stand in a name.
_PART = r'(?:"((?:[^"\0\ud800-\udfff]|"")+)"|([^".\0\ud800-\udfff]+))'
_NAME = re.compile(rf"{_PART}\.{_PART}")


class TableName(NamedTuple):
    """A table's schema and name, unquoted."""

    schema: str
    table: str

    def __str__(self) -> str:
        return f"{_written(self.schema)}.{_written(self.table)}"

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.table)


def parse_name(text: str) -> TableName | None:
    """The table that ``text`` names; None where it does not have the form ``schema.table``."""
    found = _NAME.fullmatch(text)
    if found is None:
        return None
    quoted_schema, schema, quoted_table, table = found.groups()
    return TableName(_unquoted(quoted_schema, schema), _unquoted(quoted_table, table))


def _unquoted(quoted: str | None, plain: str) -> str:
    return plain if quoted is None else quoted.replace('""', '"')


def _written(part: str) -> str:
    if "." not in part and '"' not in part:
        return part
    return '"' + part.replace('"', '""') + '"'
