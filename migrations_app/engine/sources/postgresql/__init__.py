"""PostgreSQL with pgvector, as a source.

source.py      the ``Source`` itself
describe.py    the schema of a table
sample.py      lengths and example values from a sample of its rows
connect/       settings, sessions, and the errors of the server and its drivers
catalogue/     the list of tables, and the columns and keys of one table
read/          the rows of a table: conditions, statements, batches, rejected rows, questions about all rows
types/         the Milvus types that a column can become, the SQL that reads them, and their Arrow conversion
"""

from migrations_app.engine.sources.postgresql.source import PostgresSource

__all__ = ["PostgresSource"]
