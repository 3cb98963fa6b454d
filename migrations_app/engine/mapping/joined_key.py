"""Joined key: several source columns as one key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from migrations_app.engine.mapping.checks.column_checks import rows_where
from migrations_app.engine.mapping.checks.findings import Finding
from migrations_app.engine.mapping.columns import ColumnResult, SourceColumns, check_values
from migrations_app.engine.model.batch import ReadColumn
from migrations_app.engine.model.joined_key_text import PART, joined
from migrations_app.engine.model.target_schema import TargetField


@dataclass(frozen=True, slots=True)
class JoinedKey:
    """The columns ``parts``, each as text, joined into one key. If a part is NULL, the row is rejected."""

    parts: tuple[str, ...]
    target: TargetField

    @property
    def name(self) -> str:
        return self.target.name

    @property
    def reads(self) -> tuple[ReadColumn, ...]:
        return tuple(ReadColumn(part, PART) for part in self.parts)

    def map_rows(self, columns: SourceColumns, rows: int) -> ColumnResult:
        texts = [columns[read] for read in self.reads]
        keys = joined(texts)
        nulls = tuple(
            Finding(rows_where(text.is_null()), "null_key", _null_reason(part), part)
            for part, text in zip(self.parts, texts, strict=True)
            if text.null_count
        )
        return ColumnResult({self.name: keys}, (), (*nulls, *check_values(keys, self.target, self.name)))


def _null_reason(part: str) -> Callable[[int], str]:
    return lambda row: f"“{part}”, a part of the key, is NULL."
