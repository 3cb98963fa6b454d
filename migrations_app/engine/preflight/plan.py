"""Preflight of a whole plan: the checks that connect to the source and the target and look at the rows."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from migrations_app.engine.errors import DatabaseMissing, PlanRefused, PrivilegeMissing, SourceError
from migrations_app.engine.faults import Fault
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.plan import CollectionPlan, Options, Plan
from migrations_app.engine.model.row_tests import RowCounts
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.planning.defaults import complete
from migrations_app.engine.planning.document_keys import describe_with_keys
from migrations_app.engine.planning.source_values import missing_values
from migrations_app.engine.planning.target_names import default_targets, renamed
from migrations_app.engine.planning.type_choices import why_auto_id
from migrations_app.engine.planning.unbuilt import unbuilt_faults
from migrations_app.engine.preflight.rules.all_rules import check_collection
from migrations_app.engine.preflight.scans import endpoints, existing
from migrations_app.engine.preflight.scans.all_rows import ScanBudget
from migrations_app.engine.preflight.scans.losses import is_counted
from migrations_app.engine.preflight.scans.partition_values import Partitions, name_partitions
from migrations_app.engine.preflight.scans.rows import RowFacts, scan_rows, with_dims
from migrations_app.engine.preflight.scans.same_collection import check_same_collections
from migrations_app.engine.preflight.subject import Subject
from migrations_app.engine.preflight.written import as_written, left_out_notes, with_lines
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import Source
from migrations_app.engine.targets.base import Target


@dataclass(frozen=True, slots=True)
class PreparedCollection:
    """A completed collection. ``rows`` is an estimate; ``notes`` are messages for the user.

    ``key_is_unique``: the source declares the key unique, or Auto ID generates it. If not, ``duplicates`` is
    the number of rows minus the number of different keys, or None if they were not counted. ``looked`` says
    at which rows the check looked, and for what; ``losses`` are the rows that would not be moved, if counted;
    ``lacking``: the fixes for rows that lack a vector, which ``notes`` count.
    """

    plan: CollectionPlan
    schema: CollectionSchema
    rows: int | None
    notes: tuple[str, ...] = ()
    key_is_unique: bool = False
    duplicates: int | None = None
    looked: str = ""
    losses: RowCounts | None = None
    lacking: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Preflight:
    """All faults of a plan, including warnings, and the collections that could be described, in order."""

    faults: tuple[Fault, ...]
    collections: tuple[PreparedCollection, ...]

    def raise_if_faults(self) -> None:
        """Raise ``PlanRefused`` with all faults that are not warnings, if there are any."""
        errors = tuple(fault for fault in self.faults if fault.severity == "error")
        if errors:
            raise PlanRefused(errors)


def check_plan(
    plan: Plan,
    source: Source,
    target: Target,
    ctx: ReadContext,
    *,
    max_collections: int | None = None,
    budget: ScanBudget | None = None,
) -> Preflight:
    """Describe, complete and check every collection of ``plan``. Writes nothing. ``budget`` is the time for
    looking at all rows.

    Raises only if the checks cannot be made: a ``ConnectionFailed``, a retryable error, or the reason of
    its stop.
    """
    faults = [*unbuilt_faults(plan), *endpoints.check_number(plan, type(source), max_collections)]
    try:
        capabilities, taken, has_database = (target.capabilities(), frozenset(target.collections()), True)
    except DatabaseMissing as error:
        capabilities, taken, has_database = (endpoints.default_capabilities(target), frozenset(), False)
        faults += endpoints.check_database(plan, target, error, capabilities)
    faults += endpoints.check_options(plan, type(source), capabilities)
    described = [_describe(collection, source, ctx) for collection in plan.collections]
    schemas = [schema for schema in described if isinstance(schema, CollectionSchema)]
    prepared: dict[int, PreparedCollection] = {}
    budget = budget or ScanBudget()
    for number, (collection, schema) in enumerate(zip(plan.collections, described, strict=True)):
        ctx.stop.check()
        if isinstance(schema, tuple):
            collection_faults: Sequence[Fault] = schema
        else:
            with_target = _with_target(collection, default_targets(schemas)[schema.name])
            prepared[number], collection_faults = _prepare(
                with_target, schema, source, target, capabilities, taken, plan.options, ctx, budget
            )
        faults += (fault.under(f"collections[{number}]") for fault in collection_faults)
    for number, completed in prepared.items() if has_database else ():
        collection_faults = (
            *existing.check_names(completed.plan, target, taken),
            *existing.check_partitions(completed.plan, target, taken),
        )
        faults += (fault.under(f"collections[{number}]") for fault in collection_faults)
    plans = {number: completed.plan for number, completed in prepared.items()}
    faults += check_same_collections(plans, source, target, taken, ctx)
    faults += endpoints.check_targets(plans, taken, target.database)
    faults += endpoints.check_indexes(plan, type(source), capabilities, plans)
    used = {*taken, *(completed.target or "" for completed in plans.values())}
    named = endpoints.with_free_targets(faults, used)
    return Preflight(tuple(map(with_lines, named)), tuple(prepared.values()))


def _with_target(collection: CollectionPlan, target: str) -> CollectionPlan:
    return collection.model_copy(update={"target": target}) if collection.target is None else collection


def _describe(
    collection: CollectionPlan, source: Source, ctx: ReadContext
) -> CollectionSchema | tuple[Fault, ...]:
    ctx.stop.check()
    try:
        if faults := (*endpoints.check_source_keys(collection, type(source)),):
            return faults
        if faults := (*missing_values(source, collection.ref, ctx),):
            return faults
        return describe_with_keys(source, collection.ref, collection.open, ctx)
    except (SourceError, PrivilegeMissing) as error:
        if error.retryable:
            raise
        return (_source_fault(collection, error),)


def _prepare(
    collection: CollectionPlan,
    schema: CollectionSchema,
    source: Source,
    target: Target,
    capabilities: Capabilities,
    taken: AbstractSet[str],
    options: Options,
    ctx: ReadContext,
    budget: ScanBudget,
) -> tuple[PreparedCollection, tuple[Fault, ...]]:
    append_to, unreadable = existing.append_target(collection, target, taken)
    completed = complete(collection, schema, capabilities, existing=append_to)
    partitions = Partitions()
    try:
        facts = scan_rows(Subject(completed, schema, capabilities), source, ctx, append_to, budget)
        partitions = name_partitions(Subject(completed, schema, capabilities), source, ctx)
    except (SourceError, PrivilegeMissing) as error:
        if error.retryable:
            raise
        facts = RowFacts({}, (_source_fault(collection, error),))
    completed = with_dims(completed, facts.dims)
    if partitions.names:
        completed = completed.model_copy(update={"partitions": dict(partitions.names)})
    faults = (*unreadable, *check_collection(completed, schema, capabilities, append_to))
    if facts.losses and (losses := facts.losses.counts) and losses.is_complete:
        faults = tuple(fault for fault in faults if not is_counted(fault, completed, losses))
    found = (*facts.faults, *partitions.faults, *faults)
    found = tuple(as_written(fault, collection, completed) for fault in found)
    warnings = tuple(fault.note for fault in found if fault.severity == "warning")
    omitted = left_out_notes(collection, completed, schema, capabilities, append_to)
    counts = (*facts.notes, *partitions.notes)
    if counts and (limit := options.limit_rows) is not None:
        counts = (*counts, f"These counts cover all rows; the job moves at most {limit:,} of them.")
    is_default_key = collection.key is None and append_to is None and schema.exact is None
    auto_id = why_auto_id(schema, capabilities) if is_default_key else ""
    names = renamed(completed, schema)
    totals = facts.losses.notes(options) if facts.losses else ()
    notes = (*schema.notes, *filter(None, (auto_id,)), *omitted, *names, *counts, *warnings, *totals)
    prepared = PreparedCollection(
        completed,
        schema,
        schema.rows_estimate,
        notes,
        facts.key_is_unique,
        facts.duplicates,
        facts.losses.looked if facts.losses else "",
        facts.losses.counts if facts.losses else None,
        tuple(facts.losses.lacking_vectors()) if facts.losses else (),
    )
    return prepared, _without_repeated(found)


def _without_repeated(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """Remove the other faults of a dimension if the rows show that it is mixed: they come from the sample."""
    mixed = {fault.path for fault in faults if fault.code == "mixed_dimensions"}
    return tuple(f for f in faults if f.path not in mixed or f.code == "mixed_dimensions")


def _source_fault(collection: CollectionPlan, error: SourceError | PrivilegeMissing) -> Fault:
    path = error.path or "source"
    return Fault(error.code, error.message, error.hint, path, collection.source, option=path.split(".")[0])
