"""What is wrong with rows of a batch, and the rejected rows that come of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from migrations_app.engine.batch import Batch, Rejected

Rows = npt.NDArray[np.int64]
"""Numbers of rows within a batch, ascending."""

# A rejected row is kept to be read and to be retried; past this its longest values are cut.
MAX_ROW_BYTES = 256 * 1024
CUT_AT = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of one field, and the rows that have it. ``reason`` gives a row's sentence."""

    rows: Rows
    code: str
    reason: Callable[[int], str]
    field: str = ""


def rejected_rows(batch: Batch, findings: Iterable[Finding], skipped: Rows) -> dict[int, Rejected]:
    """The rejected rows by their number, each with its first finding. Skipped rows are not rejected."""
    first: dict[int, Finding] = {}
    left_out = set(skipped.tolist())
    for finding in findings:
        for row in finding.rows.tolist():
            if row not in left_out:
                first.setdefault(row, finding)
    return {row: _rejected(batch, row, first[row]) for row in sorted(first)}


def _rejected(batch: Batch, row: int, finding: Finding) -> Rejected:
    return Rejected(
        locator=batch.locators[row].as_py() or "",
        field=finding.field,
        code=finding.code,
        reason=finding.reason(row),
        row=row_as_json(batch, row),
    )


def row_as_json(batch: Batch, row: int) -> str:
    """A source row as JSON text: JSON columns as their text, bytes as hex, NaN and infinity as words."""
    values = batch.rows.slice(row, 1).to_pylist()[0]
    text = orjson.dumps({name: _plain(value) for name, value in values.items()})
    if len(text) > MAX_ROW_BYTES:
        text = orjson.dumps({name: _cut(_plain(value)) for name, value in values.items()})
    return text.decode()


def _plain(value: Any) -> Any:
    """``value`` as JSON can hold it exactly."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > CUT_AT:
        return f"{value[:CUT_AT]}… ({len(value):,} characters)"
    if isinstance(value, list) and len(value) > CUT_AT:
        return [*(_cut(item) for item in value[:CUT_AT]), f"… ({len(value):,} items)"]
    return value
