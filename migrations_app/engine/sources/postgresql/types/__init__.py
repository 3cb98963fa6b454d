"""PostgreSQL types: the Milvus types that a column can become, the SQL that reads them, and their conversion.

Each family of types has a file, and one table lists all families.

column.py         a column and its type in the server's catalogue
family.py         ``Reading`` (one way to read a column) and ``Family`` (all ways of one native type)
families.py       the table of all families, and functions that use it
arrow_buffers.py  conversion of received values to the Arrow types of ``types.arrow_type``
vectors.py        pgvector's dense vectors
number_lists.py   vectors in arrays, JSON and text
sparse.py         pgvector's sparse vectors
bits.py           bit strings
numbers.py        integers, floats, numeric, boolean
texts.py          texts, and types that are read as text
times.py          dates, times of day, timestamps
json.py           json, hstore, composite types, ranges
geometry.py       points, lines, circles and other shapes
arrays.py         arrays of all other types
"""

from migrations_app.engine.sources.postgresql.types.arrow_buffers import Converted, Mask, storage_of
from migrations_app.engine.sources.postgresql.types.families import (
    FAMILIES,
    can_be_key,
    choice_of,
    dims_of,
    key_reading,
    left_out,
    may_hold_vectors,
    most_bytes,
    reading_as,
    readings_of,
    vector_choice,
)
from migrations_app.engine.sources.postgresql.types.family import TEXT, Family, Reading, UnreadableValues

__all__ = [
    "FAMILIES",
    "TEXT",
    "Converted",
    "Family",
    "Mask",
    "Reading",
    "UnreadableValues",
    "can_be_key",
    "choice_of",
    "dims_of",
    "key_reading",
    "left_out",
    "may_hold_vectors",
    "most_bytes",
    "reading_as",
    "readings_of",
    "storage_of",
    "vector_choice",
]
