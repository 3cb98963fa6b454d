"""Prepare stage: checks the plan against source and target, creates the collections, stores the slices."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction

from migrations_app import endpoints, services
from migrations_app.engine import preflight
from migrations_app.engine.errors import FerryError, SourceError
from migrations_app.engine.log import counted
from migrations_app.engine.mapping import compile_mapping
from migrations_app.engine.model.plan import CollectionPlan, Options, Plan
from migrations_app.engine.sources.base import Source
from migrations_app.engine.targets.base import Target
from migrations_app.execution.task_runner import HeldJob, RunAgain
from migrations_app.models import Job, JobCollection, JobSlice, JobStep, StepKind, StepState
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
        if not (step := job.step(StepKind.PREPARE)).is_done:
            _check(held, step, source, target)
        for row in job.collections.order_by("position"):
            held.stop.check()
            if (again := provision(held, row, source, target)) is not None:
                return again
            _store_slices(held, row, source)
    services.job_enter_stage(job=job, stage=Stage.MOVING)
    return None


def prepare_failed(job: Job, error: FerryError) -> None:
    """Store the error; if nothing was written yet, mark the job as refused."""
    services.job_note_failure(job=job, error=error, refused=is_untouched(job))


def _check(held: HeldJob, step: JobStep, source: Source, target: Target) -> None:
    """Run preflight, and store the completed plans, the row counts and the requested actions."""
    step.begin()
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
        _fill(row, prepared.plan, plan.options)
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
            for kind in _requested_actions(plan.options, source):
                row.step(kind)
        step.store(StepState.DONE)


def _fill(row: JobCollection, completed: CollectionPlan, options: Options) -> None:
    row.plan = completed.model_dump(mode="json", by_alias=True) | {"exact": completed.exact}
    row.target = completed.target or ""
    row.limit_rows = options.limit_rows
    row.one_slice_at_a_time = completed.is_auto_id or row.limit_rows is not None


def _requested_actions(options: Options, source: Source) -> Iterator[StepKind]:
    wanted = options.create_index
    if source.indexes_by_default if wanted is None else wanted:
        yield StepKind.INDEX
    if options.load:
        yield StepKind.LOAD


def _store_slices(held: HeldJob, row: JobCollection, source: Source) -> None:
    """Store the slices. Their bounds are computed only once."""
    step = row.step(StepKind.PLAN_SLICES)
    if step.is_done:
        return
    step.begin()
    slices, mapping = [], compile_mapping(row.completed)
    for number, part in enumerate(source.slices(row.completed.ref, SLICES_WANTED, held.ctx)):
        held.stop.check()
        if number == MAX_SLICES:
            raise SourceError(
                f"The source divides “{row.source}” into more than {MAX_SLICES:,} slices.",
                "Move it in several jobs, each with a part of its rows.",
                code="too_many_slices",
            )
        mapping.partition_of(part)  # raises if the plan has no name for its partition
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
        step.store(StepState.DONE)
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
