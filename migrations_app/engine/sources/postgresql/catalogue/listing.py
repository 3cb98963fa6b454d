"""Every table, view and the like of one database, and why one cannot be selected."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import sql

from migrations_app.engine.errors import PrivilegeMissing, SourceError
from migrations_app.engine.sources.base import CollectionInfo, VectorInfo
from migrations_app.engine.sources.postgresql.catalogue.names import TableName
from migrations_app.engine.sources.postgresql.catalogue.relation import KINDS
from migrations_app.engine.sources.postgresql.connect.session import Session
from migrations_app.engine.sources.postgresql.types.column import (
    BASE,
    OPERATOR_CLASS,
    PostgresColumn,
    searched,
)

# Up to so many rows are counted, where the catalogue does not know of more; above, its estimate stands.
COUNTED_ROWS = 10_000
_TABLES_SECONDS = 10
_ONE_SECONDS = 3
# After so long the rest of the views is listed without a look into them.
_ALL_SECONDS = 15

_RELATIONS: LiteralString = (
    """
    SELECT s.nspname AS schema, c.relname AS name, c.relkind::text AS relkind, c.relispopulated AS populated,
        pg_catalog.has_schema_privilege(s.oid, 'USAGE') AS may_enter,
        pg_catalog.has_any_column_privilege(c.oid, 'SELECT') AS may_read,
        pg_catalog.row_security_active(c.oid) AS is_filtered,
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
                AND (own.typnamespace <> 'pg_catalog'::regnamespace OR own.typname = 'bit')) AS columns
    FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
        LEFT JOIN pg_catalog.pg_class toast ON toast.oid = c.reltoastrelid
        LEFT JOIN LATERAL (
            SELECT sum(NULLIF(l.reltuples, -1)) AS tuples, sum(l.relpages + COALESCE(lt.relpages, 0)) AS pages
            FROM pg_catalog.pg_partition_tree(c.oid) p
                JOIN pg_catalog.pg_class l ON l.oid = p.relid
                LEFT JOIN pg_catalog.pg_class lt ON lt.oid = l.reltoastrelid
            WHERE p.isleaf AND c.relkind = 'p') leaves ON true
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
        AND s.nspname !~ '^pg_' AND s.nspname <> 'information_schema'
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'
            AND d.classid = 'pg_class'::regclass)
    ORDER BY s.nspname, c.relname"""
)


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the catalogue. ``tuples`` is what ANALYZE saw last, -1 or 0 where it did not."""

    name: TableName
    kind: str
    populated: bool
    may_enter: bool
    may_read: bool
    is_filtered: bool
    tuples: int
    size_bytes: int
    vectors: tuple[VectorInfo, ...]
    unreadable_vectors: int

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def obstacle(self) -> str:
        """Why it cannot be selected, as far as the catalogue tells."""
        if not self.may_enter:
            return f"The user may not use schema {self.name.schema} (GRANT USAGE ON SCHEMA)."
        if not self.may_read:
            return f"The user may not read this {self.kind} (GRANT SELECT)."
        if not self.vectors and self.unreadable_vectors:
            return "The user may not read its vector column (GRANT SELECT)."
        if not self.vectors:
            return "It has no column of type vector, halfvec, sparsevec or bit(n), n a multiple of 8."
        if not self.populated:
            return "It has never been filled (REFRESH MATERIALIZED VIEW)."
        return ""

    @property
    def is_stored(self) -> bool:
        """Whether a look at its first rows is cheap: a view may have to compute them all."""
        return self.kind not in ("view", "foreign table")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look into a table told: its rows as far as known, and why it cannot be selected."""

    rows: int | None = None
    is_exact: bool = False
    obstacle: str = ""


UNSEEN = Seen()


def list_collections(session: Session) -> Iterator[CollectionInfo]:
    """All of them by schema and name: one statement for the catalogue, one for the rows of all tables."""
    with session.look("the list of tables") as connection:
        listed = [_listed(row) for row in connection.execute(_RELATIONS)]
    seen = _look_into_all(session, [one for one in listed if not one.obstacle])
    for one in listed:
        yield _info(one, seen.get(one.name) or _known(one))


def _known(one: Listed) -> Seen:
    """What the catalogue alone tells of one that was not looked into."""
    return Seen(one.tuples) if one.is_stored and one.tuples > 0 else UNSEEN


def _listed(row: Any) -> Listed:
    vectors = [
        column for column in searched(PostgresColumn(**found) for found in row.columns) if column.is_searched
    ]
    return Listed(
        name=TableName(row.schema, row.name),
        kind=KINDS[row.relkind],
        populated=row.populated,
        may_enter=row.may_enter,
        may_read=row.may_read,
        is_filtered=row.is_filtered,
        tuples=row.tuples or 0,
        size_bytes=row.size_bytes or 0,
        vectors=tuple(
            VectorInfo(c.name, c.native, c.typmod if c.typmod > 0 else None) for c in vectors if c.readable
        ),
        unreadable_vectors=sum(not column.readable for column in vectors),
    )


def _info(one: Listed, seen: Seen) -> CollectionInfo:
    return CollectionInfo(
        name=str(one.name),
        label=one.name.table,
        group=one.name.schema,
        kind=one.kind,
        rows=seen.rows,
        rows_exact=seen.is_exact,
        vectors=one.vectors,
        not_selectable=one.obstacle or seen.obstacle,
        size_bytes=one.size_bytes or None,
    )


# ---------------------------------------------------------------- rows


def _look_into_all(session: Session, listed: Sequence[Listed]) -> dict[TableName, Seen]:
    """Stored tables in one statement; the others, and all where one of them spoils it, one by one."""
    seen = _look_into_stored(session, [one for one in listed if one.is_stored])
    until = time.monotonic() + _ALL_SECONDS
    for one in listed:
        if one.name not in seen and time.monotonic() < until:
            seen[one.name] = _look_into(session, one)
    return seen


def _look_into_stored(session: Session, tables: Sequence[Listed]) -> dict[TableName, Seen]:
    if not tables:
        return {}
    counts = [_count(one, place) for place, one in enumerate(tables)]
    try:
        with session.look("the tables", _TABLES_SECONDS) as connection:
            rows = connection.execute(sql.SQL(" UNION ALL ").join(counts)).fetchall()
    except (SourceError, PrivilegeMissing):
        return {}
    return {tables[row.place].name: _seen(session, tables[row.place], row.rows) for row in rows}


def _look_into(session: Session, one: Listed) -> Seen:
    """One table alone. One that is too slow to tell may be selected: preflight asks again."""
    try:
        with session.look(str(one), _ONE_SECONDS) as connection:
            (row,) = connection.execute(_count(one)).fetchall()
        return _seen(session, one, row.rows)
    except (SourceError, PrivilegeMissing) as error:
        return UNSEEN if error.retryable else Seen(obstacle=f"It cannot be read. {error}")


def _count(one: Listed, place: int = 0) -> sql.Composed:
    """Counts up to the limit, or looks for a first row where more are known of or looking is dear."""
    limit = COUNTED_ROWS + 1 if one.is_stored and one.tuples <= COUNTED_ROWS else 1
    return sql.SQL("SELECT {} AS place, count(*) AS rows FROM (SELECT FROM {} LIMIT {}) AS t").format(
        place, one.name.identifier, limit
    )


def _seen(session: Session, one: Listed, counted: int) -> Seen:
    if counted == 0:
        shown = " that row-level security shows to this user" if one.is_filtered else ""
        return Seen(0, True, f"It has no rows{shown}.")
    if one.is_stored and one.tuples > COUNTED_ROWS:
        return Seen(one.tuples)
    if one.is_stored and counted <= COUNTED_ROWS:
        return Seen(counted, True)
    return Seen(_guess(session, one))


def _guess(session: Session, one: Listed) -> int:
    """How many rows the planner expects, where nothing else is known."""
    statement = sql.SQL("EXPLAIN (FORMAT JSON) SELECT FROM {}").format(one.name.identifier)
    with session.look(str(one), _ONE_SECONDS) as connection:
        (row,) = connection.execute(statement).fetchall()
    return int(row[0][0]["Plan"]["Plan Rows"])
