"""The collection that a job writes into: created, or found there and replaced or added to."""

from __future__ import annotations

from migrations_app.engine.errors import TargetChanged, TargetError
from migrations_app.engine.log import counted
from migrations_app.engine.mapping import compile_mapping
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.target_schema import TargetSchema
from migrations_app.engine.preflight.scans import existing
from migrations_app.engine.stop_token import Deadline
from migrations_app.engine.targets.base import Target
from migrations_app.engine.targets.milvus.comparing import differences
from migrations_app.engine.verification.row_count import CountState
from migrations_app.execution.task_runner import HeldJob, RunAgain
from migrations_app.models import Job, JobCollection, TargetState
from migrations_app.models.status import RUNNING, Stage
from migrations_app.stages.count import PAUSE_SECONDS, TURN_SECONDS, count_before

# In ``JobCollection.finish``: the collection of this name was dropped to make room.
REPLACED = "replaced"


def provision(held: HeldJob, row: JobCollection, target: Target) -> RunAgain | None:
    """Create the collection, or count what one that is there holds. Its state is stored before and after.

    ``RunAgain`` where the count needs more time.
    """
    if row.target_state in (TargetState.CREATED, TargetState.EXISTING):
        return None
    plan = row.completed
    schema = compile_mapping(plan).target
    if row.target_state == TargetState.NONE:
        _refuse_another_writer(row)
        if plan.if_exists == "append" and (found := target.describe(row.target)) is not None:
            return _add_to(held, row, target, found, plan)
        if plan.if_exists == "replace":
            _drop_old(held, row, target)
    if row.target_state == TargetState.NONE or not is_ours(target, schema):
        _set_state(row, TargetState.CREATING)
        target.create(schema)
        held.log("info", _created(schema))
    _make_partitions(held, plan, target)
    _set_state(row, TargetState.CREATED)
    return None


def _add_to(
    held: HeldJob, row: JobCollection, target: Target, found: TargetSchema, plan: CollectionPlan
) -> RunAgain | None:
    if names := differences(found, compile_mapping(plan).target):
        raise TargetChanged(
            f"“{row.target}” is not what it was when the plan was checked: {', '.join(names)} differ.",
            "Migrate again: the plan is checked anew.",
        )
    is_counted = row.job.options.verify != "none"
    counted = CountState()
    if is_counted:
        counted = count_before(row, target).run(held.stop, Deadline(TURN_SECONDS))
        if not counted.is_done:
            return RunAgain(PAUSE_SECONDS)
    _make_partitions(held, plan, target)
    row.count_before = counted.rows
    row.target_state = TargetState.EXISTING
    row.save(update_fields=("count_before", "target_state"))
    if counted.rows is not None:
        held.log("info", f"{row.target} holds {counted.rows:,} rows before this job adds to it.")
    elif is_counted:
        held.log("warning", f"{row.target}: what it holds was not counted. {counted.reason}")
    return None


def _refuse_another_writer(row: JobCollection) -> None:
    """Two jobs that write into one collection spoil each other's counts, or drop each other's rows. Of two
    that begin at once the older one goes on."""
    others = JobCollection.objects.exclude(job=row.job).filter(
        target=row.target,
        job__target_key=row.job.target_key,
        job__database=row.job.database,
        job__status__in=RUNNING,
    )
    begun = others.exclude(target_state__in=(TargetState.NONE, TargetState.DROPPED))
    older = others.filter(job__stage=Stage.PREPARING, job__lt=row.job.pk)
    if (other := (begun | older).select_related("job").first()) is not None:
        raise TargetError(
            f"{other.job.public_id} is writing into “{row.target}”.",
            "Wait until it has ended, then migrate again.",
            code="target_in_use",
        )


def _drop_old(held: HeldJob, row: JobCollection, target: Target) -> None:
    """Only before anything was made: what stands there afterwards is this job's own."""
    if row.target not in target.collections():
        return
    if refusal := existing.alias_refusal(row.target, target):
        raise TargetChanged(refusal.message, refusal.hint, code=refusal.code)
    held_rows = existing.rows_in(target, row.target)
    row.finish[REPLACED] = True
    row.save(update_fields=("finish",))
    target.drop(row.target)
    held.log("warning", f"Dropped the collection {held_rows}, to replace it.")


def _created(schema: TargetSchema) -> str:
    fields, shards = counted(len(schema.fields), "field"), counted(schema.shards, "shard")
    dynamic = "on" if schema.dynamic else "off"
    return f"Created collection {schema.name}: {fields}, {shards}, dynamic field {dynamic}."


def _make_partitions(held: HeldJob, plan: CollectionPlan, target: Target) -> None:
    """One for each value of ``partition_by`` that has none yet."""
    assert plan.target is not None
    if plan.partition_by is None:
        return
    there = set(target.partitions(plan.target))
    for name in plan.partitions.values():
        held.stop.check()
        if name not in there:
            target.create_partition(plan.target, name)
    held.log("info", f"{plan.target}: {counted(len(plan.partitions), 'partition')} by {plan.partition_by}.")


def _set_state(row: JobCollection, state: TargetState) -> None:
    row.target_state = state
    row.save(update_fields=("target_state",))


def is_untouched(job: Job) -> bool:
    """Whether the job has changed nothing in the target yet."""
    kept = (TargetState.NONE, TargetState.EXISTING)
    return not (
        job.collections.exclude(target_state__in=kept).exists()
        or job.collections.filter(finish__has_key=REPLACED).exists()
    )


def is_ours(target: Target, schema: TargetSchema) -> bool:
    """Whether a create that was cut off made the collection: it is there, empty, with the same fields.

    Raises ``TargetChanged`` where something else stands in its place.
    """
    found = target.describe(schema.name)
    if found is None:
        return False
    if differences(found, schema) or _has_rows(target, schema.name):
        raise TargetChanged(
            f"A collection “{schema.name}” appeared in the target that this job did not make.",
            "Choose another name, or remove it, and start the migration again.",
        )
    return True


def _has_rows(target: Target, name: str) -> bool:
    """Statistics know nothing of rows that were written just now, until they are flushed."""
    if target.capabilities().flush_before_count:
        target.flush(name)
    return target.row_statistics(name) > 0
