"""Server check: tests a connection and checks that the server can be a source."""

from __future__ import annotations

from typing import Any, LiteralString

from migrations_app.engine.endpoint import ServerInfo
from migrations_app.engine.errors import ExtensionMissing, PrivilegeMissing, VersionUnsupported
from migrations_app.engine.sources.postgresql.connect.session import Session

MIN_VERSION = 12

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

POOLER_WARNING = (
    "The connection goes through a pooler (PgBouncer or similar). Vectorferry reads through it in single "
    "transactions; a time limit of the pooler on queries (query_timeout) would cancel long reads. "
    "Connect directly to the server if you can."
)
STANDBY_WARNING = (
    "This is a standby: it may cancel long reads that delay its recovery "
    "(max_standby_streaming_delay, hot_standby_feedback)."
)


def check_server(session: Session) -> ServerInfo:
    """Return facts about the server. Raises ``ConnectionFailed`` with the field at fault."""
    with session.query("the server's version") as connection:
        (row,) = connection.execute(_SERVER).fetchall()
        # A pooler reports a different process ID from that of the server process.
        is_pooled = row.pid != connection.info.backend_pid
    _refuse_old(session, row)
    _refuse_without_pgvector(session, row)
    _refuse_without_tables(session, row)
    warnings = ((POOLER_WARNING,) if is_pooled else ()) + ((STANDBY_WARNING,) if row.is_standby else ())
    return ServerInfo("PostgreSQL", row.version.split()[0], (f"pgvector {row.pgvector}",), warnings)


def _refuse_old(session: Session, row: Any) -> None:
    field = session.address.field("host")
    if not row.product.startswith("PostgreSQL"):
        raise VersionUnsupported(
            f"{session.address} is not PostgreSQL but {row.product.split(' (')[0]}.",
            "Use a PostgreSQL server with pgvector.",
            field=field,
        )
    if row.number < MIN_VERSION * 10_000:
        raise VersionUnsupported(
            f"{session.address} runs PostgreSQL {row.version}.",
            f"Version {MIN_VERSION} or later is required.",
            field=field,
        )


def _refuse_without_pgvector(session: Session, row: Any) -> None:
    if row.pgvector is None:
        raise ExtensionMissing(
            f"Database “{session.address.database}” does not have pgvector.",
            "Choose the database that contains the vectors, or ask its administrator to run: "
            "CREATE EXTENSION vector",
            field=session.address.field("database"),
        )


def _refuse_without_tables(session: Session, row: Any) -> None:
    # None if there is no table with vectors: the list of tables shows that.
    if row.may_read is False:
        raise PrivilegeMissing(
            f"User “{session.address.user}” may not read any table with vectors in database "
            f"“{session.address.database}”.",
            "Ask their owner to run: GRANT USAGE ON SCHEMA … TO …; GRANT SELECT ON … TO …",
            field=session.address.field("user"),
        )
