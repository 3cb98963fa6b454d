"""Page of one job: the context of ``jobs/job.html``."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from console.jobs import wording
from console.permissions import is_administrator
from migrations_app.models import Job, LogEntry, TargetState
from migrations_app.models.job import PAUSED
from migrations_app.models.status import Status
from migrations_app.reporting.report import (
    JobRate,
    Totals,
    job_rate,
    job_totals,
    mismatch_text,
    rate_curve,
    written_by,
)
from migrations_app.services.resume import RESUMABLE

LOG_LINES = 500
LEVELS: dict[str, tuple[str, ...]] = {
    "": ("info", "warning", "error"),
    "warn": ("warning", "error"),
    "error": ("error",),
}


def live_context(job: Job, user: User) -> dict[str, Any]:
    """Return the context of the fragment ``#live``, which is reloaded while the job runs."""
    done = job_totals(job)
    rate = job_rate(job, done)
    rows = job.collections.with_counters().prefetch_related("steps").order_by("position")
    collections = [_collection(row, job) for row in rows]
    return {
        "job": _head(job, done, user),
        "error": _error(job, user),
        "progress": _progress(job, done, rate),
        "samples": rate_curve(job),
        "collections": collections,
        "collections_created": sum(row["is_created"] for row in collections),
        "collections_asked": len(collections),
        "next_steps": _next_steps(job, user),
        "live_seconds": 2,
    }


def _head(job: Job, done: Totals, user: User) -> dict[str, Any]:
    may_edit = is_administrator(user)
    return {
        "public_id": job.public_id,
        "source_title": wording.kind_title(job.kind),
        "source_name": job.source_name,
        "source_url": _connection_url(job.source_connection_id) if may_edit else "",
        "target_title": job.target_kind.title(),
        "target_name": job.target_name,
        "target_url": _connection_url(job.target_connection_id) if may_edit else "",
        "database": job.database,
        "status_label": wording.status_label(job, done),
        "tone": wording.tone(job, done),
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "created_by": job.created_by.get_username() if job.created_by else "command line",
        "elapsed_seconds": _elapsed_seconds(job),
        "resumed_at": job.resumed_at,
        "stage_text": wording.stage_text(job),
        "is_live": job.is_live or _is_finishing(job),
        "can_cancel": job.can_cancel,
        "can_resume": job.status in RESUMABLE and may_edit,
        "can_run_again": job.is_ended and may_edit,
        "is_trial": job.is_trial,
        "can_move_everything": job.is_trial and job.is_ended and may_edit,
        "trial_text": wording.trial_text(job, [row.target for row in job.collections.all()]),
        "trial_collections": _trial_collections(job) if may_edit else [],
        "written_text": wording.written_text(job, written_by(job)),
        "note": _note(job),
    }


def _elapsed_seconds(job: Job) -> float | None:
    """Return the time from the start to the end, or until now, without the time before it was resumed."""
    if job.started_at is None:
        return None
    paused = float(job.seconds.get(PAUSED, 0))
    return ((job.ended_at or timezone.now()) - job.started_at).total_seconds() - paused


def _trial_collections(job: Job) -> list[str]:
    """Return the names of the collections that an ended trial created, and that are not dropped."""
    if not (job.is_trial and job.is_ended):
        return []
    return list(job.collections.filter(target_state=TargetState.CREATED).values_list("target", flat=True))


def _is_finishing(job: Job) -> bool:
    """True if an action on the finished job is requested or running."""
    return job.can_use_target and job.steps.open_actions().exists()


def _connection_url(key: int | None) -> str:
    return reverse("connection_edit", args=[key]) if key else ""


def _note(job: Job) -> str:
    """Return why the counts of a successful job could not be compared, or why they differ, and how many
    values went into the dynamic field because they did not fit their own."""
    if job.status != Status.SUCCESSFUL:
        return ""
    rows = list(job.collections.with_counters().order_by("position"))
    unverified = (row for row in rows if row.verified is not True)
    checks = (f"{row.target}: {check}" for row in unverified for check in _sentences(row.checks))
    return " ".join((*checks, *filter(None, map(mismatch_text, rows))))


def _sentences(checks: list[Any]) -> list[str]:
    return [str(check["message"] if isinstance(check, dict) else check) for check in checks]


def _error(job: Job, user: User) -> dict[str, str] | None:
    if not job.error:
        return None
    traces = job.log.filter(level=LogEntry.Level.ERROR).exclude(details="").order_by("-id")
    technical = traces.values_list("details", flat=True).first() or ""
    return {**job.error, "technical": technical if is_administrator(user) else ""}


def _progress(job: Job, done: Totals, rate: JobRate) -> dict[str, Any]:
    total = max(done.rows_total, done.rows_done) if done.rows_total is not None else None
    return {
        "value": done.rows_done if total is not None or job.is_ended else None,
        "max": max(total, 1) if total is not None else max(done.rows_done, 1) if job.is_ended else None,
        "rows_done": done.rows_done,
        "rows_written": done.rows_written,
        "rows_skipped": done.rows_skipped,
        "rows_total": done.rows_total,
        "seconds_left": rate.seconds_left,
        "ends_at": rate.ends_at,
        "rate_now": rate.rate_now,
        "rate_average": rate.rate_average,
        "bytes_written": done.bytes_written,
        "rows_rejected": done.rows_rejected,
        "in_flight": done.rows_in_flight,
        "errors": done.attempts,
    }


def _collection(row: Any, job: Job) -> dict[str, Any]:
    waiting = row.slices_total - row.slices_done - row.slices_running
    stopped = waiting if job.is_ended else 0
    rejected = reverse("job_rejected", args=[job.public_id])
    return {
        "source_name": row.source,
        "target_name": row.target,
        "is_created": row.is_created,
        "stage_title": wording.collection_stage(row, job),
        # The counter is from the checkpoint, which does not include the rows in flight.
        "rows_read": row.rows_read + row.rows_in_flight,
        "in_flight": row.rows_in_flight,
        "rows_written": row.rows_written,
        "rows_rejected": row.rows_rejected,
        "rows_skipped": row.rows_skipped,
        "rows_collapsed": row.rows_collapsed,
        "values_cut": row.values_cut,
        "values_mismatched": row.values_mismatched,
        "rejected_url": f"{rejected}?{urlencode({'collection': row.target})}",
        "slices": {
            "done": row.slices_done,
            "running": row.slices_running,
            "stopped": stopped,
            "waiting": waiting - stopped,
        },
        "slices_text": "" if row.slices_total else "not planned yet",
        "check_text": wording.check_text(row, job),
        "check_ok": wording.check_result(row),
        "index_text": wording.index_text(row),
        "load_text": wording.load_text(row),
    }


NEXT_STEPS = (
    ("job_index", "Create index", "A search needs an index on each vector field."),
    (
        "job_load",
        "Load",
        "A collection must be loaded before it can be searched. This uses memory of the target.",
    ),
    ("job_release", "Release", "Frees the memory of the target. No data is deleted."),
)


def _next_steps(job: Job, user: User) -> list[dict[str, str]]:
    """Return the actions on a finished job for administrators. A finished action is shown without a
    button."""
    if not (job.can_use_target and is_administrator(user)):
        return []
    if not job.collections.exclude(target_state=TargetState.DROPPED).exists():
        return []  # the collections of a trial were dropped
    results = wording.action_results(list(job.collections.prefetch_related("steps")))
    return [
        {
            "title": title,
            "text": text,
            "url": "" if results[name] else reverse(name, args=[job.public_id]),
            "tone": {"in progress": "run"}.get(results[name], "ok"),
            "label": results[name] or title,
            "collection": "",
        }
        for name, title, text in NEXT_STEPS
    ]


def log_context(job: Job, user: User, level: str, search: str) -> dict[str, Any]:
    """Return the newest lines of the run log. Only administrators see their technical details."""
    level = level if level in LEVELS else ""
    entries = log_entries(job, level, search)
    total = entries.count()
    with_details = is_administrator(user)
    lines = [
        {
            "at": entry.at,
            "level": entry.get_level_display(),
            "text": entry.message,
            "detail": entry.details if with_details else "",
        }
        for entry in reversed(entries.order_by("-id")[:LOG_LINES])
    ]
    log = {"lines": lines, "level": level, "q": search, "total": total, "truncated": total > LOG_LINES}
    return {"log": log}


def log_entries(job: Job, level: str, search: str) -> Any:
    entries = job.log.filter(level__in=LEVELS.get(level, LEVELS[""]))
    search = search.replace("\x00", "").strip()
    return entries.filter(message__icontains=search) if search else entries
