"""Rows that PostgreSQL holds and a reading cannot take: found column by column, told row by row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import orjson
import pyarrow as pa

from migrations_app.engine.model.batch import Rejected
from migrations_app.engine.model.row_json import TEXT_CHARACTERS, row_excerpt
from migrations_app.engine.sources.postgresql.connect.sql_ascii import CODE
from migrations_app.engine.sources.postgresql.read.select import Delivered
from migrations_app.engine.sources.postgresql.types import Converted, Mask


class RejectedRows:
    """What was found wrong in one batch of ``rows`` rows; a row's first fault counts."""

    def __init__(self, rows: int) -> None:
        self.mask: Mask = np.zeros(rows, bool)
        self._found: dict[int, tuple[str, str, str, str]] = {}

    def note(self, delivered: Delivered, told: pa.Array) -> None:
        """``told``: by row, the text of a value that is the reading's misfit; NULL where it fits."""
        misfit = delivered.reading.misfit
        if misfit is None or told.null_count == len(told):
            return
        told = told.cast(pa.binary())  # of an unchecked database they may be no UTF-8
        for row in np.flatnonzero(np.asarray(told.is_valid())):
            text = told[int(row)].as_py().decode(errors="backslashreplace")
            self._add(int(row), delivered.column.path, misfit.code, misfit.reason, text)

    def note_dimensions(self, delivered: Delivered, converted: Converted, rows: pa.RecordBatch) -> None:
        """Vectors of another dimension than asked for."""
        if converted.misfits is None or converted.dims is None:
            return
        native = rows.column(delivered.value).type.type_name
        for row in np.flatnonzero(converted.misfits):
            dim = converted.dims[row]
            reason = f"has {dim:,} dimensions; the field takes {delivered.column.spec.dim:,}"
            self._add(int(row), delivered.column.path, "dimension_mismatch", reason, f"{native}({dim})")

    def note_unreadable(self, delivered: Delivered, unreadable: Mapping[int, str]) -> None:
        """Texts that are none in UTF-8, by row."""
        for row, text in unreadable.items():
            self._add(row, delivered.column.path, CODE, "is no text in UTF-8", text)

    def rejected(self, batch: pa.RecordBatch, locators: pa.Array) -> tuple[Rejected, ...]:
        """A ``Rejected`` for each row noted, in the batch's order."""
        return tuple(
            Rejected(
                locators[row].as_py(), field, code, f"“{field}” {reason}.", _row(batch, row, field, text)
            )
            for row, (field, code, reason, text) in sorted(self._found.items())
        )

    def _add(self, row: int, field: str, code: str, reason: str, text: str) -> None:
        self.mask[row] = True
        self._found.setdefault(row, (field, code, reason, text))


def _row(batch: pa.RecordBatch, row: int, field: str, text: str) -> str:
    """The row as JSON text, the value at fault as PostgreSQL's own text."""
    excerpt = orjson.loads(row_excerpt(batch, row))
    return orjson.dumps(excerpt | {field: text[:TEXT_CHARACTERS]}).decode()
