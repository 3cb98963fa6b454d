"""A job in words: status, tone, stage, progress."""

from __future__ import annotations

from console.format import about
from migrations_app.engine.sources.registry import SOURCES
from migrations_app.models import ActionState, Job, JobCollection, TargetState
from migrations_app.models.status import Stage, Status
from migrations_app.reporting.report import JobRate, Totals

IN_DOUBT = "A few more may be there: the target had not answered for them when the job stopped."

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
    label = str(Status(job.status).label)
    if job.status == Status.SUCCESSFUL and done.rows_rejected:
        return f"{label} · {done.rows_rejected:,} rejected"
    return label


def tone(job: Job, done: Totals) -> str:
    if job.status == Status.SUCCESSFUL and done.rows_rejected:
        return "warn"
    return TONES[Status(job.status)]


def progress_text(job: Job, done: Totals, pace: JobRate) -> str:
    """The line under a job's bar in the list."""
    if job.status == Status.PENDING:
        return "waiting for a worker"
    if job.status == Status.FAILED:
        return f"{job.error_message} · {_rows(done.rows_written)} written"
    if job.status == Status.CANCELED:
        is_dropped = any(row.target_state == TargetState.DROPPED for row in job.collections.all())
        dropped = ", then dropped" if is_dropped else ""
        return f"{_rows(done.rows_written)} written{dropped}" if done.rows_written else "nothing was written"
    if job.status == Status.SUCCESSFUL:
        return f"{_rows(done.rows_written)} · {check_words(job)}"
    total = f" of {done.rows_total:,}" if done.rows_total is not None else ""
    parts = [f"{done.rows_done:,}{total} rows"]
    if pace.seconds_left is not None:
        parts.append(f"{about(pace.seconds_left)} left")
    elif job.stage and job.stage != Stage.MOVING:
        parts.append(str(Stage(job.stage).label))
    return " · ".join(parts)


def check_words(job: Job) -> str:
    """What the count check of all its collections came to."""
    results = [row.verified for row in job.collections.all()]
    if results and all(results):
        return "counts agree"
    return "counts differ" if False in results else "counts not compared"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def stages(job: Job) -> list[Stage]:
    """The stages this job goes through."""
    options = job.options
    asked = {
        Stage.VERIFYING: options.verify != "none",
        Stage.INDEXING: bool(options.create_index),
        Stage.LOADING: options.load,
    }
    return [Stage.PREPARING, Stage.MOVING, *(stage for stage, is_asked in asked.items() if is_asked)]


def stage_text(job: Job) -> str:
    """Where a running job stands, and where one stopped."""
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
    """What a canceled job left behind, as a sentence."""
    if job.status != Status.CANCELED:
        return ""
    with_rows = [
        f"{_rows(int(str(row['rows_written'])))} in {row['name']}"
        + (" (of equal keys one stays)" if row["has_equal_keys"] else "")
        for row in written
        if row["rows_written"]
    ]
    is_in_doubt = any(row["is_in_doubt"] for row in written)
    if not with_rows:
        if is_in_doubt:
            return "It was canceled while its first rows were under way: some of them may have been written."
        return "It was canceled before a row was written."
    if job.drop_requested:
        return f"It had written {', '.join(with_rows)}; the collections it created were dropped."
    kept = f"It had written {', '.join(with_rows)}; they were kept."
    return f"{kept} {IN_DOUBT}" if is_in_doubt else kept


def index_text(row: JobCollection) -> str:
    texts = {
        ActionState.ASKED: "to be made",
        ActionState.RUNNING: f"being made, {row.index_percent} %",
        ActionState.DONE: "made",
        ActionState.FAILED: f"failed: {row.index_error}",
    }
    return texts.get(ActionState(row.index_action_state), "")


def load_text(row: JobCollection) -> str:
    is_release = row.load_action == "release"
    done = "released" if is_release else "loaded"
    texts = {
        ActionState.ASKED: f"to be {done}",
        ActionState.RUNNING: "being released" if is_release else f"being loaded, {row.load_percent} %",
        ActionState.DONE: done,
        ActionState.FAILED: f"failed: {row.load_error}",
    }
    return texts.get(ActionState(row.load_action_state), "")


def action_results(rows: list[JobCollection]) -> dict[str, str]:
    """What became of each action on a finished job, by the name of its page: "" while it can be asked for."""
    loads = [row.load_action_state if row.load_action == "load" else ActionState.NONE for row in rows]
    releases = [row.load_action_state if row.load_action == "release" else ActionState.NONE for row in rows]
    return {
        "job_index": _came_to([row.index_action_state for row in rows], "made"),
        "job_load": _came_to(loads, "loaded"),
        "job_release": _came_to(releases, "released"),
    }


def _came_to(each: list[str], done: str) -> str:
    if any(wish in (ActionState.ASKED, ActionState.RUNNING) for wish in each):
        return "under way"
    return done if all(wish == ActionState.DONE for wish in each) else ""


def check_text(row: JobCollection, job: Job) -> str:
    """The count check of one collection."""
    if row.verified is not None and row.rows_target is not None:
        if row.count_before:
            return f"{row.rows_target - row.count_before:,} added to {row.count_before:,}"
        sign = "=" if row.rows_target == row.rows_source else "of"
        return f"{row.rows_target:,} {sign} {row.rows_source:,}" if row.rows_source is not None else "counted"
    if row.target_state == TargetState.DROPPED:
        return "dropped"
    return "after the last row" if job.is_live else "not compared"
