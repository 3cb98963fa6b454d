"""Sampled column: a field whose types are known from a sample only, so that other values may not fit.

The source delivers its values as JSON. A value that fits the type of the field goes into the field, another
one into the dynamic field.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.mapping.columns import ColumnResult, SourceColumns
from migrations_app.engine.mapping.json_column import FixedKey, OpenedColumn
from migrations_app.engine.model.batch import ReadColumn


@dataclass(frozen=True, slots=True)
class SampledColumn:
    """A column of JSON values, mapped as documents with one key. ``key`` has the name of the column as its
    only part."""

    read: ReadColumn
    key: FixedKey

    @property
    def name(self) -> str:
        return self.read.path

    @property
    def reads(self) -> tuple[ReadColumn, ...]:
        return (self.read,)

    def map_rows(self, columns: SourceColumns, rows: int) -> ColumnResult:
        before = b"{" + orjson.dumps(self.key.parts[0]) + b":"
        values = columns[self.read].cast(pa.binary())
        documents = pc.binary_join_element_wise(before, values, b"}", b"").cast(pa.string())
        opened = OpenedColumn(self.read, (self.key,), keeps_rest=False)
        return opened.map_rows({self.read: documents}, rows)
