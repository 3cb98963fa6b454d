"""Which Milvus types a column may become, the SQL that reads it so, and what its bytes become: a file for
each family of types, one table of them all.

reading.py    what a way to read a column is
arriving.py   what arrives from the wire, as the Arrow types of ``schema.arrow_type``
vectors.py    pgvector's types
numbers.py    integers, floats, numeric, boolean
texts.py      texts, and what is read as its text
times.py      dates, times, points in time
documents.py  what becomes JSON
arrays.py     arrays of any of them
families.py   the table, and what is asked of it
"""

from migrations_app.engine.connectors.postgres.types.arriving import Converted, Mask, storage_of
from migrations_app.engine.connectors.postgres.types.families import (
    FAMILIES,
    can_be_key,
    choice_of,
    key_reading,
    left_out,
    reading_as,
    readings_of,
)
from migrations_app.engine.connectors.postgres.types.reading import TEXT, Family, Misfit, Reading
from migrations_app.engine.connectors.postgres.types.vectors import METRICS

__all__ = [
    "FAMILIES",
    "METRICS",
    "TEXT",
    "Converted",
    "Family",
    "Mask",
    "Misfit",
    "Reading",
    "can_be_key",
    "choice_of",
    "key_reading",
    "left_out",
    "reading_as",
    "readings_of",
    "storage_of",
]
