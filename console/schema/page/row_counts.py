"""Row counts: the number of rows that a plan selects from a collection."""

from __future__ import annotations

from dataclasses import dataclass

from console.draft import contents
from console.draft.preflight_cache import CachedPreflight
from console.schema.table import MappingTable
from migrations_app.models import Draft


@dataclass(frozen=True, slots=True)
class Rows:
    """The number of rows to move from a collection; ``number`` is None if it is not known."""

    number: int | None
    is_exact: bool

    def first(self, limit: int | None) -> Rows:
        """Return the count of the first ``limit`` rows."""
        if limit is None:
            return self
        known = self.number is not None and (self.is_exact or self.number > limit)
        return Rows(limit if self.number is None else min(limit, self.number), is_exact=known)


def rows_of(draft: Draft, table: MappingTable, preflight: CachedPreflight | None = None) -> Rows:
    """Return the rows that the plan selects, without its row limit: the count of preflight if there is one,
    else the number from the listing or an estimate."""
    name = table.schema.name
    if preflight and (counted_rows := (preflight.counts or {}).get(name)) is not None:
        return Rows(counted_rows, is_exact=True)
    if table.row_selection:
        return Rows(table.schema.rows_estimate, is_exact=False)
    info = contents.info(draft, name)
    return Rows(info.rows, info.rows_exact) if info else Rows(table.schema.rows_estimate, is_exact=False)
