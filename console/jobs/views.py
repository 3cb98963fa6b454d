"""Views of the Jobs page and of the pages of one job."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from console.commands import manage_command
from console.http import ConsoleRequest
from console.jobs import list as jobs_list
from console.jobs import page as job_page
from console.jobs.wording import kind_title
from console.jobs.worker_notice import no_worker_notice
from console.permissions import administrator_required, is_administrator
from migrations_app import plan_file, services
from migrations_app.engine.errors import FerryError
from migrations_app.models import Job, RejectedRow
from migrations_app.models.status import Status
from migrations_app.reporting.report import written_by

PAGE_ROWS = 50


def _job(public_id: str) -> Job:
    jobs = Job.objects.select_related("created_by", "source_connection", "target_connection")
    return get_object_or_404(jobs, public_id=public_id)


@require_safe
def jobs(request: ConsoleRequest) -> HttpResponse:
    query = request.GET
    context = jobs_list.context(
        query.get("show", ""), query.get("source", ""), query.get("q", ""), query.get("page", "")
    )
    fragment = "#table" if request.htmx and not request.htmx.boosted else ""
    return render(request, f"jobs/list.html{fragment}", context | {"no_worker": no_worker_notice()})


@require_safe
def job(request: ConsoleRequest, public_id: str) -> HttpResponse:
    job = _job(public_id)
    level = request.GET.get("level", "error" if job.status == Status.FAILED else "")
    context = job_page.live_context(job, request.user)
    context |= job_page.log_context(job, request.user, level, request.GET.get("q", ""))
    return render(request, "jobs/job.html", context | {"no_worker": no_worker_notice(job)})


@require_safe
def job_live(request: ConsoleRequest, public_id: str) -> HttpResponse:
    job = _job(public_id)
    context = job_page.live_context(job, request.user) | {"no_worker": no_worker_notice(job)}
    status = 200 if context["job"]["is_live"] else 286
    return render(request, "jobs/job.html#live", context, status=status)


@require_safe
def job_log(request: ConsoleRequest, public_id: str) -> HttpResponse:
    job = _job(public_id)
    context = job_page.log_context(job, request.user, request.GET.get("level", ""), request.GET.get("q", ""))
    return render(request, "jobs/job.html#log", context | {"job": job}, status=200 if job.is_live else 286)


@require_safe
def job_log_download(request: ConsoleRequest, public_id: str) -> StreamingHttpResponse:
    job = _job(public_id)
    entries = job_page.log_entries(job, request.GET.get("level", ""), request.GET.get("q", ""))
    lines = (
        f"{entry.at:%Y-%m-%dT%H:%M:%S.%fZ} {entry.get_level_display():5} {entry.message}\n"
        for entry in entries.iterator()
    )
    return _download(lines, f"{public_id}.log", "text/plain; charset=utf-8")


def _download(lines: Iterator[str], name: str, content_type: str) -> StreamingHttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(lines, content_type=content_type, headers=headers)


@require_safe
@administrator_required
def job_plan(request: ConsoleRequest, public_id: str) -> HttpResponse:
    job = _job(public_id)
    context = {
        "job": job,
        "plan_text": plan_file.job_yaml(job),
        "command": manage_command(f"runplan - < {public_id}.yaml"),
    }
    return render(request, "jobs/plan.html", context)


@require_safe
@administrator_required
def job_plan_download(request: ConsoleRequest, public_id: str) -> StreamingHttpResponse:
    text = plan_file.job_yaml(_job(public_id))
    return _download(iter([text]), f"{public_id}.yaml", "application/yaml; charset=utf-8")


@require_safe
def job_rejected(request: ConsoleRequest, public_id: str) -> HttpResponse:
    job = _job(public_id)
    code, target = request.GET.get("code", ""), request.GET.get("collection", "")
    rows = RejectedRow.objects.filter(job=job)
    groups = rows.values("code").annotate(count=Count("pk")).order_by("-count")
    shown = rows.filter(code=code) if code else rows
    if target:
        shown = shown.filter(slice__collection__target=target)
    page = Paginator(shown.select_related("slice__collection"), PAGE_ROWS).get_page(request.GET.get("page"))
    page.object_list = [_rejected(row, with_row=is_administrator(request.user)) for row in page.object_list]
    context = {
        "job": job,
        "total": rows.count(),
        "groups": [{**group, "text": group["code"], "current": group["code"] == code} for group in groups],
        "collections": [
            {"name": row.target, "current": row.target == target} for row in job.collections.all()
        ],
        "page": page,
    }
    return render(request, "jobs/rejected.html", context)


def _rejected(row: RejectedRow, *, with_row: bool) -> dict[str, Any]:
    facts = {name: getattr(row, name) for name in ("locator", "field", "code", "reason", "at")}
    return {"collection": row.slice.collection.target, **facts, "row": row.row if with_row else ""}


@require_safe
@administrator_required
def job_rejected_download(request: ConsoleRequest, public_id: str) -> StreamingHttpResponse:
    rows = _job(public_id).rejected_rows.select_related("slice__collection").iterator()
    lines = (json.dumps(_rejected(row, with_row=True), default=str) + "\n" for row in rows)
    return _download(lines, f"{public_id}-rejected.jsonl", "application/jsonl; charset=utf-8")


@require_http_methods(["GET", "HEAD", "POST"])
@administrator_required
def job_cancel(request: ConsoleRequest, public_id: str) -> HttpResponse:
    job = _job(public_id)
    if request.method == "POST":
        try:
            services.job_cancel(job=job, user=request.user, drop=request.POST.get("written") == "drop")
        except FerryError as error:
            messages.warning(request, f"{error.message} {error.hint}".strip())
        return redirect("job", public_id)
    if not job.can_cancel:  # it ended while its page was open
        job_url = reverse("job", args=[public_id])
        return HttpResponseClientRedirect(job_url) if request.htmx else redirect(job_url)
    fragment = "#dialog" if request.htmx else ""
    context = {
        "job": {
            "public_id": public_id,
            "source_title": kind_title(job.kind),
            "source_name": job.source_name,
            "target_name": job.target_name,
        },
        "collections": [row for row in written_by(job) if row["is_created"]],
    }
    return render(request, f"jobs/cancel.html{fragment}", context)


def _action(service: Callable[..., Any], sentence: str) -> Callable[..., HttpResponse]:
    """Return a view that requests an action on the collections of a finished job."""

    @require_POST
    @administrator_required
    def requested(request: ConsoleRequest, public_id: str) -> HttpResponse:
        try:
            service(job=_job(public_id), user=request.user)
            messages.success(request, sentence)
        except FerryError as error:
            messages.warning(request, f"{error.message} {error.hint}".strip())
        return redirect("job", public_id)

    return requested


urlpatterns = [
    path("jobs/", jobs, name="jobs"),
    path("jobs/<str:public_id>/", job, name="job"),
    path("jobs/<str:public_id>/live/", job_live, name="job_live"),
    path("jobs/<str:public_id>/log/", job_log, name="job_log"),
    path("jobs/<str:public_id>/log/download/", job_log_download, name="job_log_download"),
    path("jobs/<str:public_id>/plan/", job_plan, name="job_plan"),
    path("jobs/<str:public_id>/plan/download/", job_plan_download, name="job_plan_download"),
    path("jobs/<str:public_id>/rejected/", job_rejected, name="job_rejected"),
    path("jobs/<str:public_id>/rejected/download/", job_rejected_download, name="job_rejected_download"),
    path("jobs/<str:public_id>/cancel/", job_cancel, name="job_cancel"),
    path(
        "jobs/<str:public_id>/index/",
        _action(services.job_index, "The indexes are being created."),
        name="job_index",
    ),
    path(
        "jobs/<str:public_id>/load/",
        _action(services.job_load, "The collections are being loaded."),
        name="job_load",
    ),
    path(
        "jobs/<str:public_id>/release/",
        _action(services.job_release, "The collections are being released."),
        name="job_release",
    ),
]
