"""Finish stage: after the last row, verifies, indexes and loads as the plan requests, and ends the job.

The progress is stored, so a long step can free the process and continue later in any process.
"""

from __future__ import annotations

from migrations_app import endpoints, services
from migrations_app.engine.errors import FerryError, JobFailed
from migrations_app.engine.log import counted
from migrations_app.engine.model.plan import share_left_out
from migrations_app.engine.targets.base import Target
from migrations_app.execution.task_runner import HeldJob, RunAgain
from migrations_app.models import Job, StepKind
from migrations_app.models.status import Stage
from migrations_app.reporting.report import mismatch_text
from migrations_app.services.resume import rows_left_out
from migrations_app.stages.post_migration import POLL_SECONDS, advance, post_migration_failed
from migrations_app.stages.verify import verify

WAYS = {
    "skipped": "Skipped rows lack a vector: leave that vector out, or choose another rule for such rows.",
    "rejected": "The job's page lists the rejected rows with their reasons.",
}
ACTION_STAGES = ((Stage.INDEXING, StepKind.INDEX), (Stage.LOADING, StepKind.LOAD))


def finish(held: HeldJob) -> RunAgain | None:
    """Run the next part of the finish stage. Returns ``RunAgain`` if it has to wait."""
    job = held.job
    with endpoints.job_target(job) as target, target.obeying(held.stop):
        if job.stage == Stage.MOVING:
            _log_changed_values(held)
        if job.stage in (Stage.MOVING, Stage.VERIFYING):
            services.job_enter_stage(job=job, stage=Stage.VERIFYING)
            if (again := _verify(held, target)) is not None:
                return again
            _refuse_few_rows(job)
        for stage, kind in ACTION_STAGES:
            steps = job.steps.open().filter(kind=kind).select_related("collection")
            if steps.exists():
                services.job_enter_stage(job=job, stage=stage)
            for step in steps.order_by("collection__position"):
                held.stop.check()
                advance(held, step, target)
            if steps.exists():
                return RunAgain(POLL_SECONDS)
    held.log.flush()  # the last line must be the end of the job
    services.job_succeed(job=job)
    return None


def _log_changed_values(held: HeldJob) -> None:
    """Log how many values were truncated, and how many went into the dynamic field instead of their own."""
    for row in held.job.collections.with_counters().order_by("position"):
        if row.values_cut:
            values = counted(row.values_cut, "value")
            held.log(
                "warning",
                f"{row.target}: {values} truncated to the length of the field, as the plan requests.",
            )
        if sentence := mismatch_text(row):
            held.log("warning", sentence)


def _verify(held: HeldJob, target: Target) -> RunAgain | None:
    if held.job.options.verify == "none":
        held.job.collections.filter(checks=[]).update(
            checks=[{"check": "counts", "passed": None, "message": "The plan requests no verification."}]
        )
        return None
    with endpoints.job_source(held.job) as source:
        return verify(held, source, target)


def _refuse_few_rows(job: Job) -> None:
    """Raise ``JobFailed`` if more of the rows of a collection were skipped or rejected than ``max_skipped``
    allows, or all of them. Nothing is dropped, and the job can be resumed with another ``max_skipped``."""
    options = job.options
    for row in rows_left_out(job).filter(left_out__gt=0):
        if row.left_out < row.rows_read and options.allows_left_out(row.left_out, row.rows_read):
            continue
        parts = {"rejected": row.rows_rejected, "skipped": row.rows_skipped}
        listed = ", ".join(f"{number:,} {name}" for name, number in parts.items() if number)
        ways = " ".join(WAYS[name] for name in ("skipped", "rejected") if parts[name])
        total = counted(row.rows_read, "row")
        if row.left_out == row.rows_read:
            raise JobFailed(
                f"None of the {total} of “{row.source}” arrived: {listed}.", ways, code="no_row_arrived"
            )
        enough = share_left_out(row.left_out, row.rows_read)
        arrived = f"Only {row.rows_read - row.left_out:,} of the {total} of “{row.source}” arrived: {listed}"
        raise JobFailed(
            f"{arrived}. The plan allows at most {100 * options.max_skipped:.4g} % of the rows to be "
            "rejected or skipped.",
            f"{ways} If the result is what you want, press “Resume” and allow {round(100 * enough)} % "
            f"(max_skipped: {enough:g}): the rows that arrived stay. In a terminal: “manage.py jobs resume "
            f"{job.public_id} --max-skipped {enough:g}”.",
            code="mostly_rejected",
        )


def finish_failed(job: Job, error: FerryError) -> None:
    if job.stage in (Stage.INDEXING, Stage.LOADING):
        post_migration_failed(job, error)
    services.job_note_failure(job=job, error=error)
