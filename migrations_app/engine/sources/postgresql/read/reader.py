"""Batch reader: the rows of a statement as batches, directly from COPY into Arrow.

ADBC streams only statements without bound parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as adbc
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# The public method, fetch_record_batch, returns pyarrow's reader, whose errors have no SQLSTATE.
from adbc_driver_manager._reader import AdbcRecordBatchReader

from migrations_app.engine.model.batch import Batch, Cursor
from migrations_app.engine.model.joined_key_text import joined
from migrations_app.engine.model.types import arrow_type
from migrations_app.engine.sources.postgresql.connect.own_thread import CancelableBy, in_own_thread
from migrations_app.engine.sources.postgresql.connect.session import ANSWER_SECONDS, Session
from migrations_app.engine.sources.postgresql.connect.sql_ascii import refuse_unreadable, separate_unreadable
from migrations_app.engine.sources.postgresql.read.rejects import RejectedRows
from migrations_app.engine.sources.postgresql.read.select import Select
from migrations_app.engine.sources.postgresql.types import storage_of
from migrations_app.engine.stop_token import StopToken

_BATCH_BYTES = "adbc.postgresql.batch_size_hint_bytes"


@dataclass(frozen=True, slots=True)
class BatchReader:
    """A reader that runs one statement. ``seconds`` is its time limit, for samples. ``on_open`` is called
    when the statement runs, and so holds its lock on the table."""

    session: Session
    select: Select
    batch_bytes: int
    stop: StopToken
    seconds: float | None = None
    on_open: Callable[[], None] = lambda: None

    def batches(self) -> Generator[Batch, None, None]:
        """Yield the rows in the statement's order. After a stop, its reason is raised within half a second,
        even if the server is busy."""
        what, done = self.select.relation.description, 0
        is_sql_ascii = self.session.is_sql_ascii
        streamed = self.session.stream(what, self.seconds, self.select.planner)
        limit = None if self.seconds is None else self.seconds + ANSWER_SECONDS
        with closing(in_own_thread(partial(self._received, streamed), self.stop, what, limit)) as received:
            for rows in received:
                self.stop.check()
                if rows is None:
                    self.on_open()
                    continue
                yield _batch(self.select, rows, done, is_sql_ascii=is_sql_ascii)
                done += rows.num_rows
                self.stop.check()

    def _received(
        self, streamed: AbstractContextManager[adbc.Connection], cancelable_by: CancelableBy
    ) -> Generator[pa.RecordBatch | None, None, None]:
        """Yield None as soon as the statement runs, then its rows. Runs in a thread of its own."""
        with streamed as connection, connection.cursor() as cursor:
            options = {_BATCH_BYTES: str(self.batch_bytes)}
            cursor.adbc_statement.set_options(**options)
            with cancelable_by(cursor.adbc_cancel), _stream(cursor, self.select.text()) as stream:
                yield None
                yield from stream

    def all_rows(self) -> pa.RecordBatch:
        """All rows, for a statement that returns few rows."""
        empty = _schema(self.select).empty_table()
        table = pa.concat_tables([empty, *(pa.Table.from_batches([b.rows]) for b in self.batches())])
        arrays = [column.combine_chunks() for column in table.columns]
        return pa.RecordBatch.from_arrays(arrays, schema=table.schema)

    def first_rows(self) -> pa.RecordBatch:
        """The rows of the first batch: about ``batch_bytes`` at most, even if the rows are large."""
        with closing(self.batches()) as batches:
            first = next(batches, None)
        return first.rows if first else pa.RecordBatch.from_pylist([], _schema(self.select))


@contextmanager
def _stream(cursor: adbc.Cursor, statement: str) -> Iterator[AdbcRecordBatchReader]:
    """Run a statement and stream its rows. If the block ends early, cancel the statement on the server."""
    cursor.execute(statement)
    handle = cursor.fetch_arrow()
    stream = AdbcRecordBatchReader._import_from_c(handle.address)
    try:
        yield stream
    except adbc_driver_manager.Error:
        # The server ended the statement: there is nothing to cancel, and the connection may be gone.
        raise
    except BaseException:
        with suppress(adbc_driver_manager.Error):
            cursor.adbc_cancel()
        raise
    finally:
        stream.close()


def _schema(select: Select) -> pa.Schema:
    return pa.schema([(d.column.path, arrow_type(d.column.spec)) for d in select.delivered])


def _batch(select: Select, rows: pa.RecordBatch, done: int, *, is_sql_ascii: bool) -> Batch:
    """Convert received rows to the types of the plan and separate the rejected rows. ``done`` is the number
    of rows before them."""
    for place in {*select.cursor, *select.locators} if is_sql_ascii else ():
        refuse_unreadable(storage_of(rows.column(place)), str(select.relation))
    rejects = RejectedRows(rows.num_rows)
    values = []
    for delivered in select.delivered:
        converted = delivered.reading.convert(rows.column(delivered.value), delivered.column.spec)
        rejects.add_dimension_mismatches(delivered, converted, rows)
        rejects.add_other_values(delivered, converted, rows)
        if delivered.unreadable is not None:
            rejects.add_unreadable_values(delivered, rows.column(delivered.unreadable))
        column = converted.values
        if is_sql_ascii:
            column, unreadable = separate_unreadable(column)
            rejects.add_unreadable(delivered, unreadable)
        values.append(column)
    batch = pa.RecordBatch.from_arrays(values, schema=_schema(select))
    locators = _locators(select, rows, done)
    rejected = rejects.rejected(batch, locators)
    if rejected:
        kept = pa.array(~rejects.mask)
        batch, locators = batch.filter(kept), locators.filter(kept)
    return Batch(batch, _cursor(select, rows), locators, rejected)


def _cursor(select: Select, rows: pa.RecordBatch) -> Cursor:
    """The key of the last row (even a rejected one), for resuming. None if the read has no order."""
    last = rows.num_rows - 1
    return [str(storage_of(rows.column(place))[last].as_py()) for place in select.cursor] or None


def _locators(select: Select, rows: pa.RecordBatch, done: int) -> pa.Array:
    """The key of each row, with its parts joined as in a joined key. Without an order, also the row's place,
    or its number in this read."""
    keys = [rows.column(place).cast(pa.string()).fill_null("NULL") for place in select.locators]
    if select.order:
        return joined(keys)
    named = _places(select, rows) if select.place is not None else _numbers(rows, done)
    return pc.binary_join_element_wise(joined(keys), named, ", ") if keys else named


def _numbers(rows: pa.RecordBatch, done: int) -> pa.Array:
    numbers = pa.array(np.arange(done + 1, done + rows.num_rows + 1)).cast(pa.string())
    return pc.binary_join_element_wise("row", numbers, " ")


def _places(select: Select, rows: pa.RecordBatch) -> pa.Array:
    assert select.place is not None
    table = "" if select.leaf in (None, select.relation.name) else f"{select.leaf} "
    return pc.binary_join_element_wise(f"{table}ctid", rows.column(select.place).cast(pa.string()), " ")
