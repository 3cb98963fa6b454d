"""Rejected rows: rows whose values do not fit the requested types, found column by column."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import orjson
import pyarrow as pa

from migrations_app.engine.model.batch import Rejected
from migrations_app.engine.model.json.row import TEXT_CHARACTERS, row_json
from migrations_app.engine.sources.postgresql.connect.sql_ascii import CODE
from migrations_app.engine.sources.postgresql.read.select import Delivered
from migrations_app.engine.sources.postgresql.types import Converted, Mask, storage_of


class RejectedRows:
    """The rejected rows in a batch of ``rows`` rows. The first reason found for a row counts."""

    def __init__(self, rows: int) -> None:
        self.mask: Mask = np.zeros(rows, bool)
        self._reasons: dict[int, tuple[str, str, str, str]] = {}

    def add_unreadable_values(self, delivered: Delivered, texts: pa.Array) -> None:
        """Add the rows whose value does not fit. ``texts`` contains its text, or NULL if the value fits."""
        unreadable = delivered.reading.unreadable
        if unreadable is None or texts.null_count == len(texts):
            return
        texts = texts.cast(pa.binary())  # texts of a SQL_ASCII database may not be valid UTF-8
        for row in np.flatnonzero(np.asarray(texts.is_valid())):
            text = texts[int(row)].as_py().decode(errors="backslashreplace")
            self._add(int(row), delivered.column.path, unreadable.code, unreadable.reason, text)

    def add_dimension_mismatches(
        self, delivered: Delivered, converted: Converted, rows: pa.RecordBatch
    ) -> None:
        """Add the rows whose vector does not have the requested dimension."""
        if converted.wrong_dims is None or converted.dims is None:
            return
        native = rows.column(delivered.value).type.type_name
        for row in np.flatnonzero(converted.wrong_dims):
            dim = converted.dims[row]
            reason = f"has {dim:,} dimensions; the field takes {delivered.column.spec.dim:,}"
            self._add(int(row), delivered.column.path, "dimension_mismatch", reason, f"{native}({dim})")

    def add_other_values(self, delivered: Delivered, converted: Converted, rows: pa.RecordBatch) -> None:
        """Add the rows whose value is not a list of the requested number of numbers."""
        if converted.not_lists is None:
            return
        values = storage_of(rows.column(delivered.value))
        reason = f"is not a list of {delivered.column.spec.dim:,} numbers"
        for row in np.flatnonzero(converted.not_lists):
            value = values[int(row)].as_py()
            text = value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
            self._add(int(row), delivered.column.path, "not_a_vector", reason, text)

    def add_unreadable(self, delivered: Delivered, unreadable: Mapping[int, str]) -> None:
        """Add the rows with a text that is not valid UTF-8."""
        for row, text in unreadable.items():
            self._add(row, delivered.column.path, CODE, "is not valid UTF-8", text)

    def rejected(self, batch: pa.RecordBatch, locators: pa.Array) -> tuple[Rejected, ...]:
        """Return a ``Rejected`` for each added row, in the order of the batch."""
        return tuple(
            Rejected(
                locators[row].as_py(), field, code, f"“{field}” {reason}.", _row(batch, row, field, text)
            )
            for row, (field, code, reason, text) in sorted(self._reasons.items())
        )

    def _add(self, row: int, field: str, code: str, reason: str, text: str) -> None:
        self.mask[row] = True
        self._reasons.setdefault(row, (field, code, reason, text))


def _row(batch: pa.RecordBatch, row: int, field: str, text: str) -> str:
    """Return the row as JSON text, with the wrong value as PostgreSQL's text."""
    excerpt = orjson.loads(row_json(batch, row))
    return orjson.dumps(excerpt | {field: text[:TEXT_CHARACTERS]}).decode()
