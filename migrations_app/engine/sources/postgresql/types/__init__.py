"""Which Milvus types a column may become, the SQL that reads it so, and what its bytes become: a file for
each family of types, one table of them all.

reading.py    what a way to read a column is
arriving.py   what arrives from the wire, as the Arrow types of ``schema.arrow_type``
vectors.py    pgvector's dense vectors
sparse.py     pgvector's sparse vectors
bits.py       bit strings
numbers.py    integers, floats, numeric, boolean
texts.py      texts, and what is read as its text
times.py      dates, times, points in time
documents.py  json, hstore, composite types
ranges.py     ranges and multiranges
geometry.py   points, lines, circles ...
arrays.py     arrays of any of them
families.py   the table, and what is asked of it
"""

from migrations_app.engine.sources.postgresql.types.arrow_buffers import Converted, Mask, storage_of
from migrations_app.engine.sources.postgresql.types.families import (
    FAMILIES,
    can_be_key,
    choice_of,
    dims_of,
    key_reading,
    left_out,
    metric_of,
    reading_as,
    readings_of,
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
    "metric_of",
    "reading_as",
    "readings_of",
    "storage_of",
]
