"""One table, view or the like, as the server's catalogue has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from migrations_app.engine.connectors.postgres.names import TableName, parse_name
from migrations_app.engine.connectors.postgres.session import Session
from migrations_app.engine.errors import SourceChanged

KINDS: dict[str, str] = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
}

# What a type is called in ``types.families``: PostgreSQL's own by name, pgvector's by name, every enum as
# "enum", an array by its element and "[]". Empty for all others, whatever they are named.
FAMILY: LiteralString = """
    CASE
        WHEN {t}.typtype = 'e' THEN 'enum'
        WHEN {t}.typtype = 'b' AND ({t}.typnamespace = 'pg_catalog'::regnamespace OR {t}.oid IN (
            SELECT d.objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
            WHERE x.extname = 'vector' AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
            AND d.classid = 'pg_type'::regclass)) THEN {t}.typname
    END"""

_RELATION: LiteralString = """
    SELECT c.oid::bigint AS oid, c.relkind::text AS relkind,
        (CASE c.relkind WHEN 'p' THEN (SELECT sum(NULLIF(l.reltuples, -1))
            FROM pg_catalog.pg_partition_tree(c.oid) p JOIN pg_catalog.pg_class l ON l.oid = p.relid
            WHERE p.isleaf) ELSE c.reltuples END)::bigint AS tuples,
        EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid) AS has_children,
        (SELECT n.nspname FROM pg_catalog.pg_extension x
            JOIN pg_catalog.pg_namespace n ON n.oid = x.extnamespace WHERE x.extname = 'vector') AS pgvector
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
    WHERE s.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"""

# Since PostgreSQL 18 a NOT NULL that was never checked against the rows (NOT VALID) counts as attnotnull.
_NOT_NULL: LiteralString = """
    (a.attnotnull AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = a.attrelid
        AND k.contype = 'n' AND NOT k.convalidated AND k.conkey[1] = a.attnum))"""

_COLUMNS: LiteralString = (
    """
    SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS native,
        COALESCE(("""
    + FAMILY.replace("{t}", "e")
    + ") || '[]', "
    + FAMILY.replace("{t}", "t")
    + """, '') AS family,
        a.atttypmod AS typmod,"""
    + _NOT_NULL
    + """ AS not_null,
        pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT') AS readable,
        COALESCE(pg_catalog.col_description(a.attrelid, a.attnum), '') AS description,
        (SELECT o.opcname FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
            JOIN pg_catalog.pg_am m ON m.oid = ic.relam AND m.amname IN ('hnsw', 'ivfflat')
            JOIN pg_catalog.pg_opclass o ON o.oid = i.indclass[0]
            WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum AND i.indisvalid
            ORDER BY i.indexrelid LIMIT 1) AS operator_class
    FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
    WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum"""
)

_KEYS: LiteralString = (
    """
    SELECT k.columns FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
        JOIN pg_catalog.pg_am m ON m.oid = ic.relam AND m.amname = 'btree'
        CROSS JOIN LATERAL (
            SELECT array_agg(a.attname::text ORDER BY u.place) AS columns, bool_and("""
    + _NOT_NULL
    + """) AS not_null
            FROM unnest(i.indkey) WITH ORDINALITY u (number, place)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number
            WHERE u.place <= i.indnkeyatts) k
    WHERE i.indrelid = %s AND i.indisunique AND i.indisvalid AND k.not_null
        AND i.indpred IS NULL AND i.indexprs IS NULL
    ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid"""
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``native`` is its type as PostgreSQL writes it, ``family`` as ``types.families`` calls it.

    ``typmod`` is -1 where the type has no parameter; a vector's is its dimension.
    """

    name: str
    native: str
    family: str
    typmod: int = -1
    not_null: bool = False
    readable: bool = True
    description: str = ""
    operator_class: str | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """One table or the like.

    ``key`` are the columns of its primary key, else of a unique index without NULLs, in the index's order,
    where the user may read them;
    ``key_is_unique`` is False where tables that inherit from it may hold the same key again.
    ``where`` chooses some of its rows (``condition.py``); empty: all.
    """

    name: TableName
    oid: int
    kind: str
    tuples: int
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    key_is_unique: bool
    pgvector_schema: str | None
    where: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def chosen(self) -> str:
        """Its rows as a sentence names them."""
        return f"{self} where {self.where}" if self.where else str(self)

    @property
    def condition(self) -> sql.Composable | None:
        """The expression that chooses its rows, in parentheses; the table is called ``t`` in it."""
        return sql.SQL(f"({self.where})") if self.where else None

    @property
    def rows(self) -> sql.Composable:
        """What stands after FROM for all of its rows that are chosen."""
        table = sql.SQL("{} AS t").format(self.name.identifier)
        return sql.SQL("{} WHERE {}").format(table, self.condition) if self.condition else table

    @property
    def rows_estimate(self) -> int | None:
        """What the last ANALYZE saw, or a planner guessed; None where nobody did."""
        return self.tuples if self.tuples > 0 else None

    def column(self, name: str) -> Column:
        """Raises ``SourceChanged`` where there is no such column."""
        found = next((column for column in self.columns if column.name == name), None)
        if found is None:
            raise SourceChanged(
                f"The {self} has no column “{name}”.",
                "It was dropped or renamed: look at the table again under Configure Schema.",
            )
        return found


def load_relation(session: Session, name: str) -> Relation:
    """The relation of this name. Raises ``SourceChanged`` where there is none."""
    table = parse_name(name)
    if table is None:
        raise SourceChanged(f"“{name}” does not name a table.", "Write it as schema.table.")
    with session.look(f"table {table}") as connection:
        found = connection.execute(_RELATION, table).fetchone()
        if found is None:
            raise SourceChanged(
                f"There is no table {table} in database “{session.address.database}”.",
                "It was dropped or renamed, or its name is written otherwise: case counts.",
            )
        return _relation(connection, table, found)


def _relation(connection: psycopg.Connection[Any], table: TableName, found: Any) -> Relation:
    columns = [Column(**row._asdict()) for row in connection.execute(_COLUMNS, (found.oid,))]
    readable = {column.name for column in columns if column.readable}
    keys = connection.execute(_KEYS, (found.oid,)).fetchall()
    key = next((tuple(row.columns) for row in keys if readable.issuperset(row.columns)), ())
    return Relation(
        name=table,
        oid=found.oid,
        kind=KINDS[found.relkind],
        tuples=found.tuples or 0,
        columns=tuple(columns),
        key=key,
        key_is_unique=found.relkind != "r" or not found.has_children,
        pgvector_schema=found.pgvector,
    )
