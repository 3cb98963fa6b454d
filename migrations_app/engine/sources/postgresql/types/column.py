"""A column as the server's catalogue has it: what its type comes down to, and whether it is searched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import LiteralString

VECTOR_FAMILIES = frozenset({"vector", "halfvec", "sparsevec"})

# What a type is called in ``types.families``: PostgreSQL's own and those of three extensions by name, others
# by their kind. NULL for all else, whatever it is named.
_NAMED: LiteralString = """
    CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'c' THEN 'composite' WHEN 'r' THEN 'range'
        WHEN 'm' THEN 'multirange'
        WHEN 'b' THEN CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace OR t.oid IN (
            SELECT d.objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
            WHERE x.extname IN ('vector', 'hstore', 'citext') AND d.deptype = 'e'
            AND d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_type'::regclass)
        THEN t.typname END
    END"""

# What the type of a column ``a`` comes down to, through domains and arrays of any depth: its family, with
# "[]" for each array, and the parameter of the innermost type.
BASE: LiteralString = (
    """
    LATERAL (
        WITH RECURSIVE walk (oid, typmod, suffix, depth) AS (
            SELECT a.atttypid, a.atttypmod, '', 0
            UNION ALL
            SELECT CASE outside.typtype WHEN 'd' THEN outside.typbasetype ELSE item.oid END,
                CASE outside.typtype WHEN 'd' THEN outside.typtypmod ELSE walk.typmod END,
                CASE outside.typtype WHEN 'd' THEN suffix ELSE suffix || '[]' END, depth + 1
            FROM walk JOIN pg_catalog.pg_type outside ON outside.oid = walk.oid
                LEFT JOIN pg_catalog.pg_type item
                    ON item.oid = outside.typelem AND item.typarray = outside.oid
            WHERE outside.typtype = 'd' OR item.oid IS NOT NULL)
        SELECT COALESCE("""
    + _NAMED
    + """ || suffix, '') AS family, walk.typmod
        FROM walk JOIN pg_catalog.pg_type t ON t.oid = walk.oid ORDER BY depth DESC LIMIT 1) base"""
)

# The operator class of an index over a column ``a``, or over an expression of it.
OPERATOR_CLASS: LiteralString = """
    (SELECT o.opcname FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
        JOIN pg_catalog.pg_am m ON m.oid = ic.relam AND m.amname IN ('hnsw', 'ivfflat')
        JOIN pg_catalog.pg_opclass o ON o.oid = i.indclass[0]
        WHERE i.indrelid = a.attrelid AND i.indisvalid AND (i.indkey[0] = a.attnum OR i.indkey[0] = 0
            AND EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_class'::regclass
                AND d.objid = i.indexrelid AND d.refclassid = 'pg_class'::regclass
                AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum))
        ORDER BY i.indkey[0] = 0, i.indexrelid LIMIT 1)"""

# Since PostgreSQL 18 a NOT NULL that was never checked against the rows (NOT VALID) counts as attnotnull.
NOT_NULL: LiteralString = """
    (a.attnotnull AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = a.attrelid
        AND k.contype = 'n' AND NOT k.convalidated AND k.conkey[1] = a.attnum))"""

COLUMNS: LiteralString = (
    """
    SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS native,
        base.family, base.typmod,"""
    + NOT_NULL
    + """ AS not_null,
        pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT') AS readable,
        COALESCE(pg_catalog.col_description(a.attrelid, a.attnum), '') AS description,
        """
    + OPERATOR_CLASS
    + """ AS operator_class
    FROM pg_catalog.pg_attribute a CROSS JOIN """
    + BASE
    + """
    WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum"""
)


@dataclass(frozen=True, slots=True)
class PostgresColumn:
    """One column. ``native`` is its type as PostgreSQL writes it, ``family`` as ``types.families`` calls it.

    ``typmod`` is -1 where the type has no parameter; a vector's is its dimension, a bit string's its length.
    ``is_searched``: it is a vector, as far as its table tells (see ``searched``).
    """

    name: str
    native: str
    family: str
    typmod: int = -1
    not_null: bool = False
    readable: bool = True
    description: str = ""
    operator_class: str | None = None
    is_searched: bool = False

    @property
    def has_whole_bytes(self) -> bool:
        """Whether it is a bit string that could be a binary vector."""
        return self.family == "bit" and self.typmod > 0 and self.typmod % 8 == 0


def searched(columns: Iterable[PostgresColumn]) -> tuple[PostgresColumn, ...]:
    """The same columns, the vectors among them marked: pgvector's types, and bit strings with an index of
    pgvector's; without any of these, every bit string that could be one."""
    columns = tuple(columns)
    bits = [column for column in columns if column.has_whole_bytes]
    found = {column.name for column in columns if column.family in VECTOR_FAMILIES}
    found |= {column.name for column in bits if column.operator_class}
    found = found or {column.name for column in bits}
    return tuple(replace(column, is_searched=column.name in found) for column in columns)
