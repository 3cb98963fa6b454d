"""Wording of a job: its status, tone, stage, progress and actions as texts."""

from __future__ import annotations

from typing import Any

from console.format import about
from migrations_app.engine.log import counted
from migrations_app.engine.sources.registry import SOURCES, source_class
from migrations_app.models import Job, JobCollection, JobStep, StepKind, StepState, TargetState
from migrations_app.models.status import Stage, Status
from migrations_app.models.step import ACTIONS
from migrations_app.reporting.report import JobRate, Totals

IN_DOUBT = "A few more rows may be in the target: it had not confirmed them when the job stopped."

FROM_BEFORE = "Rows that were written before the source was divided into slices again may be in the target."

TONES = {
    Status.PENDING: "muted",
    Status.IN_PROGRESS: "run",
    Status.CANCELING: "warn",
    Status.SUCCESSFUL: "ok",
    Status.FAILED: "bad",
    Status.CANCELED: "muted",
}


def kind_title(kind: str) -> str:
    return SOURCES[kind].title if kind in SOURCES else kind


def status_label(job: Job, done: Totals) -> str:
    label = job.status_label
    is_limited = job.status == Status.SUCCESSFUL and not job.is_trial
    if is_limited and (limit := job.options.limit_rows) is not None:
        label = f"{label} · first {limit:,} rows"
    return " · ".join((label, *_left_out(done))) if job.status == Status.SUCCESSFUL else label


def trial_text(job: Job, names: list[str]) -> str:
    """Return a sentence about a trial and where its rows went; empty if the job is none."""
    limit = job.options.limit_rows
    if not job.is_trial or limit is None:
        return ""
    real = ", ".join(f"“{target['target']}”" for target in job.trial_targets)
    where = f" into {', '.join(names)}" if names else ""
    what = (
        f"the first {counted(limit, 'row')} of each collection{where}"
        if len(job.trial_targets) > 1
        else (f"the first {counted(limit, 'row')}{where}")
    )
    end = "To fill the real " + ("collections" if len(job.trial_targets) > 1 else "collection")
    return f"This is a trial: it moves only {what}. {end} {real}, press “Move everything now”."


def _left_out(done: Totals) -> list[str]:
    parts = {"rejected": done.rows_rejected, "skipped": done.rows_skipped}
    return [f"{number:,} {name}" for name, number in parts.items() if number]


def tone(job: Job, done: Totals) -> str:
    if job.status == Status.SUCCESSFUL and _left_out(done):
        return "warn"
    if job.is_trial and job.status == Status.SUCCESSFUL:
        return "run"
    return TONES[Status(job.status)]


def progress_text(job: Job, done: Totals, rate: JobRate) -> str:
    """Return the text under the progress bar in the list."""
    if job.status == Status.PENDING:
        return "waiting for a worker"
    if job.status == Status.FAILED:
        return f"{job.error_message} · {_rows(done.rows_written)} written"
    if job.status == Status.CANCELED:
        is_dropped = any(row.target_state == TargetState.DROPPED for row in job.collections.all())
        dropped = ", then dropped" if is_dropped else ""
        return f"{_rows(done.rows_written)} written{dropped}" if done.rows_written else "nothing was written"
    if job.status == Status.SUCCESSFUL:
        of_all = f"{done.rows_written:,} of {_rows(done.rows_read)}"
        return f"{of_all if _left_out(done) else _rows(done.rows_written)} · {check_words(job, done)}"
    total = f" of {done.rows_total:,}" if done.rows_total is not None else ""
    parts = [f"{done.rows_done:,}{total} rows"]
    if rate.seconds_left is not None:
        parts.append(f"{about(rate.seconds_left)} left")
    elif job.stage and job.stage != Stage.MOVING:
        parts.append(str(Stage(job.stage).label))
    return " · ".join(parts)


def check_words(job: Job, done: Totals) -> str:
    """Return the result of the count check over all collections."""
    rows = list(job.collections.all())
    results = [row.verified for row in rows]
    if results and all(results):
        if _left_out(done):
            return "no other row is missing"
        is_exact = all(row.rows_source is not None and row.rows_source_exact for row in rows)
        return "counts agree" if is_exact else "all rows that were read arrived"
    return "counts differ" if False in results else "counts not compared"


def _rows(count: int) -> str:
    return counted(count, "row")


def stages(job: Job) -> list[Stage]:
    """Return the stages of this job, in order."""
    options = job.options
    by_default = job.kind in SOURCES and source_class(job.kind).indexes_by_default
    optional = {
        Stage.VERIFYING: options.verify != "none",
        Stage.INDEXING: options.creates_index(by_default),
        Stage.LOADING: options.load,
    }
    return [Stage.PREPARING, Stage.MOVING, *(stage for stage, is_included in optional.items() if is_included)]


def stage_text(job: Job) -> str:
    """Return the stage of a running job, or the stage in which a job stopped."""
    if not job.stage or job.status in (Status.SUCCESSFUL, Status.PENDING):
        return ""
    label = str(Stage(job.stage).label)
    if job.is_ended:
        return f"stopped while {label}"
    order = stages(job)
    if job.stage not in order:
        return label
    return f"stage {order.index(Stage(job.stage)) + 1} of {len(order)}: {label}"


def written_text(job: Job, written: list[dict[str, object]]) -> str:
    """Return sentences about the rows that a canceled job has written."""
    if job.status != Status.CANCELED:
        return ""
    with_rows = [
        f"{_rows(int(str(row['rows_written'])))} in {row['name']}"
        + (" (one row per key stays)" if row["has_equal_keys"] else "")
        for row in written
        if row["rows_written"]
    ]
    is_in_doubt = any(row["is_in_doubt"] for row in written)
    is_planned_again = any(row["is_planned_again"] for row in written)
    if not with_rows:
        if is_planned_again and not job.drop_requested:
            return f"The job was canceled before it wrote rows again. {FROM_BEFORE}"
        if is_in_doubt:
            return (
                "The job was canceled while its first rows were in flight. Some of them may be in the target."
            )
        return "The job was canceled before any row was written."
    if job.drop_requested:
        return f"The job had written {', '.join(with_rows)}. The collections that it created were dropped."
    sentences = f"The job had written {', '.join(with_rows)}. They were kept."
    sentences = f"{sentences} {FROM_BEFORE}" if is_planned_again else sentences
    return f"{sentences} {IN_DOUBT}" if is_in_doubt else sentences


def collection_stage(row: Any, job: Job) -> str:
    """Return what happens to a collection now, or how it ended. ``row`` has the counters of its slices."""
    if step := _current_step(row, job):
        label = str(StepKind(step.kind).label)
        if step.state == StepState.FAILED:
            return f"Failed while {label}"
        return f"{label.capitalize()}, {step.percent} %" if step.percent else label.capitalize()
    if row.slices_total and row.slices_done == row.slices_total:
        return "Done" if job.is_ended or row.verified is not None else "Moved"
    if job.is_ended:
        return "Stopped"
    return "Moving rows" if row.slices_running else "Waiting"


def _current_step(row: JobCollection, job: Job) -> JobStep | None:
    """Return the step that runs, or in which the job failed. Actions are shown separately."""
    state = StepState.FAILED if job.status == Status.FAILED else StepState.RUNNING
    steps = _steps(row)
    current = [steps[kind] for kind in StepKind if kind in steps and steps[kind].state == state]
    return next((step for step in reversed(current) if step.kind not in ACTIONS), None)


def index_text(row: JobCollection) -> str:
    return _action_text(row, StepKind.INDEX, "requested", "being created, {} %", "created", "failed")


def load_text(row: JobCollection) -> str:
    return _action_text(
        row, StepKind.LOAD, "load requested", "being loaded, {} %", "loaded", "load failed"
    ) or _action_text(
        row, StepKind.RELEASE, "release requested", "being released", "released", "release failed"
    )


def _action_text(
    row: JobCollection, kind: StepKind, waiting: str, running: str, done: str, failed: str
) -> str:
    """Return the state of an action as one of these texts, with its error; "" if it was not requested."""
    step = _steps(row).get(kind)
    if step is None:
        return ""
    texts = {
        StepState.WAITING: waiting,
        StepState.RUNNING: running.format(step.percent),
        StepState.DONE: done,
        StepState.FAILED: f"{failed}: {step.error}",
    }
    return texts[StepState(step.state)]


def _steps(row: JobCollection) -> dict[StepKind, JobStep]:
    return {StepKind(step.kind): step for step in row.steps.all()}


def action_results(rows: list[JobCollection]) -> dict[str, str]:
    """Return the result of each action on a finished job, by URL name; "" if the action can be requested."""
    return {
        "job_index": _action_result(rows, StepKind.INDEX, "created"),
        "job_load": _action_result(rows, StepKind.LOAD, "loaded"),
        "job_release": _action_result(rows, StepKind.RELEASE, "released"),
    }


def _action_result(rows: list[JobCollection], kind: StepKind, done: str) -> str:
    steps = [_steps(row).get(kind) for row in rows]
    if any(step is not None and step.is_open for step in steps):
        return "in progress"
    return done if all(step is not None and step.is_done for step in steps) else ""


def check_result(row: Any) -> bool | None:
    """Return True only if the numbers beside it are equal: a check can also pass because rejected, skipped or
    replaced rows explain the difference. ``row`` has the counters of its slices."""
    if not row.verified or row.rows_target is None:
        return row.verified
    is_counted = row.rows_source is not None and row.rows_source_exact and row.limit_rows is None
    added = row.rows_target - (row.count_before or 0)
    return True if added == (row.rows_source if is_counted else row.rows_read) else None


def check_text(row: JobCollection, job: Job) -> str:
    """Return the result of the count check of one collection."""
    if row.verified is not None and row.rows_target is not None:
        if row.count_before:
            return f"{row.rows_target - row.count_before:,} added to {row.count_before:,}"
        if row.rows_source is None or not row.rows_source_exact:
            return f"{row.rows_target:,} arrived"
        sign = "=" if row.rows_target == row.rows_source else "of"
        return f"{row.rows_target:,} {sign} {row.rows_source:,}"
    if row.target_state == TargetState.DROPPED:
        return "dropped"
    return "after the rows are moved" if job.is_live else "not compared"
