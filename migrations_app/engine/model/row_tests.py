"""Row tests: conditions under which a row is not moved, and how many rows meet them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from migrations_app.engine.model.batch import ReadColumn

# Codes of rows that a source rejects while it reads: their values cannot arrive in the wanted type.
UNREADABLE, WRONG_DIMENSION = "unreadable", "dimension_mismatch"
DYNAMIC_TOO_LARGE = "dynamic_too_large"


@dataclass(frozen=True, slots=True)
class RowTest:
    """One reason why a row is not moved. ``code`` is that of the rejected rows.

    ``columns`` are the source columns that are tested, in the types in which they are read: several for a
    joined key or the dynamic field, else one. ``limit`` counts bytes, elements or dimensions. ``path``: the
    value is that of a document key of the column. ``is_skipped``: the row is skipped and only counted.
    ``opened``, for the size of the dynamic field: the columns whose documents go into it, each with the paths
    of the document keys that do not.
    """

    code: str
    field: str
    columns: tuple[ReadColumn, ...]
    limit: int | None = None
    path: tuple[str, ...] = ()
    is_skipped: bool = False
    opened: tuple[tuple[ReadColumn, tuple[tuple[str, ...], ...]], ...] = ()

    @property
    def is_of_read(self) -> bool:
        """True if the source itself rejects the row: then no rule can skip it any more."""
        return self.code in (UNREADABLE, WRONG_DIMENSION)


@dataclass(frozen=True, slots=True)
class RowCounts:
    """How many of all ``rows`` meet each test; a test that is missing was not made. A row that meets several
    counts for each of them, but only once in ``rejected`` or ``skipped``."""

    rows: int
    rejected: int
    skipped: int
    by_test: Mapping[RowTest, int] = field(default_factory=dict)
