"""Prepare stage: checks the plan against source and target, creates the collections, stores the slices."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction

from migrations_app import endpoints, services
from migrations_app.engine import preflight
from migrations_app.engine.errors import FerryError
from migrations_app.engine.model.plan import Options, Plan
from migrations_app.engine.preflight.plan import PreparedCollection
from migrations_app.engine.sources.base import Source
from migrations_app.engine.targets.base import Target
from migrations_app.execution.task_runner import HeldJob, RunAgain
from migrations_app.models import Job, JobCollection, JobStep, StepKind, StepState
from migrations_app.models.status import Stage
from migrations_app.stages.plan_slices import WANTED, plan_slices, slices_wanted
from migrations_app.stages.provision import is_untouched, provision


def prepare(held: HeldJob) -> RunAgain | None:
    """Do everything that comes before the first row. Safe to run twice: completed steps are stored and
    skipped.

    Returns ``RunAgain`` if it has to wait. Raises ``PlanRefused`` with all faults before anything is written.
    """
    job = held.job
    with (
        endpoints.job_source(job) as source,
        endpoints.job_target(job) as target,
        target.obeying(held.stop),
    ):
        if job.resumed_at is not None and (refusal := services.target_refusal(job, target)) is not None:
            raise refusal
        if not (step := job.step(StepKind.PREPARE)).is_done:
            _check(held, step, source, target)
        for row in job.collections.order_by("position"):
            held.stop.check()
            if (again := provision(held, row, source, target)) is not None:
                return again
            plan_slices(held, row, source)
    services.job_enter_stage(job=job, stage=Stage.MOVING)
    return None


def prepare_failed(job: Job, error: FerryError) -> None:
    """Store the error; if nothing was written yet, mark the job as refused."""
    is_refused = job.resumed_at is None and is_untouched(job)
    services.job_note_failure(job=job, error=error, refused=is_refused)


def _check(held: HeldJob, step: JobStep, source: Source, target: Target) -> None:
    """Run preflight, and store the completed plans, the row counts and the requested actions."""
    step.begin()
    plan = Plan.model_validate(held.job.plan)
    held.log("info", f"Connected to {source.check(held.ctx)}.")
    if not plan.target.create_database:
        held.log("info", f"Connected to {target.check(held.ctx)}.")
    checked = preflight.check_plan(plan, source, target, held.ctx)
    checked.raise_if_faults()
    if plan.target.create_database:
        if target.create_database():
            held.log("info", f"Created the database “{plan.target.database}”.")
        held.log("info", f"Connected to {target.check(held.ctx)}.")
    rows = {row.position: row for row in held.job.collections.all()}
    for position, prepared in enumerate(checked.collections):
        for fact in prepared.schema.facts:
            held.log("info", f"{prepared.plan.source}: {fact}")
        for note in prepared.notes:
            held.log("warning", f"{prepared.plan.source}: {note}")
        if prepared.looked:
            held.log("info", f"{prepared.plan.source}: {prepared.looked}")
        row = rows[position]
        _fill(row, prepared, plan.options)
        count = source.count(prepared.plan.ref, held.ctx)
        row.rows_source, row.rows_source_exact = count.rows, count.is_exact
        if count.as_of is not None:
            held.log("info", f"{row.source}: its number of rows is as of {count.as_of:%Y-%m-%d %H:%M:%S %Z}.")
        held.stop.check()
    held.job.single_writer = target.capabilities().single_writer
    with transaction.atomic():
        Job.objects.filter(pk=held.job.pk).update(single_writer=held.job.single_writer)
        for position, prepared in enumerate(checked.collections):
            row = rows[position]
            row.save()
            wanted = slices_wanted(row, _rows(row, prepared), prepared.schema.size_bytes)
            row.step(StepKind.PLAN_SLICES).store(StepState.WAITING, position={WANTED: wanted})
            for kind in _requested_actions(plan.options, source):
                row.step(kind)
        step.store(StepState.DONE)


def _fill(row: JobCollection, prepared: PreparedCollection, options: Options) -> None:
    completed = prepared.plan
    row.plan = completed.model_dump(mode="json", by_alias=True) | {"exact": completed.exact}
    row.target = completed.target or ""
    row.limit_rows = options.limit_rows
    row.key_unique, row.duplicate_keys = prepared.key_is_unique, prepared.duplicates
    # If several workers sent rows with equal keys, the one that stays would depend on their timing.
    has_equal_keys = not row.key_unique and row.duplicate_keys != 0
    row.one_slice_at_a_time = completed.is_auto_id or row.limit_rows is not None or has_equal_keys


def _rows(row: JobCollection, prepared: PreparedCollection) -> int | None:
    """The rows in the source: counted, or else estimated."""
    return prepared.rows if row.rows_source is None else row.rows_source


def _requested_actions(options: Options, source: Source) -> Iterator[StepKind]:
    if options.creates_index(source.indexes_by_default):
        yield StepKind.INDEX
    if options.load:
        yield StepKind.LOAD
