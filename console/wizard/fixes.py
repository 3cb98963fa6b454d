"""Fixes on the Migrate page: the buttons beside what the check found, and their effect on the draft."""

from __future__ import annotations

import json
from dataclasses import dataclass

from console.draft import contents
from console.draft.preflight_cache import CachedPreflight
from console.schema import tables
from console.schema.fixes import with_fix
from console.schema.page.context import options_model
from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.preflight.scans.losses import LOST, NO_ROW
from migrations_app.models import Draft


@dataclass(frozen=True, slots=True)
class FixButton:
    """A fix as a button: ``value`` holds the numbers of its fault and of itself."""

    label: str
    value: str
    fix: Fix


def buttons(place: int, fault: Fault) -> list[FixButton]:
    """Return the fixes of the fault with this number that the Migrate page offers: other rows, and changes
    that move more of the rows. Configure Schema offers the others."""
    return [
        FixButton(fix.label, f"{place}-{number}", fix)
        for number, fix in enumerate(fault.fixes)
        if fix.option == "select" or fault.code in (LOST, NO_ROW, "metric_guessed", "limit_too_small")
    ]


def apply_fix(draft: Draft, preflight: CachedPreflight | None, wanted: str) -> Draft:
    """Apply a fix of the last check to the draft. Raises ``FerryError`` if the source refuses the rows that
    it selects, or cannot be reached."""
    for place, fault in enumerate(preflight.faults if preflight else ()):
        for button in buttons(place, fault):
            if button.value == wanted:
                return _applied(draft, fault, button.fix)
    return draft


def _applied(draft: Draft, fault: Fault, fix: Fix) -> Draft:
    all_tables = tables.of(draft)
    if fix.option == "select":
        chosen = {table.schema.name: table.plan.select for table in all_tables}
        return tables.select(draft, chosen | {fault.collection: json.loads(fix.value)})
    facts = contents.target_facts(draft)
    table = next((table for table in all_tables if table.schema.name == fault.collection), None)
    if facts is None or table is None:
        return draft
    return tables.store(draft, with_fix(table, fix, fault.field, facts.capabilities, options_model(draft)))
