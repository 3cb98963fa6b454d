"""PostgreSQL with pgvector, as a source.

to connect
settings.py    what a person types
conninfo.py    what libpq is told of it
session.py     connections, each look in a read-only transaction
server.py      which server answers, and whether it can be a source
refusals.py    why there is no connection, with the field at fault
errors.py      what PostgreSQL and its drivers say while reading, as errors of ours (failures.py: their words)
stopping.py    breaking off what the server is doing

to know a table
listing.py     every table, and why one cannot be selected
catalogue.py   one table as the server's catalogue has it (names.py: ``schema.table`` and its quoting)
columns.py     its columns, and what their types come down to
keys.py        its key, and the order in which it can be read
selection.py   which of its rows are wanted (condition.py: an expression and nothing else)
describing.py  its schema with samples (sampling.py: sample texts, longest values)
measuring.py   what only all rows can tell

to read it
types/         which Milvus types a column may become, the SQL that reads it so, what its bytes become
select.py      the statement of a read: columns, order, where it stands
reader.py      that statement's rows as batches
rejecting.py   rows that a reading cannot take (unchecked.py: texts that are none in UTF-8)
source.py      the ``Source`` itself
"""

from migrations_app.engine.sources.postgresql.source import PostgresSource

__all__ = ["PostgresSource"]
