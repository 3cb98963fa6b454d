"""PostgreSQL with pgvector, as a source.

settings.py   what a person types, and what libpq is told of it
session.py    connections, each look in a read-only transaction
errors.py     what PostgreSQL and its drivers say, as errors of ours
names.py      ``schema.table`` and its quoting
catalogue.py  one table as the server's catalogue has it
columns.py    its columns, and what their types come down to
listing.py    every table, and why one cannot be selected
types/        which Milvus types a column may become, the SQL that reads it so, what its bytes become
select.py     the statement of a read: columns, order, where it stands
reader.py     that statement's rows as batches
sampling.py   sample texts, longest values
source.py     the ``Source`` itself
"""

from migrations_app.engine.connectors.postgres.source import PostgresSource

__all__ = ["PostgresSource"]
