"""Judge: counts the rows that a mapping would reject or skip, with its own rules, without a target."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from migrations_app.engine.mapping.apply import Mapping
from migrations_app.engine.mapping.row_tests import row_tests
from migrations_app.engine.model.batch import Batch
from migrations_app.engine.model.row_tests import TYPE_MISMATCH, RowCounts, RowTest


@dataclass
class Judge:
    """Counts rows batch by batch. A row with several problems of the same field counts once for each."""

    mapping: Mapping
    rows: int = 0
    _rejected: int = 0
    _skipped: int = 0
    _reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    _skips: Counter[str] = field(default_factory=Counter)
    _kept: Counter[str] = field(default_factory=Counter)

    def add(self, batch: Batch) -> None:
        found = self.mapping.findings(batch.rows)
        findings, skipped = found.findings, found.skipped
        bad = np.unique(np.concatenate([skipped[:0], *(finding.rows for finding in findings)]))
        self.rows += batch.rows_read
        self._rejected += len(batch.rejected) + len(np.setdiff1d(bad, skipped))
        self._skipped += len(skipped)
        self._skips.update(found.skipped_by)
        self._reasons.update((rejected.code, rejected.field) for rejected in batch.rejected)
        for finding in findings:
            self._reasons[finding.code, finding.field] += len(finding.rows)
        self._kept.update({name: len(rows) for name, rows in found.mismatched.items()})

    def counts(self) -> RowCounts:
        tests = row_tests(self.mapping)
        known = {(test.code, test.field): test for test in tests if not test.is_skipped}
        by_test = {test: self._skips[test.field] if test.is_skipped else 0 for test in tests}
        for reason, number in self._reasons.items():
            by_test[known.get(reason) or RowTest(*reason, ())] = number
        for name, number in self._kept.items():
            test = known.get((TYPE_MISMATCH, name)) or RowTest(TYPE_MISMATCH, name, (), is_kept=True)
            by_test[test] = number
        return RowCounts(self.rows, self._rejected, self._skipped, by_test)
