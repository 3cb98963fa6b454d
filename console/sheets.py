"""The sheets of a draft: one for each selected collection, described and proposed when it is selected.

A collection that is no longer selected keeps its sheet, and its part of the plan with it: choosing it again
finds everything as it was.
"""

from __future__ import annotations

from typing import Any

from console import drafts, problems, sheet
from console.sheet import Sheet
from console.stored import TargetFacts
from migrations_app import connect, services
from migrations_app.engine import proposal
from migrations_app.engine.batch import CollectionRef
from migrations_app.engine.schema import CollectionSchema
from migrations_app.models import Draft

PLANS = "plans"  # state: the last plan of collections that are not selected now, by source name


def select(draft: Draft, names: list[str]) -> Draft:
    """Make ``names`` the selected collections. Describes those not known yet; those never edited are proposed
    anew, for this target. Raises ``FerryError`` where the source cannot be asked."""
    facts = drafts.target_facts(draft)
    assert facts is not None
    known = {name: found for name in names if (found := _read(draft, name))}
    schemas = {name: found.schema for name, found in known.items()}
    if len(known) < len(names):
        connection = draft.source_connection
        with connect.open_source(connection.kind, connection.settings) as source:
            schemas |= {n: source.describe(CollectionRef(n)) for n in names if n not in known}
    targets = proposal.default_targets(schemas[name] for name in names)
    return _save(draft, [_for_target(known.get(n), schemas[n], facts, targets[n]) for n in names])


def _for_target(found: Sheet | None, schema: CollectionSchema, facts: TargetFacts, target: str) -> Sheet:
    """A sheet that was edited stays as it is; any other is proposed for this target."""
    return found if found and found.is_edited else sheet.proposed(schema, facts.capabilities, target)


def of(draft: Draft) -> list[Sheet]:
    """The sheets of the selected collections, in the order of the plan. What another version of the console
    left is described and proposed anew. Raises ``FerryError`` where the source cannot be asked for that."""
    names = drafts.chosen(draft)
    found = [sheet for name in names if (sheet := _read(draft, name))]
    if len(found) < len(names):
        select(draft, names)
        found = [sheet for name in names if (sheet := _read(draft, name))]
    return found


def store(draft: Draft, changed: Sheet) -> Draft:
    """Save one sheet, beside the others as they are."""
    return _save(draft, [changed if s.schema.name == changed.schema.name else s for s in of(draft)])


def reset(draft: Draft, name: str) -> Draft:
    """Describe a collection again, and propose it as if it had just been selected."""
    facts = drafts.target_facts(draft)
    assert facts is not None
    connection = draft.source_connection
    with connect.open_source(connection.kind, connection.settings) as source:
        schema = source.describe(CollectionRef(name))
    others = [s.schema for s in of(draft) if s.schema.name != name]
    target = proposal.default_targets([schema, *others])[name]
    return store(draft, sheet.proposed(schema, facts.capabilities, target))


def _read(draft: Draft, name: str) -> Sheet | None:
    plans = drafts.part(draft, PLANS) | {c["source"]: c for c in draft.plan.get("collections", [])}
    return sheet.from_json(drafts.part(draft, drafts.SHEETS).get(name), plans.get(name))


def _save(draft: Draft, selected: list[Sheet]) -> Draft:
    facts = drafts.target_facts(draft)
    assert facts is not None
    found = problems.of_all(selected, facts)
    stored = {
        s.schema.name: sheet.to_json(s) | {"problems": len(problems.blocking(faults))}
        for s, faults in zip(selected, found, strict=True)
    }
    plans = {s.schema.name: _dumped(s) for s in selected}
    before = {c["source"]: c for c in draft.plan.get("collections", [])}
    state = draft.state | {
        drafts.SHEETS: drafts.part(draft, drafts.SHEETS) | stored,
        PLANS: {
            name: plan for name, plan in (drafts.part(draft, PLANS) | before).items() if name not in plans
        },
    }
    plan = drafts.plan_head(draft) | {"collections": list(plans.values())}
    return services.draft_save(draft=draft, plan=plan, state=state)


def _dumped(found: Sheet) -> dict[str, Any]:
    dumped: dict[str, Any] = found.plan.model_dump(mode="json", by_alias=True)
    return dumped
