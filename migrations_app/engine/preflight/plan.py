"""The checks that connect: both ends of a whole plan, and the rows it is about."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from migrations_app.engine.errors import DatabaseMissing, Fault, PlanRefused, PrivilegeMissing, SourceError
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.model.paths import opened_columns
from migrations_app.engine.model.plan import CollectionPlan, Plan, unbuilt_faults
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.model.target_schema import TargetSchema
from migrations_app.engine.planning.defaults import complete, default_targets
from migrations_app.engine.planning.document_keys import describe_with_keys
from migrations_app.engine.planning.type_choices import left_out
from migrations_app.engine.preflight.rules.collection import check_collection
from migrations_app.engine.preflight.scans import endpoints, existing
from migrations_app.engine.preflight.scans.partition_values import Partitions, name_partitions
from migrations_app.engine.preflight.scans.rows import RowFacts, look_at_rows, with_dims
from migrations_app.engine.preflight.subject import Subject
from migrations_app.engine.sources.base import Source
from migrations_app.engine.stop_token import StopToken
from migrations_app.engine.targets.base import Target


@dataclass(frozen=True, slots=True)
class PreparedCollection:
    """A completed collection. ``rows`` is an estimate; ``notes`` are sentences that a person should read.

    ``key_is_unique``: the source declares it, or the keys are Auto ID's; else ``duplicates`` are its rows
    minus its different keys, None where nobody counted them.
    """

    plan: CollectionPlan
    schema: CollectionSchema
    rows: int | None
    notes: tuple[str, ...] = ()
    key_is_unique: bool = False
    duplicates: int | None = None


@dataclass(frozen=True, slots=True)
class Preflight:
    """All faults of a plan, warnings among them, and the collections that could be described, in order."""

    faults: tuple[Fault, ...]
    collections: tuple[PreparedCollection, ...]

    def raise_if_faults(self) -> None:
        """Raise ``PlanRefused`` with everything but the warnings, if there is anything."""
        errors = tuple(fault for fault in self.faults if fault.severity == "error")
        if errors:
            raise PlanRefused(errors)


def check_plan(
    plan: Plan,
    source: Source,
    target: Target,
    *,
    stop: StopToken | None = None,
    max_collections: int | None = None,
) -> Preflight:
    """Describe, complete and check every collection of ``plan``. Writes nothing.

    Raises only what keeps the checks from being made: a ``ConnectionFailed``, a retryable error, or the
    reason of ``stop``.
    """
    stop = stop or StopToken()
    faults = [*unbuilt_faults(plan), *endpoints.check_number(plan, type(source), max_collections)]
    try:
        capabilities, taken, is_there = target.capabilities(), frozenset(target.collections()), True
    except DatabaseMissing as error:
        faults.append(endpoints.database_fault(plan, target, error))
        capabilities, taken, is_there = endpoints.capabilities_elsewhere(target), frozenset(), False
    faults += endpoints.check_options(plan, type(source), capabilities)
    described = [_described(collection, source, stop) for collection in plan.collections]
    schemas = [found for found in described if isinstance(found, CollectionSchema)]
    prepared: dict[int, PreparedCollection] = {}
    for number, (collection, found) in enumerate(zip(plan.collections, described, strict=True)):
        stop.check()
        if isinstance(found, Fault):
            own: Sequence[Fault] = (found,)
        else:
            asked = _named(collection, default_targets(schemas)[found.name])
            prepared[number], own = _prepared(
                asked, found, source, target, capabilities, taken, plan.options.limit_rows
            )
        faults += (fault.under(f"collections[{number}]") for fault in own)
    for number, one in prepared.items() if is_there else ():
        own = (
            *existing.check_names(one.plan, target, taken),
            *existing.check_partitions(one.plan, target, taken),
        )
        faults += (fault.under(f"collections[{number}]") for fault in own)
    plans = {number: one.plan for number, one in prepared.items()}
    faults += endpoints.check_targets(plans, taken, target.database)
    used = {*taken, *(one.target or "" for one in plans.values())}
    return Preflight(tuple(endpoints.with_free_targets(faults, used)), tuple(prepared.values()))


def _named(collection: CollectionPlan, target: str) -> CollectionPlan:
    return collection.model_copy(update={"target": target}) if collection.target is None else collection


def _described(collection: CollectionPlan, source: Source, stop: StopToken) -> CollectionSchema | Fault:
    stop.check()
    selection = endpoints.check_selection(collection, type(source))
    if selection is not None:
        return selection
    try:
        return describe_with_keys(source, CollectionRef(collection.source, collection.select))
    except (SourceError, PrivilegeMissing) as error:
        if error.retryable:
            raise
        return _source_fault(collection, error)


def _prepared(
    collection: CollectionPlan,
    schema: CollectionSchema,
    source: Source,
    target: Target,
    capabilities: Capabilities,
    taken: AbstractSet[str],
    limit_rows: int | None,
) -> tuple[PreparedCollection, tuple[Fault, ...]]:
    there, unreadable = existing.added_to(collection, target, taken)
    completed = complete(collection, schema, capabilities, existing=there)
    made = Partitions()
    try:
        facts = look_at_rows(Subject(completed, schema, capabilities), source)
        made = name_partitions(Subject(completed, schema, capabilities), source)
    except (SourceError, PrivilegeMissing) as error:
        if error.retryable:
            raise
        facts = RowFacts({}, (_source_fault(collection, error),))
    completed = with_dims(completed, facts.dims).model_copy(update={"partitions": dict(made.names)})
    found = (*unreadable, *check_collection(completed, schema, capabilities, there))
    warnings = tuple(fault.message for fault in found if fault.severity == "warning")
    unsaid = _left_out(completed, schema, capabilities, there) if collection.fields is None else ()
    counts = (*facts.notes, *made.notes)
    if counts and limit_rows is not None:
        counts = (*counts, f"These counts are of all rows, of which {limit_rows:,} at most are moved.")
    notes = (*schema.notes, *unsaid, *counts, *warnings)
    prepared = PreparedCollection(
        completed, schema, schema.rows_estimate, notes, facts.key_is_unique, facts.duplicates
    )
    return prepared, _told_once(facts.faults + made.faults + found)


def _left_out(
    completed: CollectionPlan,
    schema: CollectionSchema,
    capabilities: Capabilities,
    there: TargetSchema | None,
) -> tuple[str, ...]:
    """What a plan that lists no fields does not move, each with the reason."""
    moved = {field.source for field in completed.fields or ()}
    reasons, opened = (
        left_out(schema, capabilities, len(completed.full_text)),
        opened_columns(completed.select),
    )
    usual = f"“{there.name}” has no field of that name" if there is not None else "Auto ID makes new keys"
    return tuple(
        f"“{field.name}” is left out: {reasons.get(field.name, usual).rstrip('.')}."
        for field in schema.fields
        if field.name not in moved and not field.opened_from and field.name not in opened
    )


def _told_once(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """One fault a place and kind of fault: what the rows tell goes before what the sample tells."""
    mixed = {fault.path for fault in faults if fault.code == "mixed_dimensions"}
    return tuple(f for f in faults if f.path not in mixed or f.code == "mixed_dimensions")


def _source_fault(collection: CollectionPlan, error: SourceError | PrivilegeMissing) -> Fault:
    path = error.path or "source"
    return Fault(error.code, error.message, error.hint, path, collection.source, option=path.split(".")[0])
