"""One table, view or the like, as the server's catalogue has it."""

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
from migrations_app.engine.sources.postgresql.types.column import COLUMNS, PostgresColumn, searched

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
        pg_catalog.row_security_active(c.oid) AS is_filtered,
        EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid) AS has_children,
        (SELECT n.nspname FROM pg_catalog.pg_extension x
            JOIN pg_catalog.pg_namespace n ON n.oid = x.extnamespace WHERE x.extname = 'vector') AS pgvector
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
    WHERE s.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"""


@dataclass(frozen=True, slots=True)
class Relation:
    """One table or the like.

    ``is_parent``: tables inherit from it, which may hold its keys again. ``is_filtered``: row-level security
    may hide rows from this user. ``where`` chooses some of its rows (``condition.py``); empty: all.
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
        return self.rows_where(())

    def rows_where(self, conditions: Iterable[sql.Composable]) -> sql.Composable:
        """Those of them for which all of ``conditions`` are true as well."""
        table = sql.SQL("{} AS t").format(self.name.identifier)
        told = [condition for condition in (self.condition, *conditions) if condition is not None]
        return sql.SQL("{} WHERE {}").format(table, sql.SQL(" AND ").join(told)) if told else table

    @property
    def rows_estimate(self) -> int | None:
        """What the last ANALYZE saw, or a planner guessed; None where nobody did."""
        return self.tuples if self.tuples > 0 else None

    @property
    def order(self) -> tuple[str, ...]:
        """Columns in whose order it can be read, no two rows alike in them; empty where there are none."""
        return () if self.is_parent else self.keys.order

    def column(self, name: str) -> PostgresColumn:
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
    columns = searched(PostgresColumn(**row._asdict()) for row in connection.execute(COLUMNS, (found.oid,)))
    readable = {column.name for column in columns if column.readable}
    indexes = [UniqueIndex(**row._asdict()) for row in connection.execute(UNIQUE_INDEXES, (found.oid,))]
    return Relation(
        name=table,
        oid=found.oid,
        kind=KINDS[found.relkind],
        tuples=found.tuples or 0,
        columns=columns,
        keys=keys_of(indexes, readable),
        is_parent=found.relkind == "r" and found.has_children,
        pgvector_schema=found.pgvector,
        is_filtered=found.is_filtered,
    )
