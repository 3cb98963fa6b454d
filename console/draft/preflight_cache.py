"""Preflight cache: the result of preflight for a draft, stored until the plan changes. Preflight is slow,
because it asks both servers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils import timezone
from pydantic import TypeAdapter, ValidationError

from console.draft import contents
from migrations_app import endpoints, services
from migrations_app.engine import preflight
from migrations_app.engine.errors import DatabaseMissing, Interrupted, SourceError, TargetError
from migrations_app.engine.faults import Fault
from migrations_app.engine.model.plan import Plan
from migrations_app.engine.preflight.scans.all_rows import ScanBudget
from migrations_app.engine.preflight.scans.existing import ExistingRows, rows_in
from migrations_app.engine.read_context import ReadContext, time_limit
from migrations_app.engine.sources.base import Source
from migrations_app.engine.targets.base import Target
from migrations_app.models import Draft

CHECKED = "checked"  # the key in the state of a draft
SECONDS = 10.0
# The part of this time for counting the rows that would not be moved.
ROW_SECONDS = 7.0


@dataclass(frozen=True, slots=True)
class CachedPreflight:
    """The result of preflight.

    By source name: ``notes``; ``counts``, the rows of collections with a row selection; ``held``, the
    existing collections in the target that are to be replaced or added to; ``looked``, at which rows the
    check looked. ``is_whole`` is False if the time ran out; the job checks again before it writes anything.
    """

    plan: str
    at: datetime
    faults: tuple[Fault, ...] = ()
    counts: dict[str, int] | None = None
    notes: dict[str, tuple[str, ...]] | None = None
    held: dict[str, ExistingRows] | None = None
    looked: dict[str, str] | None = None
    is_whole: bool = True


_ADAPTER = TypeAdapter(CachedPreflight)


def known(draft: Draft, plan: Plan) -> CachedPreflight | None:
    """Return the cached result for this plan; None if the plan was not checked."""
    try:
        result = _ADAPTER.validate_python(draft.state.get(CHECKED))
    except ValidationError:
        return None
    return result if result.plan == _digest(draft, plan) else None


def check(draft: Draft, plan: Plan) -> CachedPreflight:
    """Check the plan with both servers, for at most ``SECONDS``, and store the result in the draft. Raises
    ``FerryError`` if one of them cannot be reached."""
    source, target = draft.source_connection, draft.target_connection
    with (
        endpoints.open_source(source.kind, source.settings) as open_source,
        endpoints.open_target(target.kind, target.settings, contents.database(draft)) as open_target,
    ):
        # This comes first and has its own time limit: the user must be asked before one of these is dropped.
        with endpoints.looking(open_target):
            held = _held(plan, open_target)
        try:
            with time_limit(ReadContext(), SECONDS) as ctx, open_target.obeying(ctx.stop):
                budget = ScanBudget(ROW_SECONDS, counts_nulls=False)
                checked = preflight.check_plan(plan, open_source, open_target, ctx, budget=budget)
                result = _cached(draft, plan, checked, _counts(plan, open_source, ctx), held)
        except Interrupted:
            result = CachedPreflight(_digest(draft, plan), timezone.now(), held=held, is_whole=False)
    state = draft.state | {CHECKED: _ADAPTER.dump_python(result, mode="json")}
    services.draft_save(draft=draft, state=state)
    return result


def carry_over(draft: Draft, before: Plan, plan: Plan, faults: Sequence[Fault]) -> None:
    """Keep the result of the check after a change of indexes only, which no row decides about. ``faults`` are
    those of the indexes now."""
    result = known(draft, before)
    digest = _digest(draft, plan)
    if result is None or result.plan == digest:
        return
    old = {fault.note for fault in result.faults if is_of_index(fault)}
    texts = result.notes or {}
    notes = {source: tuple(note for note in texts[source] if note not in old) for source in texts}
    kept = tuple(fault for fault in result.faults if not is_of_index(fault))
    result = replace(result, plan=digest, faults=(*kept, *faults), notes=notes)
    state = draft.state | {CHECKED: _ADAPTER.dump_python(result, mode="json")}
    services.draft_save(draft=draft, state=state)


def is_of_index(fault: Fault) -> bool:
    """True if the fault follows from the indexes of the plan alone."""
    return fault.option.startswith("indexes") or fault.code in ("metric_guessed", "metric_unknown")


def _counts(plan: Plan, source: Source, ctx: ReadContext) -> dict[str, int]:
    """Count the rows of collections with a row selection, as far as the time allows."""
    counts: dict[str, int] = {}
    with suppress(Interrupted, SourceError):
        for collection in plan.collections:
            if any(collection.select.values()):
                count = source.count(collection.ref, ctx)
                if count.rows is not None and count.is_exact:
                    counts[collection.source] = count.rows
    return counts


def _held(plan: Plan, target: Target) -> dict[str, ExistingRows]:
    """Return the existing collections that are to be replaced or added to, with their rows."""
    held: dict[str, ExistingRows] = {}
    with suppress(TargetError, DatabaseMissing):
        taken = target.collections()
        for collection in plan.collections:
            name = collection.target or ""
            if collection.if_exists != "error" and name in taken:
                held[collection.source] = rows_in(target, name)
    return held


def _cached(
    draft: Draft,
    plan: Plan,
    checked: preflight.Preflight,
    counts: dict[str, int],
    held: dict[str, ExistingRows],
) -> CachedPreflight:
    notes = {prepared.plan.source: tuple(prepared.notes) for prepared in checked.collections}
    looked = {prepared.plan.source: prepared.looked for prepared in checked.collections}
    lacking = (fault for prepared in checked.collections for fault in prepared.lacking)
    faults = (*checked.faults, *lacking)
    return CachedPreflight(_digest(draft, plan), timezone.now(), faults, counts, notes, held, looked)


def _digest(draft: Draft, plan: Plan) -> str:
    """Return a hash of everything that was checked: the collections of the plan, the options about indexes,
    and both servers."""
    data: list[Any] = [plan.dump()["collections"], plan.options.create_index, plan.options.load]
    data += [draft.source_connection_id, draft.target_connection_id, contents.database(draft)]
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
