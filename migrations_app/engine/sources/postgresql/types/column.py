"""Column: a column in the server's catalogue, with its base type, and whether it is a vector."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import LiteralString

VECTOR_FAMILIES = frozenset({"vector", "halfvec", "sparsevec"})

# The name of a type in ``types.families``. Built-in types and those of three extensions have their own name,
# other types the name of their kind. NULL for all other types, even if the name is the same.
_NAMED: LiteralString = """
    CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'c' THEN 'composite' WHEN 'r' THEN 'range'
        WHEN 'm' THEN 'multirange'
        WHEN 'b' THEN CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace OR t.oid IN (
            SELECT d.objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
            WHERE x.extname IN ('vector', 'hstore', 'citext') AND d.deptype = 'e'
            AND d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_type'::regclass)
        THEN t.typname END
    END"""

# The base type of a column ``a``, found through domains and arrays of any depth: its family, with "[]" for
# each array, and the parameter of the innermost type.
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

# The operator class of a vector index on a column ``a``, or on an expression that uses it.
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

# Since PostgreSQL 18, attnotnull is also true for a NOT NULL that was never checked on the rows (NOT VALID).
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
    """One column. ``native`` is its type as PostgreSQL writes it, ``family`` its name in ``types.families``.

    ``typmod`` is the dimension of a vector, the length of a bit string, or -1 if the type has no parameter.
    ``is_vector``: the column is used as a vector (see ``mark_vectors``).
    """

    name: str
    native: str
    family: str
    typmod: int = -1
    not_null: bool = False
    readable: bool = True
    description: str = ""
    operator_class: str | None = None
    is_vector: bool = False

    @property
    def has_whole_bytes(self) -> bool:
        """True if it is a bit string that can be a binary vector."""
        return self.family == "bit" and self.typmod > 0 and self.typmod % 8 == 0


def mark_vectors(columns: Iterable[PostgresColumn]) -> tuple[PostgresColumn, ...]:
    """Return the same columns with the vectors marked.

    Vectors are the types of pgvector and the bit strings with a pgvector index. If a table has none of these,
    every bit string that can be a binary vector is a vector.
    """
    columns = tuple(columns)
    bits = [column for column in columns if column.has_whole_bytes]
    vectors = {column.name for column in columns if column.family in VECTOR_FAMILIES}
    vectors |= {column.name for column in bits if column.operator_class}
    vectors = vectors or {column.name for column in bits}
    return tuple(replace(column, is_vector=column.name in vectors) for column in columns)
