"""Row tests: conditions under which a row is not moved, and how many rows meet them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from migrations_app.engine.model.batch import ReadColumn
from migrations_app.engine.model.types import TypeSpec

# Codes of rows that a source rejects while it reads: their values cannot arrive in the wanted type.
UNREADABLE, WRONG_DIMENSION = "unreadable", "dimension_mismatch"
DYNAMIC_TOO_LARGE = "dynamic_too_large"
NULL_VECTOR = "null_vector"
# The codes of values whose type is not that of their field.
TYPE_MISMATCH, JSON_NOT_OBJECT = "misfit", "json_not_object"


@dataclass(frozen=True, slots=True)
class RowTest:
    """One reason why a row, or one of its values, is not moved as planned. ``code`` is that of the rejected
    rows.

    ``columns`` are the source columns that are tested, in the types in which they are read: several for a
    joined key or the dynamic field, else one. ``limit`` counts bytes, elements or dimensions. ``path``: the
    value is that of a document key of the column. ``is_skipped``: the row is skipped and only counted.
    ``opened``, for the size of the dynamic field: the columns whose documents go into it, each with the paths
    of the document keys that do not. ``spec``: the type that a value does not fit. ``is_kept``: the row is
    moved; only the value goes into the dynamic field instead of its own.
    """

    code: str
    field: str
    columns: tuple[ReadColumn, ...]
    limit: int | None = None
    path: tuple[str, ...] = ()
    is_skipped: bool = False
    opened: tuple[tuple[ReadColumn, tuple[tuple[str, ...], ...]], ...] = ()
    spec: TypeSpec | None = None
    is_kept: bool = False

    @property
    def is_of_read(self) -> bool:
        """True if the source itself rejects the row: then no rule can skip it any more."""
        return self.code in (UNREADABLE, WRONG_DIMENSION)


@dataclass(frozen=True, slots=True)
class RowCounts:
    """How many of all ``rows`` meet each test; a test that is missing was not made. A row that meets several
    counts for each of them, but only once in ``rejected`` or ``skipped``.

    ``is_complete`` False: ``rows`` are only the first ones of the collection. ``is_exact`` False: a row may
    count for several tests that were made apart, so ``rejected`` and ``skipped`` are the least they can be.
    """

    rows: int
    rejected: int
    skipped: int
    by_test: Mapping[RowTest, int] = field(default_factory=dict)
    is_complete: bool = True
    is_exact: bool = True

    @property
    def lost(self) -> dict[RowTest, int]:
        """The tests that rows met which are not moved, the most frequent first."""
        found = [(test, number) for test, number in self.by_test.items() if number and not test.is_kept]
        return dict(sorted(found, key=lambda one: -one[1]))

    @property
    def kept(self) -> dict[RowTest, int]:
        """The tests about values that go into the dynamic field instead of their own, if there are any."""
        return {test: number for test, number in self.by_test.items() if number and test.is_kept}
