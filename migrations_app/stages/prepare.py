"""Prepare stage: checks the plan against source and target, creates the collections, stores the slices."""

from __future__ import annotations

from django.db import transaction

from migrations_app import endpoints, services
from migrations_app.engine import preflight
from migrations_app.engine.errors import FerryError, SourceError
from migrations_app.engine.log import counted
from migrations_app.engine.model.plan import CollectionPlan, Options, Plan
from migrations_app.engine.sources.base import Source
from migrations_app.engine.targets.base import Target
from migrations_app.execution.task_runner import HeldJob, RunAgain
from migrations_app.models import ActionState, Job, JobCollection, JobSlice
from migrations_app.models.status import Stage
from migrations_app.stages.provision import is_untouched, provision

# The sources create only one slice per collection for now.
SLICES_WANTED = 1
MAX_SLICES = 2000


def prepare(held: HeldJob) -> RunAgain | None:
    """Do everything that comes before the first row. Safe to run twice: completed steps are stored and
    skipped.

    Returns ``RunAgain`` if it has to wait. Raises ``PlanRefused`` with all faults before anything is written.
    """
    job = held.job
    with endpoints.job_source(job) as source, endpoints.job_target(job) as target:
        if job.collections.filter(is_prepared=False).exists():
            _check(held, source, target)
        for row in job.collections.order_by("position"):
            held.stop.check()
            if (again := provision(held, row, target)) is not None:
                return again
            _store_slices(held, row, source)
    services.job_enter_stage(job=job, stage=Stage.MOVING)
    return None


def prepare_failed(job: Job, error: FerryError) -> None:
    """Store the error; if nothing was written yet, mark the job as refused."""
    services.job_note_failure(job=job, error=error, refused=is_untouched(job))


def _check(held: HeldJob, source: Source, target: Target) -> None:
    """Run preflight, and store the completed plans and the row counts."""
    plan = Plan.model_validate(held.job.plan)
    held.log("info", f"Connected to {source.check(held.ctx)}.")
    held.log("info", f"Connected to {target.check(held.ctx)}.")
    checked = preflight.check_plan(plan, source, target, held.ctx)
    checked.raise_if_faults()
    rows = {row.position: row for row in held.job.collections.all()}
    for position, prepared in enumerate(checked.collections):
        for note in prepared.notes:
            held.log("warning", f"{prepared.plan.source}: {note}")
        row = rows[position]
        _fill(row, prepared.plan, plan.options, source)
        row.key_unique, row.duplicate_keys = prepared.key_is_unique, prepared.duplicates
        count = source.count(prepared.plan.ref, held.ctx)
        row.rows_source, row.rows_source_exact = count.rows, count.is_exact
        if count.as_of is not None:
            held.log("info", f"{row.source}: its number of rows is as of {count.as_of:%Y-%m-%d %H:%M:%S %Z}.")
        held.stop.check()
    single_writer = target.capabilities().single_writer
    with transaction.atomic():
        Job.objects.filter(pk=held.job.pk).update(single_writer=single_writer)
        for row in rows.values():
            row.save()


def _fill(row: JobCollection, completed: CollectionPlan, options: Options, source: Source) -> None:
    row.plan = completed.model_dump(mode="json", by_alias=True)
    row.target = completed.target or ""
    row.limit_rows = options.limit_rows
    row.one_slice_at_a_time = completed.is_auto_id or row.limit_rows is not None
    row.is_prepared = True
    wanted = options.create_index
    if source.indexes_by_default if wanted is None else wanted:
        row.index_action_state = ActionState.ASKED
    if options.load:
        row.load_action, row.load_action_state = "load", ActionState.ASKED


def _store_slices(held: HeldJob, row: JobCollection, source: Source) -> None:
    """Store the slices. Their bounds are computed only once."""
    if row.is_sliced:
        return
    slices = []
    for number, part in enumerate(source.slices(row.completed.ref, SLICES_WANTED, held.ctx)):
        held.stop.check()
        if number == MAX_SLICES:
            raise SourceError(
                f"The source divides “{row.source}” into more than {MAX_SLICES:,} slices.",
                "Move it in several jobs, each with a part of its rows.",
                code="too_many_slices",
            )
        slices.append(
            JobSlice(
                collection=row,
                number=number,
                part_id=part.id,
                bounds=part.bounds,
                partition=part.partition,
                rows_estimate=part.rows_estimate,
                resumable=part.resumable,
            )
        )
    with transaction.atomic():
        row.slices.all().delete()
        JobSlice.objects.bulk_create(slices)
        row.is_sliced = True
        row.save(update_fields=("is_sliced",))
    held.log("info", f"{row.source}: {_rows(row)}{_limits(row)}.")


def _rows(row: JobCollection) -> str:
    if row.rows_source is None:
        return "an unknown number of rows"
    return counted(row.rows_source, "row") if row.rows_source_exact else f"about {row.rows_source:,} rows"


def _limits(row: JobCollection) -> str:
    """Describe the limits of the plan: the number of rows and the read rate, if any."""
    rate = row.job.options.source_rows_per_second
    first = f", of which at most the first {row.limit_rows:,} are moved" if row.limit_rows else ""
    return first + (f"; at most {rate:,} are read per second" if rate else "")
