"""Relation: one table, view or similar, as the server's catalogue describes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from migrations_app.engine.errors import SourceChanged
from migrations_app.engine.sources.postgresql.catalogue.keys import UNIQUE_INDEXES, Keys, UniqueIndex, keys_of
from migrations_app.engine.sources.postgresql.catalogue.names import TableName, parse_name
from migrations_app.engine.sources.postgresql.connect.session import Session
from migrations_app.engine.sources.postgresql.types.column import COLUMNS, PostgresColumn, mark_vectors

KINDS: dict[str, str] = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
}

# The size of a relation ``c`` when it was last analyzed, with its large values: ``toast`` for those of the
# relation itself, ``leaves`` for all partitions of a partitioned table.
LEAF_SIZES: LiteralString = """
        LEFT JOIN pg_catalog.pg_class toast ON toast.oid = c.reltoastrelid
        LEFT JOIN LATERAL (
            SELECT sum(NULLIF(l.reltuples, -1)) AS tuples, sum(l.relpages + COALESCE(lt.relpages, 0)) AS pages
            FROM pg_catalog.pg_partition_tree(c.oid) p
                JOIN pg_catalog.pg_class l ON l.oid = p.relid
                LEFT JOIN pg_catalog.pg_class lt ON lt.oid = l.reltoastrelid
            WHERE p.isleaf AND c.relkind = 'p') leaves ON true"""

_RELATION: LiteralString = (
    """
    SELECT c.oid::bigint AS oid, c.relkind::text AS relkind,
        (CASE c.relkind WHEN 'p' THEN leaves.tuples ELSE c.reltuples END)::bigint AS tuples,
        (CASE c.relkind WHEN 'p' THEN leaves.pages ELSE c.relpages + COALESCE(toast.relpages, 0) END
            * pg_catalog.current_setting('block_size')::bigint)::bigint AS size_bytes,
        (CASE WHEN NOT pg_catalog.has_table_privilege(c.oid, 'SELECT') THEN 0
            WHEN c.relkind = 'p' THEN (SELECT CASE WHEN bool_and(l.relkind = 'r') THEN
                    sum(pg_catalog.pg_relation_size(l.oid)) ELSE 0 END
                FROM pg_catalog.pg_partition_tree(c.oid) p JOIN pg_catalog.pg_class l ON l.oid = p.relid
                WHERE p.isleaf)
            WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_relation_size(c.oid) END
            / pg_catalog.current_setting('block_size')::bigint)::bigint AS pages,
        pg_catalog.row_security_active(c.oid) AS is_filtered,
        EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid) AS has_children,
        (SELECT n.nspname FROM pg_catalog.pg_extension x
            JOIN pg_catalog.pg_namespace n ON n.oid = x.extnamespace WHERE x.extname = 'vector') AS pgvector
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace"""
    + LEAF_SIZES
    + """
    WHERE s.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"""
)


@dataclass(frozen=True, slots=True)
class Relation:
    """One table, view or similar.

    ``is_parent``: other tables inherit from it, so its keys may occur again in them. ``is_filtered``:
    row-level security may hide rows from this user. ``size_bytes`` is its size when it was last analyzed,
    None if it never was. ``where`` is the condition that selects its rows (``condition.py``); empty for all
    rows. ``pages`` is its size now, without long values that are stored apart; 0 if its pages cannot be
    sampled.
    """

    name: TableName
    oid: int
    kind: str
    tuples: int
    columns: tuple[PostgresColumn, ...]
    keys: Keys
    is_parent: bool
    pgvector_schema: str | None
    is_filtered: bool = False
    size_bytes: int | None = None
    where: str = ""
    pages: int = 0

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def description(self) -> str:
        """The selected rows, for use in a message."""
        return f"{self} where {self.where}" if self.where else str(self)

    @property
    def condition(self) -> sql.Composable | None:
        """The condition in parentheses. It calls the table ``t``."""
        return sql.SQL(f"({self.where})") if self.where else None

    @property
    def rows(self) -> sql.Composable:
        """The FROM item (with WHERE) for the selected rows."""
        return self.rows_where(())

    def rows_where(
        self,
        conditions: Iterable[sql.Composable],
        sampling: sql.Composable | None = None,
        leaf: TableName | None = None,
    ) -> sql.Composable:
        """Like ``rows``, but only the rows for which all of ``conditions`` are true. ``sampling`` is a
        TABLESAMPLE clause. ``leaf`` is the only table to read, of those that store the rows."""
        name = self.name.identifier if leaf is None else sql.SQL("ONLY {}").format(leaf.identifier)
        table = sql.SQL("{} AS t").format(name)
        if sampling is not None:
            table = sql.SQL("{} {}").format(table, sampling)
        all_of = [condition for condition in (self.condition, *conditions) if condition is not None]
        return sql.SQL("{} WHERE {}").format(table, sql.SQL(" AND ").join(all_of)) if all_of else table

    @property
    def rows_estimate(self) -> int | None:
        """The row count from the last ANALYZE or the planner's estimate; None if there is neither."""
        return self.tuples if self.tuples > 0 else None

    @property
    def order(self) -> tuple[str, ...]:
        """The unique columns in whose order the rows can be read; empty if there are none."""
        return () if self.is_parent else self.keys.order

    def column(self, name: str) -> PostgresColumn:
        """Return the column of this name. Raises ``SourceChanged`` if there is none."""
        column = next((column for column in self.columns if column.name == name), None)
        if column is None:
            raise SourceChanged(
                f"The {self} has no column “{name}”.",
                "It was dropped or renamed: check the table again under Configure Schema.",
            )
        return column


def load_relation(session: Session, name: str) -> Relation:
    """Read the relation of this name. Raises ``SourceChanged`` if there is none."""
    table = parse_name(name)
    if table is None:
        raise SourceChanged(f"“{name}” does not name a table.", "Write it as schema.table.")
    with session.query(f"table {table}") as connection:
        row = connection.execute(_RELATION, table).fetchone()
        if row is None:
            raise SourceChanged(
                f"There is no table {table} in database “{session.address.database}”.",
                "It was dropped or renamed, or its name is misspelled: names are case-sensitive.",
            )
        return _relation(connection, table, row)


def _relation(connection: psycopg.Connection[Any], table: TableName, relation: Any) -> Relation:
    columns = mark_vectors(
        PostgresColumn(**row._asdict()) for row in connection.execute(COLUMNS, (relation.oid,))
    )
    has_children = relation.relkind == "r" and relation.has_children
    readable = {column.name for column in columns if column.readable}
    indexes = [UniqueIndex(**row._asdict()) for row in connection.execute(UNIQUE_INDEXES, (relation.oid,))]
    return Relation(
        name=table,
        oid=relation.oid,
        kind=KINDS[relation.relkind],
        tuples=relation.tuples or 0,
        pages=0 if has_children else relation.pages or 0,
        columns=columns,
        keys=keys_of(indexes, readable),
        is_parent=has_children,
        pgvector_schema=relation.pgvector,
        is_filtered=relation.is_filtered,
        size_bytes=relation.size_bytes or None,
    )
