"""One table, view or the like, as the server's catalogue has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from migrations_app.engine.connectors.postgres.columns import COLUMNS, NOT_NULL, Column, searched
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

_KEYS: LiteralString = (
    """
    SELECT k.columns FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
        JOIN pg_catalog.pg_am m ON m.oid = ic.relam AND m.amname = 'btree'
        CROSS JOIN LATERAL (
            SELECT array_agg(a.attname::text ORDER BY u.place) AS columns, bool_and("""
    + NOT_NULL
    + """) AS not_null
            FROM unnest(i.indkey) WITH ORDINALITY u (number, place)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number
            WHERE u.place <= i.indnkeyatts) k
    WHERE i.indrelid = %s AND i.indisunique AND i.indisvalid AND k.not_null
        AND i.indpred IS NULL AND i.indexprs IS NULL
    ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid"""
)


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
    columns = searched(Column(**row._asdict()) for row in connection.execute(COLUMNS, (found.oid,)))
    readable = {column.name for column in columns if column.readable}
    keys = connection.execute(_KEYS, (found.oid,)).fetchall()
    key = next((tuple(row.columns) for row in keys if readable.issuperset(row.columns)), ())
    return Relation(
        name=table,
        oid=found.oid,
        kind=KINDS[found.relkind],
        tuples=found.tuples or 0,
        columns=columns,
        key=key,
        key_is_unique=found.relkind != "r" or not found.has_children,
        pgvector_schema=found.pgvector,
    )
