"""Jobs page: the filters, the search and the rows of the list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet

from console.jobs.wording import kind_title, progress_text, status_label, tone
from migrations_app.engine.sources.registry import SOURCES
from migrations_app.models import Job
from migrations_app.models.status import RUNNING, Status
from migrations_app.reporting.report import Totals, job_rate, totals

PAGE_ROWS = 20
NAMES_SHOWN = 3

FILTERS: dict[str, tuple[str, frozenset[Status]]] = {
    "all": ("All", frozenset(Status)),
    "running": ("Running", RUNNING | {Status.PENDING}),
    "failed": ("Failed", frozenset({Status.FAILED})),
    "done": ("Done", frozenset({Status.SUCCESSFUL, Status.CANCELED})),
}


@dataclass(frozen=True, slots=True)
class JobRow:
    """One row of the list."""

    public_id: str
    type_title: str
    description: str
    collections: str
    status_label: str
    tone: str
    progress_value: int | None
    progress_max: int | None
    progress_text: str
    started_at: datetime | None
    ended_at: datetime | None
    created_by: str
    can_cancel: bool


def context(show: str, source: str, search: str, page_number: str) -> dict[str, Any]:
    """Return the context of ``jobs/list.html``. Filters with an unknown value are ignored."""
    show = show if show in FILTERS else "all"
    source = source if source in SOURCES else ""
    matching = _matching_jobs(source, search)
    page = Paginator(matching.filter(status__in=FILTERS[show][1]), PAGE_ROWS).get_page(page_number)
    jobs = list(page.object_list)
    page.object_list = rows(jobs)
    return {
        "filters": [
            {
                "key": key,
                "label": label,
                "count": matching.filter(status__in=states).count(),
                "current": key == show,
            }
            for key, (label, states) in FILTERS.items()
        ],
        "source_kinds": [
            {"kind": entry.kind, "title": entry.title, "current": entry.kind == source}
            for entry in SOURCES.values()
        ],
        "q": search,
        "page": page,
        "live": any(job.is_live for job in jobs),
    }


def _matching_jobs(source: str, search: str) -> QuerySet[Job]:
    jobs = Job.objects.select_related("created_by").prefetch_related("collections")
    if source:
        jobs = jobs.filter(kind=source)
    if search := search.replace("\x00", "").strip():
        named = Q(description__icontains=search) | Q(public_id__icontains=search)
        collections = Q(collections__source__icontains=search) | Q(collections__target__icontains=search)
        jobs = jobs.filter(named | collections).distinct()
    return jobs


def rows(jobs: list[Job]) -> list[JobRow]:
    """Return a row for each job. The numbers of all jobs are queried together."""
    numbers = totals(jobs)
    return [_row(job, numbers[job.pk]) for job in jobs]


def _names(job: Job) -> str:
    """Return the source names of the first few collections."""
    names = [row.source for row in job.collections.all()]
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


def _row(job: Job, done: Totals) -> JobRow:
    is_total_known = done.rows_total is not None
    is_whole = is_total_known or job.status == Status.SUCCESSFUL
    return JobRow(
        public_id=job.public_id,
        type_title=kind_title(job.kind),
        description=job.description or f"{job.source_name} → {job.target_name}",
        collections=_names(job),
        status_label=status_label(job, done),
        tone=tone(job, done),
        progress_value=done.rows_done if is_whole else 0 if job.is_ended else None,
        progress_max=max(done.rows_total or 0, done.rows_done, 1) if is_total_known or job.is_ended else None,
        progress_text=progress_text(job, done, job_rate(job, done)),
        started_at=job.started_at,
        ended_at=job.ended_at,
        created_by=job.created_by.get_username() if job.created_by else "command line",
        can_cancel=job.can_cancel,
    )
