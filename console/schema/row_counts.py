"""How many rows of a collection a plan chooses, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from console.draft import contents
from console.draft.preflight_cache import CachedPreflight
from console.schema.table import MappingTable
from migrations_app.models import Draft


@dataclass(frozen=True, slots=True)
class Rows:
    """How many rows of a collection are to be moved. None: nobody knows."""

    number: int | None
    is_exact: bool

    def first(self, limit: int | None) -> Rows:
        """The first ``limit`` of them."""
        if limit is None:
            return self
        known = self.number is not None and (self.is_exact or self.number > limit)
        return Rows(limit if self.number is None else min(limit, self.number), is_exact=known)


def rows_of(draft: Draft, table: MappingTable, found: CachedPreflight | None = None) -> Rows:
    """The rows that the plan chooses, without its limit: counted, as listed, or as estimated."""
    name = table.schema.name
    if found and (counted_rows := (found.counts or {}).get(name)) is not None:
        return Rows(counted_rows, is_exact=True)
    if table.row_selection:
        return Rows(table.schema.rows_estimate, is_exact=False)
    info = contents.info(draft, name)
    return Rows(info.rows, info.rows_exact) if info else Rows(table.schema.rows_estimate, is_exact=False)
