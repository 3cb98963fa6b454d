"""JSON rows: converts a page of JSON documents to the batch of a read plan and its rejected rows.

A value arrives exactly, or its row is rejected; nothing is guessed:

- A bool is never a number, and a text is never a number.
- An integer column takes only integers: ``1.0`` and ``1e3`` are floats. DOUBLE and FLOAT take both, but no
  integer that they would round.
- A VARCHAR takes texts, and integers of any size as their digits.
- A JSON column contains the document's own text if the texts of the documents are known. Otherwise the text
  is written again: integers of any size are exact, floats have the shortest text of the same double.
- The numbers of a vector are rounded to the type of its elements; an INT8_VECTOR takes only integers.
- null is NULL. A missing key is also NULL, and ``JsonRows.missing`` marks it.

The readers of JSON have traps. orjson silently turns integers of more than 64 bits into floats, so such
numbers are read again by Python's reader. orjson refuses a whole text because of one ``1e400`` or one half
of a surrogate pair. Arrow turns 1.5 into the int64 1 and True into the float 1.0, so the Python types of a
column are checked before Arrow sees them.
"""

from migrations_app.engine.model.json.documents import MISSING
from migrations_app.engine.sources.json_rows.documents import (
    JsonColumn,
    Place,
    columns_of,
    read_answer,
    read_exactly,
)
from migrations_app.engine.sources.json_rows.rows import JsonRows, rows_of_documents, rows_of_texts

__all__ = [
    "MISSING",
    "JsonColumn",
    "JsonRows",
    "Place",
    "columns_of",
    "read_answer",
    "read_exactly",
    "rows_of_documents",
    "rows_of_texts",
]
