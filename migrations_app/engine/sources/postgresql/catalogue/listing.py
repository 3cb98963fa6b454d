"""Listing: all tables, views and similar of one database, with the reason if one cannot be selected."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import sql

from migrations_app.engine.errors import PrivilegeMissing, SourceError
from migrations_app.engine.model.source_schema import HiddenRows
from migrations_app.engine.sources.base import CollectionInfo, VectorInfo
from migrations_app.engine.sources.postgresql.catalogue.names import TableName
from migrations_app.engine.sources.postgresql.catalogue.relation import KINDS, LEAF_SIZES
from migrations_app.engine.sources.postgresql.catalogue.row_security import hidden_rows
from migrations_app.engine.sources.postgresql.connect.session import Session
from migrations_app.engine.sources.postgresql.types import may_hold_vectors
from migrations_app.engine.sources.postgresql.types.column import (
    BASE,
    OPERATOR_CLASS,
    PostgresColumn,
    mark_vectors,
)

# Tables with up to this many rows are counted. For larger tables, the estimate in the catalogue is shown.
COUNTED_ROWS = 10_000
# Together, these are less than the time for which a web page waits.
_TABLES_SECONDS = 5
_ONE_SECONDS = 3
# After this time, the remaining views are listed without a query on them.
_ALL_SECONDS = 6

_RELATIONS: LiteralString = (
    """
    SELECT c.oid::bigint AS oid, s.nspname AS schema, c.relname AS name, c.relkind::text AS relkind,
        c.relispopulated AS populated,
        pg_catalog.has_schema_privilege(s.oid, 'USAGE') AS may_enter,
        pg_catalog.has_any_column_privilege(c.oid, 'SELECT') AS may_read,
        (CASE c.relkind WHEN 'p' THEN leaves.tuples ELSE c.reltuples END)::bigint AS tuples,
        (CASE c.relkind WHEN 'p' THEN leaves.pages ELSE c.relpages + COALESCE(toast.relpages, 0) END
            * pg_catalog.current_setting('block_size')::bigint)::bigint AS size_bytes,
        (SELECT COALESCE(json_agg(json_build_object('name', a.attname, 'family', base.family,
                'native', pg_catalog.format_type(a.atttypid, a.atttypmod), 'typmod', base.typmod,
                'readable', pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT'),
                'operator_class', """
    + OPERATOR_CLASS
    + """) ORDER BY a.attnum), '[]')
            FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type own ON own.oid = a.atttypid CROSS JOIN """
    + BASE
    + """
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                AND (own.typnamespace <> 'pg_catalog'::regnamespace
                    OR own.typname IN ('bit', '_float4', '_float8')
                    OR own.typname IN ('json', 'jsonb', 'text', 'varchar') AND a.attname ~* 'embed|vec'))
            AS columns
    FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
    """
    + LEAF_SIZES
    + """
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
        AND s.nspname !~ '^pg_' AND s.nspname <> 'information_schema'
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'
            AND d.classid = 'pg_class'::regclass)
    ORDER BY s.nspname, c.relname"""
)


@dataclass(frozen=True, slots=True)
class ListedTable:
    """One relation in the catalogue. ``tuples`` is the row count of the last ANALYZE; -1 or 0 without it.
    ``possible_vectors`` are columns of other types that may hold vectors."""

    name: TableName
    kind: str
    populated: bool
    may_enter: bool
    may_read: bool
    hidden: HiddenRows | None
    tuples: int
    size_bytes: int
    vectors: tuple[VectorInfo, ...]
    unreadable_vectors: int
    possible_vectors: tuple[VectorInfo, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def obstacle(self) -> str:
        """The reason in the catalogue why it cannot be selected, or empty."""
        if not self.may_enter:
            return f"The user may not use schema {self.name.schema} (GRANT USAGE ON SCHEMA)."
        if not self.may_read:
            return f"The user may not read this {self.kind} (GRANT SELECT)."
        if not self.vectors and self.unreadable_vectors:
            return "The user may not read its vector column (GRANT SELECT)."
        if not self.vectors and not self.possible_vectors:
            return (
                "It has no column of type vector, halfvec, sparsevec, bit(n) with n a multiple of 8, real[] "
                "or double precision[], and no json or text column with “embed” or “vec” in its name."
            )
        if not self.populated:
            return "It contains no data yet (REFRESH MATERIALIZED VIEW)."
        return ""

    @property
    def is_stored(self) -> bool:
        """True if reading its first rows is cheap. A view may have to compute all rows."""
        return self.kind not in ("view", "foreign table")


@dataclass(frozen=True, slots=True)
class Inspection:
    """The result of a query on one table: its number of rows, and the reason if it cannot be selected."""

    rows: int | None = None
    is_exact: bool = False
    obstacle: str = ""


NOT_INSPECTED = Inspection()


def list_collections(session: Session) -> Iterator[CollectionInfo]:
    """Yield all tables by schema and name. Runs one statement for the catalogue and one for the rows of all
    stored tables."""
    with session.query("the list of tables") as connection:
        rows = connection.execute(_RELATIONS).fetchall()
        hidden = hidden_rows(connection, (row.oid for row in rows))
    tables = [_listed(row, hidden.get(row.oid)) for row in rows]
    inspections = _inspect_all(session, [table for table in tables if not table.obstacle])
    for table in tables:
        yield _info(table, inspections.get(table.name) or _from_catalogue(table))


def _from_catalogue(table: ListedTable) -> Inspection:
    """The facts in the catalogue about a table that was not inspected."""
    return Inspection(table.tuples) if table.is_stored and table.tuples > 0 else NOT_INSPECTED


def _listed(row: Any, hidden: HiddenRows | None) -> ListedTable:
    columns = mark_vectors(PostgresColumn(**column) for column in row.columns)
    vectors = [column for column in columns if column.is_vector]
    return ListedTable(
        name=TableName(row.schema, row.name),
        kind=KINDS[row.relkind],
        populated=row.populated,
        may_enter=row.may_enter,
        may_read=row.may_read,
        hidden=hidden,
        tuples=row.tuples or 0,
        size_bytes=row.size_bytes or 0,
        vectors=tuple(
            VectorInfo(c.name, c.native, c.typmod if c.typmod > 0 else None) for c in vectors if c.readable
        ),
        unreadable_vectors=sum(not column.readable for column in vectors),
        possible_vectors=tuple(
            VectorInfo(c.name, c.native) for c in columns if c.readable and may_hold_vectors(c)
        ),
    )


def _info(table: ListedTable, inspection: Inspection) -> CollectionInfo:
    return CollectionInfo(
        name=str(table.name),
        label=table.name.table,
        group=table.name.schema,
        kind=table.kind,
        rows=inspection.rows,
        rows_exact=inspection.is_exact,
        vectors=table.vectors or table.possible_vectors,
        not_selectable=table.obstacle or inspection.obstacle,
        note=str(table.hidden or ""),
        size_bytes=table.size_bytes or None,
    )


# ---------------------------------------------------------------- rows


def _inspect_all(session: Session, tables: Sequence[ListedTable]) -> dict[TableName, Inspection]:
    """Inspect all stored tables in one statement and the others one by one. If the statement fails, inspect
    every table one by one."""
    inspections = _inspect_stored(session, [table for table in tables if table.is_stored])
    until = time.monotonic() + _ALL_SECONDS
    for table in tables:
        if table.name not in inspections and time.monotonic() < until:
            inspections[table.name] = _inspect(session, table)
    return inspections


def _inspect_stored(session: Session, tables: Sequence[ListedTable]) -> dict[TableName, Inspection]:
    if not tables:
        return {}
    counts = [_count(table, place) for place, table in enumerate(tables)]
    try:
        with session.query("the tables", _TABLES_SECONDS) as connection:
            rows = connection.execute(sql.SQL(" UNION ALL ").join(counts)).fetchall()
    except (SourceError, PrivilegeMissing):
        return {}
    return {tables[row.place].name: _judge(session, tables[row.place], row.rows) for row in rows}


def _inspect(session: Session, table: ListedTable) -> Inspection:
    """Inspect one table. If it is too slow, it can be selected anyway: preflight checks again."""
    try:
        with session.query(str(table), _ONE_SECONDS) as connection:
            (row,) = connection.execute(_count(table)).fetchall()
        return _judge(session, table, row.rows)
    except (SourceError, PrivilegeMissing) as error:
        return NOT_INSPECTED if error.retryable else Inspection(obstacle=f"It cannot be read. {error}")


def _count(table: ListedTable, place: int = 0) -> sql.Composed:
    """The statement that counts rows up to ``COUNTED_ROWS`` + 1. It only checks for a first row if the
    catalogue already knows of more rows, or if reading is expensive."""
    limit = COUNTED_ROWS + 1 if table.is_stored and table.tuples <= COUNTED_ROWS else 1
    return sql.SQL("SELECT {} AS place, count(*) AS rows FROM (SELECT FROM {} LIMIT {}) AS t").format(
        place, table.name.identifier, limit
    )


def _judge(session: Session, table: ListedTable, counted: int) -> Inspection:
    if counted == 0:
        return Inspection(0, True, f"It shows no rows. {table.hidden}" if table.hidden else "It has no rows.")
    if table.is_stored and table.tuples > COUNTED_ROWS:
        return Inspection(table.tuples)
    if table.is_stored and counted <= COUNTED_ROWS:
        return Inspection(counted, True)
    return Inspection(_estimate(session, table))


def _estimate(session: Session, table: ListedTable) -> int:
    """The number of rows that the planner expects."""
    statement = sql.SQL("EXPLAIN (FORMAT JSON) SELECT FROM {}").format(table.name.identifier)
    with session.query(str(table), _ONE_SECONDS) as connection:
        (row,) = connection.execute(statement).fetchall()
    return int(row[0][0]["Plan"]["Plan Rows"])
