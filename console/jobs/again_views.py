"""Views that continue a job, or make a new one from it: resume, run again, the end of a trial."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST

from console.http import ConsoleRequest
from console.jobs import again, resume
from console.permissions import administrator_required
from migrations_app import services
from migrations_app.engine.errors import FerryError
from migrations_app.models import Job


def _job(public_id: str) -> Job:
    jobs = Job.objects.select_related("created_by", "source_connection", "target_connection")
    return get_object_or_404(jobs, public_id=public_id)


@require_http_methods(["GET", "HEAD", "POST"])
@administrator_required
def job_resume(request: ConsoleRequest, public_id: str) -> HttpResponse:
    job = _job(public_id)
    form = resume.form_of(job, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            services.job_resume(job=job, user=request.user, changes=form.changes())
        except FerryError as error:
            job.refresh_from_db()
            if job.is_live:  # it was resumed by another click
                return redirect("job", public_id)
            form.refuse(error)
        else:
            messages.success(request, "The job continues where it stopped.")
            return redirect("job", public_id)
    context = resume.context(job, form)
    fragment = "#dialog" if request.htmx and request.method != "POST" else ""
    return render(request, f"jobs/resume.html{fragment}", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@administrator_required
def job_again(request: ConsoleRequest, public_id: str) -> HttpResponse:
    return _again(request, _job(public_id), all_rows=False)


@require_http_methods(["GET", "HEAD", "POST"])
@administrator_required
def job_everything(request: ConsoleRequest, public_id: str) -> HttpResponse:
    job = _job(public_id)
    if not job.is_trial:
        messages.info(request, "This job is not a trial: it moved everything.")
        return redirect("job", public_id)
    return _again(request, job, all_rows=True)


def _again(request: ConsoleRequest, job: Job, *, all_rows: bool) -> HttpResponse:
    is_sent = request.method == "POST"
    page = again.open_page(job, all_rows=all_rows, data=request.POST if is_sent else None)
    if is_sent and page.is_ready:
        try:
            created = services.job_again(
                job=job, user=request.user, if_exists=page.if_exists, once=page.once, all_rows=all_rows
            )
        except FerryError as error:
            page = again.with_error(page, error)
        else:
            if all_rows and request.POST.get("trial_drop"):
                _drop_trial(request, job)
            return redirect("job", created.public_id)
    return render(request, "jobs/again.html", page.context(), status=422 if is_sent else 200)


@require_POST
@administrator_required
def job_trial_drop(request: ConsoleRequest, public_id: str) -> HttpResponse:
    _drop_trial(request, _job(public_id))
    return redirect("job", public_id)


def _drop_trial(request: ConsoleRequest, job: Job) -> None:
    try:
        services.trial_drop(job=job, user=request.user)
    except FerryError as error:
        messages.warning(request, f"{error.message} {error.hint}".strip())
    else:
        messages.success(request, "The trial was dropped.")


urlpatterns = [
    path("jobs/<str:public_id>/resume/", job_resume, name="job_resume"),
    path("jobs/<str:public_id>/again/", job_again, name="job_again"),
    path("jobs/<str:public_id>/everything/", job_everything, name="job_everything"),
    path("jobs/<str:public_id>/trial/drop/", job_trial_drop, name="job_trial_drop"),
]
