"""Provisioning: creates the target collection of a job, or replaces or appends to an existing one."""

from __future__ import annotations

from migrations_app import services
from migrations_app.engine.errors import TargetChanged, TargetError
from migrations_app.engine.log import counted
from migrations_app.engine.mapping import compile_mapping
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.target_schema import TargetSchema
from migrations_app.engine.preflight.scans import existing
from migrations_app.engine.preflight.scans.same_collection import find_source, refusal
from migrations_app.engine.sources.base import Source
from migrations_app.engine.targets.base import Target
from migrations_app.engine.targets.milvus.comparing import differences
from migrations_app.engine.verification.row_count import CountState
from migrations_app.execution.task_runner import HeldJob, RunAgain
from migrations_app.models import Job, JobCollection, TargetState
from migrations_app.models.status import RUNNING, Stage
from migrations_app.stages.count import PAUSE_SECONDS, count_before

# States in which this job has not begun to create its collection.
BEFORE_CREATING = (TargetState.NONE, TargetState.REPLACING)


def provision(held: HeldJob, row: JobCollection, source: Source, target: Target) -> RunAgain | None:
    """Create the collection, or count the rows of an existing one. The state is stored before and after.

    Returns ``RunAgain`` if the count needs more time.
    """
    if row.target_state in (TargetState.CREATED, TargetState.EXISTING):
        if row.job.resumed_at is not None:
            _refuse_another_writer(row)
        return None
    plan = row.completed
    schema = compile_mapping(plan).target
    if row.target_state in BEFORE_CREATING:
        _refuse_another_writer(row)
        if plan.if_exists == "append" and (current := target.describe(row.target)) is not None:
            _refuse_own_source(held, row, source, target)
            return _append_to(held, row, target, current, plan)
        if plan.if_exists == "replace":
            _drop_old(held, row, source, target)
    if row.target_state in BEFORE_CREATING or not is_ours(target, schema):
        _set_state(row, TargetState.CREATING)
        target.create(schema)
        held.log("info", _created_message(schema))
    _create_partitions(held, plan, target)
    row.target_identity = services.identity_of(target, row.target)
    row.target_state = TargetState.CREATED
    row.save(update_fields=("target_identity", "target_state"))
    return None


def _append_to(
    held: HeldJob, row: JobCollection, target: Target, current: TargetSchema, plan: CollectionPlan
) -> RunAgain | None:
    wanted = compile_mapping(plan).target
    current = _raise_limits(held, target, current, wanted, plan)
    if names := differences(current, wanted):
        raise TargetChanged(
            f"“{row.target}” has changed since the plan was checked: {', '.join(names)} differ.",
            "Start the migration again: the plan is then checked again.",
        )
    is_counted = row.job.options.verify != "none"
    state = CountState()
    if is_counted:
        state = count_before(row, target).run(held.stop, held.deadline)
        if not state.is_done:
            return RunAgain(PAUSE_SECONDS)
    _create_partitions(held, plan, target)
    row.count_before = state.rows
    row.target_identity = services.identity_of(target, row.target)
    row.target_state = TargetState.EXISTING
    row.save(update_fields=("count_before", "target_identity", "target_state"))
    if state.rows is not None:
        held.log("info", f"{row.target} contains {counted(state.rows, 'row')} before this job adds rows.")
    elif is_counted:
        held.log("warning", f"{row.target}: its existing rows were not counted. {state.reason}")
    return None


def _raise_limits(
    held: HeldJob, target: Target, current: TargetSchema, wanted: TargetSchema, plan: CollectionPlan
) -> TargetSchema:
    """Raise the limits of the fields for which the plan says so; return the schema of the collection then. No
    limit is ever lowered."""
    chosen = {field.target for field in plan.fields or () if field.raise_limit and not field.dynamic}
    before = {field.name: field for field in current.fields if field.name in chosen and not field.is_key}
    is_raised = False
    for field in wanted.fields:
        limit, old = field.spec.raisable_limit, before.get(field.name)
        if not limit or old is None or old.spec.type is not field.spec.type:
            continue
        now, value = getattr(old.spec, limit), getattr(field.spec, limit)
        if now is not None and value is not None and value > now:
            held.stop.check()
            target.raise_limit(current.name, field.name, limit, value)
            held.log("info", f"{current.name}: raised “{limit}” of “{field.name}” from {now:,} to {value:,}.")
            is_raised = True
    return target.describe(current.name) or current if is_raised else current


def _refuse_another_writer(row: JobCollection) -> None:
    """Raise ``TargetError`` if another job writes into the same collection: the counts would be wrong, or one
    job could drop the rows of the other. If two jobs start at the same time, the older one continues.
    """
    others = JobCollection.objects.exclude(job=row.job).filter(
        target=row.target,
        job__target_key=row.job.target_key,
        job__database=row.job.database,
        job__status__in=RUNNING,
    )
    started = others.exclude(target_state__in=(TargetState.NONE, TargetState.DROPPED))
    older = others.filter(job__stage=Stage.PREPARING, job__lt=row.job.pk)
    if (other := (started | older).select_related("job").first()) is not None:
        raise TargetError(
            f"{other.job.public_id} is writing into “{row.target}”.",
            "Wait until it has ended, then start the migration again.",
            code="target_in_use",
        )


def _refuse_own_source(held: HeldJob, row: JobCollection, source: Source, target: Target) -> None:
    """Raise ``TargetChanged`` if the collection is one that this job reads. Preflight checked it, but names
    and aliases may have changed since then."""
    names = held.job.collections.values_list("source", flat=True)
    if (own := find_source(row.target, names, source, target, held.ctx)) is not None:
        fault = refusal(row.target, own)
        raise TargetChanged(fault.message, fault.hint, code=fault.code)


def _drop_old(held: HeldJob, row: JobCollection, source: Source, target: Target) -> None:
    """Drop an existing collection. Called only before this job created its own."""
    if row.target not in target.collections():
        return
    if fault := existing.alias_refusal(row.target, target):
        raise TargetChanged(fault.message, fault.hint, code=fault.code)
    rows = existing.rows_in(target, row.target)
    _refuse_own_source(held, row, source, target)
    _set_state(row, TargetState.REPLACING)
    target.drop(row.target)
    held.log("warning", f"Dropped the collection {rows} to replace it.")


def _created_message(schema: TargetSchema) -> str:
    fields, shards = counted(len(schema.fields), "field"), counted(schema.shards, "shard")
    dynamic = "on" if schema.dynamic else "off"
    return f"Created collection {schema.name}: {fields}, {shards}, dynamic field {dynamic}."


def _create_partitions(held: HeldJob, plan: CollectionPlan, target: Target) -> None:
    """Create the partitions of the plan that do not exist yet."""
    assert plan.target is not None
    names = plan.partitions or {}
    if not names:
        return
    known = set(target.partitions(plan.target))
    for name in names.values():
        held.stop.check()
        if name not in known:
            target.create_partition(plan.target, name)
    origin = "from the source" if plan.partition_by is None else f"by {plan.partition_by}"
    held.log("info", f"{plan.target}: {counted(len(names), 'partition')} {origin}.")


def _set_state(row: JobCollection, state: TargetState) -> None:
    row.target_state = state
    row.save(update_fields=("target_state",))


def is_untouched(job: Job) -> bool:
    """True if the job has not changed anything in the target."""
    untouched = (TargetState.NONE, TargetState.EXISTING)
    return not job.collections.exclude(target_state__in=untouched).exists()


def is_ours(target: Target, schema: TargetSchema) -> bool:
    """True if an interrupted create call created the collection: it exists, is empty and has the same fields.

    Raises ``TargetChanged`` if a different collection has this name.
    """
    current = target.describe(schema.name)
    if current is None:
        return False
    if differences(current, schema) or _has_rows(target, schema.name):
        raise TargetChanged(
            f"The target contains a collection “{schema.name}” that this job did not create.",
            "Choose another name or drop that collection, then start the migration again.",
        )
    return True


def _has_rows(target: Target, name: str) -> bool:
    """True if the collection has rows. Statistics include recent rows only after a flush."""
    if target.capabilities().flush_before_count:
        target.flush(name)
    return target.row_statistics(name) > 0
