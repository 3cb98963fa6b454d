"""Session: the connections to one database.

Each query is a separate read-only transaction. So it cannot write, and it works through a pooler that gives
each transaction another server connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from types import MappingProxyType
from typing import Any

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as adbc
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import namedtuple_row

from migrations_app.engine.address_guard import Resolve
from migrations_app.engine.errors import ConnectionFailed
from migrations_app.engine.interruptible import interruptible
from migrations_app.engine.sources.postgresql.connect import sql_ascii
from migrations_app.engine.sources.postgresql.connect.cancel import stoppable
from migrations_app.engine.sources.postgresql.connect.connect_errors import connect_error
from migrations_app.engine.sources.postgresql.connect.conninfo import Conninfo, address_of
from migrations_app.engine.sources.postgresql.connect.other_server import OtherServer
from migrations_app.engine.sources.postgresql.connect.read_errors import mapped_errors
from migrations_app.engine.sources.postgresql.connect.settings import PostgresSettings
from migrations_app.engine.stop_token import StopToken

QUERY_SECONDS = 20
# A server gets this much longer than the time after which it stops a query itself.
ANSWER_SECONDS = 5
# VACUUM FULL, ALTER TABLE or LOCK may lock a table for hours: the user gets a message instead of waiting.
LOCK_SECONDS = 30.0

# Cursors, locators and values need these text forms, so the settings of the role or database are overridden.
_SETTINGS = {
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    # A read without an order begins at the table's first row, even if other sessions read the table.
    "synchronize_seqscans": "off",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
}
_UNQUOTED = "-c quote_all_identifiers=off"
_BEGIN = "BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED READ ONLY"


class Session:
    """One psycopg connection for queries, opened at the first use, and ADBC connections for bulk reads.

    ``stop`` ends everything that waits for the server: the caller sets it for each question.
    """

    def __init__(self, settings: PostgresSettings, resolve: Resolve) -> None:
        self.address = address_of(settings)
        self._conninfo = Conninfo(settings, resolve)
        self._connection: psycopg.Connection[Any] | None = None
        self.stop = StopToken()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._conninfo.close()

    @contextmanager
    def query(
        self,
        what: str,
        seconds: float | None = QUERY_SECONDS,
        planner: Mapping[str, str] = MappingProxyType({}),
    ) -> Iterator[psycopg.Connection[Any]]:
        """Open a read-only transaction in which each statement is limited to ``seconds``. None, for questions
        about all rows: no limit. ``planner`` are planner settings for this transaction.

        Raises ``ConnectionFailed`` if it cannot connect. Errors in the block become errors about ``what``.
        """
        connection = self._open()
        limit = None if seconds is None else seconds + ANSWER_SECONDS
        with (
            stoppable(connection, self.stop, what, limit),
            mapped_errors(what),
            connection.transaction(),
        ):
            connection.execute(_prepared(seconds, **planner))
            yield connection

    def stream(
        self, what: str, seconds: float | None = None, planner: Mapping[str, str] = MappingProxyType({})
    ) -> AbstractContextManager[adbc.Connection]:
        """Return a new ADBC connection in a read-only transaction, for one bulk read. It may be opened, used
        and closed in another thread. ``planner`` are planner settings for this transaction."""
        more = {"client_encoding": sql_ascii.ENCODING} if self.is_sql_ascii else {}
        prepared = _prepared(seconds, **planner, **more).as_string()
        return self._streaming(self._bulk_conninfo(what), what, prepared)

    @contextmanager
    def _streaming(self, conninfo: str, what: str, prepared: str) -> Iterator[adbc.Connection]:
        try:
            connection = adbc.connect(conninfo, autocommit=True)
        except adbc_driver_manager.Error as error:
            raise connect_error(error, self.address) from None
        try:
            with mapped_errors(what):
                for statement in (_BEGIN, prepared):
                    with connection.cursor() as cursor:
                        cursor.execute(statement)
                yield connection
        finally:
            connection.close()

    def _bulk_conninfo(self, what: str) -> str:
        """The connection string for a bulk read. Turns identifier quoting off if the server turns it on.

        The driver reads the names of all types when it connects and cannot handle quoted names. The option is
        set only if necessary, because a pooler may not pass it on.
        """
        with self.query(what) as connection:
            (row,) = connection.execute("SHOW quote_all_identifiers").fetchall()
        text = interruptible(self._conninfo.text, self.stop.check)
        return make_conninfo(text, options=_UNQUOTED) if row[0] == "on" else text

    @property
    def server_version(self) -> int:
        """The version of the server as a number: 140003 is 14.3."""
        return self._open().info.server_version

    @property
    def is_sql_ascii(self) -> bool:
        """True if the encoding of the database is SQL_ASCII: its texts may not be valid UTF-8 and are read as
        bytes."""
        return self._open().info.parameter_status("server_encoding") == sql_ascii.ENCODING

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            other = OtherServer(self._conninfo.first_place, self.address)

            def check() -> None:
                self.stop.check()
                other.check()

            try:
                self._connection = interruptible(self._connected, check, psycopg.Connection.close)
            except ConnectionFailed as error:
                explain = partial(other.explained, error)
                raise interruptible(explain, self.stop.check) from None
        return self._connection

    def _connected(self) -> psycopg.Connection[Any]:
        try:
            connection: psycopg.Connection[Any] = psycopg.connect(
                self._conninfo.text(), autocommit=True, prepare_threshold=None, row_factory=namedtuple_row
            )
        except (psycopg.Error, OSError) as error:
            # Not “from error”: its text may repeat what the user typed.
            raise connect_error(error, self.address) from None
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        return connection


def _prepared(seconds: float | None, **more: str) -> sql.Composed:
    """One statement that sets everything for the transaction, except settings that the server does not
    know."""
    milliseconds = 0 if seconds is None else int(seconds * 1000)
    limits = {"statement_timeout": str(milliseconds), "lock_timeout": str(int(LOCK_SECONDS * 1000))}
    settings = {**_SETTINGS, **more, **limits}
    rows = [sql.SQL("({}, {})").format(name, value) for name, value in settings.items()]
    return sql.SQL(
        "SELECT pg_catalog.set_config(name, s.value, true) FROM (VALUES {}) s (name, value)"
        " JOIN pg_catalog.pg_settings known USING (name)"
    ).format(sql.SQL(", ").join(rows))
