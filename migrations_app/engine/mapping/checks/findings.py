"""Findings: the problems of the rows of a batch, and the rejected rows that result from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from migrations_app.engine.model.batch import Batch, Rejected
from migrations_app.engine.model.json.row import row_json

Rows = npt.NDArray[np.int64]
"""Numbers of rows within a batch, ascending."""
NO_ROWS: Rows = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of one field, and the rows that have it. ``reason`` returns the sentence for a row."""

    rows: Rows
    code: str
    reason: Callable[[int], str]
    field: str = ""


def finding_of(reasons: Mapping[int, str], code: str, name: str) -> Finding:
    """Return a finding for the rows in ``reasons``, which has the sentence for each of them."""
    return Finding(np.array(sorted(reasons), np.int64), code, reasons.__getitem__, name)


def with_field(findings: tuple[Finding, ...], name: str) -> tuple[Finding, ...]:
    """Return the findings with the field ``name``, unless they already have a field."""
    return tuple(finding if finding.field else replace(finding, field=name) for finding in findings)


def rejected_rows(batch: Batch, findings: Iterable[Finding], skipped: Rows) -> dict[int, Rejected]:
    """Return the rejected rows by row number, each with its first finding. Skipped rows are not rejected."""
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
        row=row_json(batch.rows, row),
    )
