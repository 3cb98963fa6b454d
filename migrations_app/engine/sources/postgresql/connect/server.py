"""Proving a connection: which server answers, and whether it can be a source."""

from __future__ import annotations

from typing import Any, LiteralString

from migrations_app.engine.endpoint import ServerInfo
from migrations_app.engine.errors import ExtensionMissing, PrivilegeMissing, VersionUnsupported
from migrations_app.engine.sources.postgresql.connect.session import Session

OLDEST = 12

_SERVER: LiteralString = """
    SELECT pg_catalog.version() AS product, pg_catalog.current_setting('server_version') AS version,
        pg_catalog.current_setting('server_version_num')::int AS number,
        pg_catalog.pg_is_in_recovery() AS is_standby, pg_catalog.pg_backend_pid() AS pid,
        (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'vector') AS pgvector,
        (SELECT bool_or(pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')
                AND pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE'))
            FROM pg_catalog.pg_attribute a
                JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                    AND t.typname IN ('vector', 'halfvec', 'sparsevec')
            WHERE NOT a.attisdropped) AS may_read"""

POOLED = (
    "A connection pooler stands in between (PgBouncer or the like). Vectorferry reads through it in single "
    "transactions; a time limit of the pooler on queries (query_timeout) would break long reads off. "
    "Connect straight to the server where you can."
)
STANDBY = (
    "This is a standby: it may break off long reads that hinder its recovery "
    "(max_standby_streaming_delay, hot_standby_feedback)."
)


def check_server(session: Session) -> ServerInfo:
    """Raises ``ConnectionFailed`` with the field at fault."""
    with session.look("the server's version") as connection:
        (row,) = connection.execute(_SERVER).fetchall()
        # A pooler answers with a process number of its own.
        is_pooled = row.pid != connection.info.backend_pid
    _refuse_old(session, row)
    _refuse_without_pgvector(session, row)
    _refuse_without_tables(session, row)
    warnings = ((POOLED,) if is_pooled else ()) + ((STANDBY,) if row.is_standby else ())
    return ServerInfo("PostgreSQL", row.version.split()[0], (f"pgvector {row.pgvector}",), warnings)


def _refuse_old(session: Session, row: Any) -> None:
    field = session.address.field("host")
    if not row.product.startswith("PostgreSQL"):
        raise VersionUnsupported(
            f"{session.address} is not PostgreSQL but {row.product.split(' (')[0]}.",
            "Only PostgreSQL itself, with pgvector, is read.",
            field=field,
        )
    if row.number < OLDEST * 10_000:
        raise VersionUnsupported(
            f"{session.address} runs PostgreSQL {row.version}.",
            f"Version {OLDEST} or later is needed.",
            field=field,
        )


def _refuse_without_pgvector(session: Session, row: Any) -> None:
    if row.pgvector is None:
        raise ExtensionMissing(
            f"Database “{session.address.database}” does not have pgvector.",
            "Choose the database that holds the vectors, or as its administrator: CREATE EXTENSION vector",
            field=session.address.field("database"),
        )


def _refuse_without_tables(session: Session, row: Any) -> None:
    # None where there is no table with vectors yet: that is for the list of tables to say.
    if row.may_read is False:
        raise PrivilegeMissing(
            f"User “{session.address.user}” may read none of the tables with vectors in database "
            f"“{session.address.database}”.",
            "As their owner: GRANT USAGE ON SCHEMA … TO …; GRANT SELECT ON … TO …",
            field=session.address.field("user"),
        )
