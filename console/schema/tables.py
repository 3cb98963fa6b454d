"""The sheets of a draft: one for each selected collection, described and proposed when it is selected.

A collection that is no longer selected keeps its sheet, and its part of the plan with it: choosing it again
finds everything as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from console.draft import contents
from console.draft.snapshot import TargetFacts
from console.schema import defaults as table_defaults
from console.schema import problems
from console.schema import table as mapping_table
from console.schema.problems import Problem
from console.schema.table import Existing, MappingTable
from migrations_app import endpoints, services
from migrations_app.engine.errors import FerryError
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.model.paths import OPEN
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.planning import defaults
from migrations_app.engine.planning.document_keys import describe_with_keys
from migrations_app.engine.preflight.scans.existing import rows_in
from migrations_app.models import Draft

PROBLEMS = "problems"  # remembered of a draft, not stored
PLANS = "plans"  # state: the last plan of collections that are not selected now, by source name


Selection = Mapping[str, Mapping[str, Any]]  # what of each collection, by source name: ``select`` of a plan


def select(draft: Draft, wanted: Selection) -> Draft:
    """Make these the selected collections. Describes those not known yet, or known otherwise; those never
    edited are proposed anew, for this target. Raises ``DescribeFailed``, or another ``FerryError`` where the
    source cannot be asked."""
    facts = contents.target_facts(draft)
    assert facts is not None
    known = {name: found for name in wanted if (found := _read(draft, name))}
    same = {name for name, found in known.items() if found.plan.select == wanted[name]}
    schemas = {name: known[name].schema for name in same}
    if len(same) < len(wanted):
        schemas |= _described(draft, {name: wanted[name] for name in wanted if name not in same})
    targets = defaults.default_targets(schemas[name] for name in wanted)
    return _save(
        draft,
        [_for_target(known.get(n), schemas[n], facts, targets[n], wanted[n]) for n in wanted],
    )


def selections(draft: Draft) -> dict[str, dict[str, Any]]:
    """What of each collection was selected when it was last, by source name."""
    plans = contents.part(draft, PLANS) | {c["source"]: c for c in draft.plan.get("collections", [])}
    return {name: plan.get("select", {}) for name, plan in plans.items()}


class DescribeFailed(FerryError):
    """What is to be moved of ``collection`` is not to be had; ``field`` names the setting."""

    def __init__(self, collection: str, error: FerryError) -> None:
        field = error.path.partition("select.")[2]
        super().__init__(error.message, error.hint, code=error.code, field=field)
        self.collection = collection


def _described(draft: Draft, wanted: Selection) -> dict[str, CollectionSchema]:
    connection, found = draft.source_connection, {}
    with endpoints.open_source(connection.kind, connection.settings) as source:
        for name, chosen in wanted.items():
            try:
                found[name] = describe_with_keys(source, CollectionRef(name, dict(chosen)))
            except FerryError as error:
                if error.path.startswith("select."):
                    raise DescribeFailed(name, error) from error
                raise
    return found


def _for_target(
    found: MappingTable | None,
    schema: CollectionSchema,
    facts: TargetFacts,
    target: str,
    chosen: Mapping[str, Any],
) -> MappingTable:
    """A sheet that was edited stays as it is; any other is proposed for this target."""
    if found is None or not found.is_edited:
        return table_defaults.proposed(schema, facts.capabilities, target, chosen)
    plan = found.plan.model_copy(update={"select": dict(chosen)})
    return replace(found, schema=schema, plan=plan)


def of(draft: Draft) -> list[MappingTable]:
    """The sheets of the selected collections, in the order of the plan. What another version of the console
    left is described and proposed anew. Raises ``FerryError`` where the source cannot be asked for that."""
    names = contents.chosen(draft)
    found = [table for name in names if (table := _read(draft, name))]
    if len(found) < len(names):
        chosen = selections(draft)
        select(draft, {name: chosen[name] for name in names})
        found = [table for name in names if (table := _read(draft, name))]
    return found


def store(draft: Draft, changed: MappingTable) -> Draft:
    """Save one sheet, beside the others as they are."""
    return _save(draft, [changed if s.schema.name == changed.schema.name else s for s in of(draft)])


def beside_existing(draft: Draft, before: MappingTable, found: MappingTable) -> MappingTable:
    """The sheet beside the collection that it is to replace or to add to, which the target is asked about
    where that is another than ``before``. Raises ``FerryError`` where it cannot tell."""
    facts, plan = contents.target_facts(draft), found.plan
    assert facts is not None
    existing = found.existing
    if plan.if_exists == "error" or plan.target not in facts.taken:
        existing = None
    elif existing is None or existing.schema.name != plan.target:
        existing = _existing(draft, plan.target or "")
    was_added_to = before.added_to is not None and before.added_to.name == plan.target
    return table_defaults.beside(found, existing, facts.capabilities, was_added_to=was_added_to)


def _existing(draft: Draft, name: str) -> Existing | None:
    connection = draft.target_connection
    with endpoints.open_target(connection.kind, connection.settings, contents.database(draft)) as target:
        schema = target.describe(name)
        rows = rows_in(target, name) if schema else None
    return Existing(schema, rows.rows, rows.is_exact) if schema and rows else None


def add_field(draft: Draft, found: MappingTable) -> str:
    """Add a field that the source does not have; the place of its row."""
    facts = contents.target_facts(draft)
    assert facts is not None
    changed = table_defaults.with_field_added(found, facts.capabilities)
    store(draft, changed)
    return changed.rows(facts.capabilities)[-1].anchor


def open_column(draft: Draft, name: str, column: str, *, is_open: bool) -> Draft:
    """Describe collection ``name`` again with the keys of a column each by itself, or no longer. Raises
    ``FerryError`` where the source cannot be asked."""
    facts = contents.target_facts(draft)
    found = _read(draft, name)
    assert facts is not None
    assert found is not None
    opened = tuple(dict.fromkeys([*found.opened, column])) if is_open else _without(found.opened, column)
    chosen = {**found.row_selection, **({OPEN: list(opened)} if opened else {})}
    schema = _described(draft, {name: chosen})[name]
    return store(draft, table_defaults.reopened(found, schema, opened, facts.capabilities))


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(one for one in names if one != name)


def reset(draft: Draft, name: str) -> Draft:
    """Describe a collection again, and propose it as if it had just been selected."""
    facts = contents.target_facts(draft)
    assert facts is not None
    chosen = {key: value for key, value in selections(draft)[name].items() if key != OPEN}
    schema = _described(draft, {name: chosen})[name]
    others = [s.schema for s in of(draft) if s.schema.name != name]
    target = defaults.default_targets([schema, *others])[name]
    return store(draft, table_defaults.proposed(schema, facts.capabilities, target, chosen))


def problems_of(draft: Draft) -> list[list[Problem]]:
    """The problems of each table of ``of(draft)``."""
    facts, found = contents.target_facts(draft), of(draft)
    assert facts is not None
    raw = (facts, *found)
    return contents.decoded(draft, PROBLEMS, raw, lambda: problems.of_all(found, facts))


def _read(draft: Draft, name: str) -> MappingTable | None:
    plans = contents.part(draft, PLANS) | {c["source"]: c for c in draft.plan.get("collections", [])}
    raw = (contents.part(draft, contents.TABLES).get(name), plans.get(name))
    return contents.decoded(draft, _key(name), raw, lambda: mapping_table.from_json(*raw))


def _key(name: str) -> str:
    """Under which name the decoded table of a collection is remembered."""
    return f"{contents.TABLES}.{name}"


def _save(draft: Draft, selected: list[MappingTable]) -> Draft:
    facts = contents.target_facts(draft)
    assert facts is not None
    found = problems.of_all(selected, facts)
    stored, plans, unchanged = {}, {}, []
    for table, faults in zip(selected, found, strict=True):
        name = table.schema.name
        schema = _stored_schema(draft, table)
        stored[name] = mapping_table.to_json(table, schema) | {"problems": len(problems.blocking(faults))}
        plans[name] = table.plan.model_dump(mode="json", by_alias=True)
        unchanged += [table] if schema is not None else []
    before = {c["source"]: c for c in draft.plan.get("collections", [])}
    earlier = contents.part(draft, PLANS) | before
    state = draft.state | {
        contents.TABLES: contents.part(draft, contents.TABLES) | stored,
        PLANS: {name: plan for name, plan in earlier.items() if name not in plans},
    }
    plan = contents.plan_head(draft) | {"collections": list(plans.values())}
    draft = services.draft_save(draft=draft, plan=plan, state=state)
    # A table whose schema was just described is decoded once: its stored sample is smaller.
    for table in unchanged:
        name = table.schema.name
        contents.remember(draft, _key(name), (stored[name], plans[name]), table)
    contents.remember(draft, PROBLEMS, (facts, *selected), found)
    return draft


def _stored_schema(draft: Draft, table: MappingTable) -> Any:
    """The JSON of the table's schema as the draft holds it; None if it holds another one."""
    before = _read(draft, table.schema.name)
    if before is None or before.schema is not table.schema:
        return None
    return contents.part(draft, contents.TABLES)[table.schema.name]["schema"]
