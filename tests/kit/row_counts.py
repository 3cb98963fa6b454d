"""Row tests of a memory source, answered by the checks of the mapping, without a read that tests break."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from migrations_app.engine.mapping.checks.column_checks import CHECKS
from migrations_app.engine.model.limits import MAX_LENGTH
from migrations_app.engine.model.row_tests import RowCounts, RowTest
from migrations_app.engine.model.types import arrow_type


def row_counts(rows: pa.RecordBatch, tests: Iterable[RowTest]) -> RowCounts:
    masks = {test: mask for test in tests if (mask := _meets(rows, test)) is not None}
    skipped = _any(rows, (mask for test, mask in masks.items() if test.is_skipped))
    rejected = _any(rows, (mask for test, mask in masks.items() if not test.is_skipped)) & ~skipped
    by_test = {test: int(mask.sum()) for test, mask in masks.items()}
    return RowCounts(rows.num_rows, int(rejected.sum()), int(skipped.sum()), by_test)


def _any(rows: pa.RecordBatch, masks: Iterable[npt.NDArray[np.bool_]]) -> npt.NDArray[np.bool_]:
    return np.any([np.zeros(rows.num_rows, np.bool_), *masks], axis=0)


def _meets(rows: pa.RecordBatch, test: RowTest) -> npt.NDArray[np.bool_] | None:
    """The rows that meet a test of one column; None for other tests."""
    if len(test.columns) != 1 or test.path or test.opened:
        return None
    (read,) = test.columns
    column = rows.column(read.path)
    if test.code.startswith("null") and test.code != "null_item":
        return np.asarray(column.is_null())
    mask = np.zeros(rows.num_rows, np.bool_)
    if test.is_of_read:
        return mask
    if column.type == arrow_type(read.spec) and read.spec.type in CHECKS:
        spec = read.spec if read.spec.max_length else replace(read.spec, max_length=test.limit or MAX_LENGTH)
        for finding in CHECKS[spec.type](column, spec, read.path):
            if finding.code == test.code:
                mask[finding.rows] = True
    return mask
