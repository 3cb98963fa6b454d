"""Mapping tables of a draft: one for each selected collection, created when the collection is selected.

If a collection is no longer selected, its table and its part of the plan stay stored. They are used again
when the collection is selected again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from console.draft import contents
from console.draft.snapshot import TargetFacts
from console.schema import defaults as table_defaults
from console.schema import problems, schema_changes
from console.schema import table as mapping_table
from console.schema.legal_names import with_legal_names
from console.schema.problems import Problem
from console.schema.table import Existing, MappingTable
from migrations_app import endpoints, services
from migrations_app.engine.errors import FerryError, SourceError
from migrations_app.engine.model.plan import CollectionPlan, with_open_outside_select
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.planning.document_keys import describe_with_keys
from migrations_app.engine.planning.source_values import missing_values
from migrations_app.engine.planning.target_names import default_targets
from migrations_app.engine.preflight.scans.existing import rows_in
from migrations_app.engine.preflight.scans.same_collection import find_source
from migrations_app.models import Draft

PROBLEMS = "problems"  # remembered with the draft object, not stored
PLANS = "plans"  # in the state: the last plan of collections that are not selected now, by source name


Selection = Mapping[str, Mapping[str, Any]]  # by source name: the plan's ``select``


def select(draft: Draft, wanted: Selection) -> Draft:
    """Make these the selected collections.

    Collections that are new or have another row selection are described. Tables that were never edited get
    the defaults for this target. Raises ``DescribeFailed``, or another ``FerryError`` if the source cannot be
    reached.
    """
    facts = contents.target_facts(draft)
    assert facts is not None
    known = {name: table for name in wanted if (table := _read(draft, name))}
    plans = {name: _described_plan(draft, name, wanted[name]) for name in wanted}
    same = {name for name, table in known.items() if table.plan.select == wanted[name]}
    schemas = {name: known[name].schema for name in same}
    if len(same) < len(wanted):
        schemas |= described(draft, [plan for name, plan in plans.items() if name not in same])
    targets = default_targets(schemas[name] for name in wanted)
    selected = []
    for name, plan in plans.items():
        with_target = plan.model_copy(update={"target": targets[name]})
        selected.append(_for_target(known.get(name), schemas[name], facts, with_target))
    return save(draft, selected)


def selections(draft: Draft) -> dict[str, dict[str, Any]]:
    """Return the last row selection of each collection that was ever selected, by source name."""
    return {name: plan.get("select", {}) for name, plan in _plans(draft).items()}


def _described_plan(draft: Draft, name: str, select: Mapping[str, Any]) -> CollectionPlan:
    """Return the plan with which a collection is described: this row selection, and the opened columns and
    the options of the source that it had when it was last selected."""
    before = _plans(draft).get(name, {})
    return CollectionPlan(
        source=name,
        select=dict(select),
        open=before.get("open", []),
        source_options=before.get("source_options", {}),
    )


def _plans(draft: Draft) -> dict[str, Any]:
    """Return the last plan of each collection that was ever selected, by source name, as stored."""
    plans = contents.part(draft, PLANS) | {c["source"]: c for c in draft.plan.get("collections", [])}
    return {name: with_open_outside_select(plan) for name, plan in plans.items()}


class DescribeFailed(FerryError):
    """The source refuses the row selection of ``collection``; ``field`` is the setting at fault."""

    def __init__(self, collection: str, error: FerryError) -> None:
        field = error.path.removeprefix("select.").partition("[")[0]
        super().__init__(error.message, error.hint, code=error.code, field=field)
        self.collection = collection


def described(draft: Draft, plans: Iterable[CollectionPlan]) -> dict[str, CollectionSchema]:
    connection, schemas = draft.source_connection, {}
    with endpoints.open_source(connection.kind, connection.settings) as source:
        for plan in plans:
            try:
                with endpoints.looking(source) as ctx:
                    if fault := next(missing_values(source, plan.ref, ctx), None):
                        raise SourceError(fault.message, fault.hint, code=fault.code, path=fault.path)
                    schemas[plan.source] = describe_with_keys(source, plan.ref, plan.open, ctx)
            except FerryError as error:
                if error.path.startswith("select."):
                    raise DescribeFailed(plan.source, error) from error
                raise
    return schemas


def _for_target(
    table: MappingTable | None,
    schema: CollectionSchema,
    facts: TargetFacts,
    wanted: CollectionPlan,
) -> MappingTable:
    """Return an edited table unchanged except for its schema and row selection; otherwise the defaults for
    this target."""
    if table is None or not table.is_edited:
        return table_defaults.default_table(schema, facts.capabilities, wanted)
    if table.plan.select == wanted.select:
        # Whatever is copied follows the source and the target, even after a change by the user.
        return table_defaults.completed(table, facts.capabilities) if table.copied else table
    plan = table.plan.model_copy(update={"select": wanted.select})
    return schema_changes.redescribed(table, schema, plan, facts.capabilities)


def of(draft: Draft) -> list[MappingTable]:
    """Return the tables of the selected collections, in the order of the plan.

    Tables that another version of the console wrote and this one cannot read are created again. Raises
    ``FerryError`` if the source cannot be reached for that.
    """
    names = contents.chosen(draft)
    readable = [table for name in names if (table := _read(draft, name))]
    if len(readable) < len(names):
        chosen = selections(draft)
        select(draft, {name: chosen[name] for name in names})
        readable = [table for name in names if (table := _read(draft, name))]
    return readable


def store(draft: Draft, changed: MappingTable) -> Draft:
    """Save one table; the others do not change."""
    return save(draft, [changed if s.schema.name == changed.schema.name else s for s in of(draft)])


def with_source_options(draft: Draft, before: MappingTable, changed: MappingTable) -> MappingTable:
    """Return the changed table, described again if it has other options of the source than ``before``. Raises
    ``FerryError`` if the source refuses them or cannot be reached."""
    facts, plan = contents.target_facts(draft), changed.plan
    assert facts is not None
    if plan.source_options == before.plan.source_options:
        return changed
    schema = described(draft, [plan])[plan.source]
    return schema_changes.redescribed(changed, schema, plan, facts.capabilities)


def with_existing(draft: Draft, before: MappingTable, changed: MappingTable) -> MappingTable:
    """Return the changed table with the existing collection that the job replaces or adds rows to.

    The target is asked only if this is another collection than ``before``. Raises ``FerryError`` if the
    target cannot be reached.
    """
    facts, plan = contents.target_facts(draft), changed.plan
    assert facts is not None
    existing = changed.existing
    if plan.if_exists == "error" or plan.target not in facts.taken:
        existing = None
    elif existing is None or existing.schema.name != plan.target:
        existing = existing_of(draft, plan.target or "", contents.chosen(draft))
    was_added_to = before.added_to is not None and before.added_to.name == plan.target
    return table_defaults.with_existing(changed, existing, facts.capabilities, was_added_to=was_added_to)


def existing_of(draft: Draft, name: str, chosen: Sequence[str]) -> Existing | None:
    """Return the collection of the target with this name; ``chosen`` are the collections that are read."""
    read, written = draft.source_connection, draft.target_connection
    with (
        endpoints.open_source(read.kind, read.settings) as source,
        endpoints.open_target(written.kind, written.settings, contents.database(draft)) as target,
    ):
        with endpoints.looking(target):
            schema = target.describe(name)
            if schema is None:
                return None
            rows = rows_in(target, name)
        with endpoints.looking(source) as ctx, endpoints.looking(target, ctx):
            own = find_source(name, chosen, source, target, ctx)
    return Existing(schema, rows.rows, rows.is_exact, own or "")


def fix_names(draft: Draft) -> Draft:
    """Give a legal name to everything that has an illegal one, in all tables."""
    facts = contents.target_facts(draft)
    assert facts is not None
    all_tables = zip(of(draft), problems_of(draft), strict=True)
    return save(draft, [with_legal_names(table, found, facts.capabilities) for table, found in all_tables])


def add_field(draft: Draft, table: MappingTable) -> str:
    """Add a field that the source does not have; return the anchor of its row."""
    facts = contents.target_facts(draft)
    assert facts is not None
    changed = table_defaults.with_field_added(table, facts.capabilities)
    store(draft, changed)
    return changed.rows(facts.capabilities)[-1].anchor


def open_column(draft: Draft, name: str, column: str, *, is_open: bool) -> Draft:
    """Open a column of collection ``name``, or close it, and describe the collection again. Raises
    ``FerryError`` if the source cannot be reached."""
    facts = contents.target_facts(draft)
    table = _read(draft, name)
    assert facts is not None
    assert table is not None
    opened = tuple(dict.fromkeys([*table.opened, column])) if is_open else _without(table.opened, column)
    schema = described(draft, [table.plan.model_copy(update={"open": list(opened)})])[name]
    return store(draft, schema_changes.reopened(table, schema, opened, facts.capabilities))


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(one for one in names if one != name)


def reset(draft: Draft, name: str) -> Draft:
    """Describe a collection again and give its table the defaults, as if it had just been selected."""
    facts = contents.target_facts(draft)
    assert facts is not None
    wanted = CollectionPlan(source=name, select=selections(draft)[name])
    schema = described(draft, [wanted])[name]
    others = [s.schema for s in of(draft) if s.schema.name != name]
    wanted = wanted.model_copy(update={"target": default_targets([schema, *others])[name]})
    return store(draft, table_defaults.default_table(schema, facts.capabilities, wanted))


def problems_of(draft: Draft) -> list[list[Problem]]:
    """Return the problems of each table of ``of(draft)``."""
    facts, all_tables = contents.target_facts(draft), of(draft)
    assert facts is not None
    raw = (facts, *all_tables)
    return contents.decoded(draft, PROBLEMS, raw, lambda: problems.of_all(all_tables, facts))


def _read(draft: Draft, name: str) -> MappingTable | None:
    plans = contents.part(draft, PLANS) | {c["source"]: c for c in draft.plan.get("collections", [])}
    raw = (contents.part(draft, contents.TABLES).get(name), plans.get(name))
    return contents.decoded(draft, _key(name), raw, lambda: mapping_table.from_json(*raw))


def _key(name: str) -> str:
    """Return the name under which the decoded table of a collection is remembered."""
    return f"{contents.TABLES}.{name}"


def save(draft: Draft, selected: list[MappingTable]) -> Draft:
    facts = contents.target_facts(draft)
    assert facts is not None
    all_problems = problems.of_all(selected, facts)
    stored, plans, unchanged = {}, {}, []
    for table, its_problems in zip(selected, all_problems, strict=True):
        name = table.schema.name
        schema = _stored_schema(draft, table)
        stored[name] = mapping_table.to_json(table, schema) | {
            "problems": len(problems.blocking(its_problems))
        }
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
    # A table whose schema was just described is not remembered: its stored sample is smaller, so it is
    # decoded from the draft once.
    for table in unchanged:
        name = table.schema.name
        contents.remember(draft, _key(name), (stored[name], plans[name]), table)
    contents.remember(draft, PROBLEMS, (facts, *selected), all_problems)
    return draft


def _stored_schema(draft: Draft, table: MappingTable) -> Any:
    """Return the JSON of the table's schema from the draft; None if the draft holds another schema."""
    before = _read(draft, table.schema.name)
    if before is None or before.schema is not table.schema:
        return None
    return contents.part(draft, contents.TABLES)[table.schema.name]["schema"]
