"""Connections to one database. Every look is a read-only transaction of its own, so that it writes nothing
and holds through a pooler that gives each transaction another server connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as adbc
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import namedtuple_row

from migrations_app.engine.sources.postgresql.connect import sql_ascii
from migrations_app.engine.sources.postgresql.connect.cancel import stoppable
from migrations_app.engine.sources.postgresql.connect.conninfo import Conninfo, address_of
from migrations_app.engine.sources.postgresql.connect.refusals import connect_error
from migrations_app.engine.sources.postgresql.connect.settings import PostgresSettings
from migrations_app.engine.sources.postgresql.connect.sqlstate import reading
from migrations_app.engine.stop_token import StopToken

LOOK_SECONDS = 20
CANCEL_SECONDS = 5
# VACUUM FULL, ALTER TABLE or LOCK may hold a table for hours: somebody should hear of it.
LOCK_SECONDS = 30.0

# The text forms that cursors, locators and values rely on, whatever the role or database sets.
_SETTINGS = {
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    # A read without an order begins at the table's first row, whoever else reads it.
    "synchronize_seqscans": "off",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
}
_UNQUOTED = "-c quote_all_identifiers=off"
_BEGIN = "BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED READ ONLY"


class Session:
    """One psycopg connection for looking, opened when first asked for, and ADBC connections for reading."""

    def __init__(self, settings: PostgresSettings) -> None:
        self.address = address_of(settings)
        self._conninfo = Conninfo(settings)
        self._connection: psycopg.Connection[Any] | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._conninfo.close()

    @contextmanager
    def look(self, what: str, seconds: float | None = LOOK_SECONDS) -> Iterator[psycopg.Connection[Any]]:
        """A read-only transaction in which each statement ends after ``seconds`` (None: never).

        Raises ``ConnectionFailed`` where there is no connection to be had, and whatever happens inside as
        an error about ``what``.
        """
        connection = self._open()
        with reading(what), connection.transaction():
            connection.execute(_prepared(seconds))
            yield connection

    @contextmanager
    def count(self, what: str, stop: StopToken) -> Iterator[psycopg.Connection[Any]]:
        """As ``look``, for questions about all rows: they take as long as they take, or until ``stop``."""
        connection = self._open()

        def cancel() -> None:
            connection.cancel_safe(timeout=CANCEL_SECONDS)

        with stoppable(cancel, stop), self.look(what, None) as asked:
            yield asked

    @contextmanager
    def stream(
        self, what: str, seconds: float | None = None, planner: Mapping[str, str] = MappingProxyType({})
    ) -> Iterator[adbc.Connection]:
        """An ADBC connection of its own in a read-only transaction, for one bulk read. ``planner`` are
        settings for it."""
        more = {"client_encoding": sql_ascii.ENCODING} if self.is_unchecked else {}
        conninfo = self._bulk_conninfo(what)
        try:
            connection = adbc.connect(conninfo, autocommit=True)
        except adbc_driver_manager.Error as error:
            raise connect_error(error, self.address) from None
        try:
            with reading(what):
                for statement in (_BEGIN, _prepared(seconds, **planner, **more).as_string()):
                    with connection.cursor() as cursor:
                        cursor.execute(statement)
                yield connection
        finally:
            connection.close()

    def _bulk_conninfo(self, what: str) -> str:
        """The driver asks for the types' names as it connects, and cannot read them where the server quotes
        them all. Set otherwise for that server alone: a pooler may not pass it on."""
        with self.look(what) as connection:
            (row,) = connection.execute("SHOW quote_all_identifiers").fetchall()
        text = self._conninfo.text()
        return make_conninfo(text, options=_UNQUOTED) if row[0] == "on" else text

    @property
    def is_unchecked(self) -> bool:
        """Whether the database holds bytes that need not be UTF-8: it streams them as they are."""
        return self._open().info.parameter_status("server_encoding") == sql_ascii.ENCODING

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            try:
                self._connection = psycopg.connect(
                    self._conninfo.text(),
                    autocommit=True,
                    prepare_threshold=None,
                    row_factory=namedtuple_row,
                )
            # A UnicodeError is Python's way to say that a name can be none of a host (“a..b”).
            except (psycopg.Error, OSError, UnicodeError) as error:
                # Not “from error”: its text may repeat what was typed.
                raise connect_error(error, self.address) from None
            self._connection.read_only = True
            self._connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        return self._connection


def _prepared(seconds: float | None, **more: str) -> sql.Composed:
    """One statement that sets for the transaction all of it that this version knows."""
    milliseconds = 0 if seconds is None else int(seconds * 1000)
    limits = {"statement_timeout": str(milliseconds), "lock_timeout": str(int(LOCK_SECONDS * 1000))}
    settings = {**_SETTINGS, **more, **limits}
    rows = [sql.SQL("({}, {})").format(name, value) for name, value in settings.items()]
    return sql.SQL(
        "SELECT pg_catalog.set_config(name, s.value, true) FROM (VALUES {}) s (name, value)"
        " JOIN pg_catalog.pg_settings known USING (name)"
    ).format(sql.SQL(", ").join(rows))
