"""Views that make a draft from a plan: *Edit as new* on the page of a job, *Open a plan file* on Migrations,
and the choice of its connections.
"""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST

from console.draft import contents
from console.draft.step_views import draft_of
from console.http import ConsoleRequest
from console.open_plan import edited_job, file, opened_draft
from console.permissions import administrator_required
from migrations_app.engine.errors import FerryError
from migrations_app.models import Draft, Job


@require_POST
@administrator_required
def job_edit(request: ConsoleRequest, public_id: str) -> HttpResponse:
    jobs = Job.objects.select_related("source_connection", "target_connection")
    job = get_object_or_404(jobs, public_id=public_id)
    if not job.is_ended:
        messages.warning(request, "Only a job that has ended can be edited as a new migration.")
        return redirect("job", public_id)
    ends = {"source": job.source_connection, "target": job.target_connection}
    draft = opened_draft.create(
        edited_job.plan_of(job), job.kind, request.user, ends, edited_job.place_of(job)
    )
    return open_draft(request, draft)


def open_draft(request: ConsoleRequest, draft: Draft) -> HttpResponse:
    """Continue with a draft that holds a plan: on Configure Schema, or where its connections are chosen."""
    if draft.source_connection is None or draft.target_connection is None:
        return redirect("wizard_opened", draft.pk)
    try:
        url, notes = opened_draft.fill(draft, draft.source_connection, draft.target_connection)
    except FerryError as error:
        messages.error(request, f"{error.message} {error.hint}".strip())
        return redirect("wizard_opened", draft.pk)
    for note in notes:
        messages.warning(request, note)
    return redirect(url)


@require_http_methods(["GET", "HEAD", "POST"])
@administrator_required
def wizard_open(request: ConsoleRequest) -> HttpResponse:
    """Open a plan file: make a draft of it, or list its faults with their lines."""
    if request.method != "POST":
        return render(request, "open_plan/open.html", {"faults": [], "name": ""})
    sent = request.FILES.get("plan")
    text, faults = file.read(sent)
    if text is not None and not faults:
        plan, faults = file.plan_of(text)
        if plan is not None and not faults:
            ends = file.connections(plan)
            draft = opened_draft.create(plan.stored(), file.kind_of(plan, ends), request.user, ends)
            return open_draft(request, draft)
    context = {"faults": faults, "name": sent.name if sent else ""}
    return render(request, "open_plan/open.html", context, status=422)


@require_http_methods(["GET", "HEAD", "POST"])
@administrator_required
def wizard_opened(request: ConsoleRequest, pk: uuid.UUID) -> HttpResponse:
    """Choose the connections of a plan that was opened."""
    draft = draft_of(pk)
    if draft.job is not None or contents.OPENED not in draft.state:
        return redirect(contents.step(draft).url_name, pk)
    initial = {"source": draft.source_connection, "target": draft.target_connection}
    data = request.POST if request.method == "POST" else None
    form = opened_draft.ConnectionsForm(draft.kind, data, initial)
    error = None
    if form.is_valid():
        try:
            url, notes = opened_draft.fill(draft, form.cleaned_data["source"], form.cleaned_data["target"])
        except FerryError as failed:
            error = failed
        else:
            for note in notes:
                messages.warning(request, note)
            return redirect(url)
    context = opened_draft.context(draft, form, error)
    return render(request, "open_plan/opened.html", context, status=422 if error or form.errors else 200)


urlpatterns = [
    path("jobs/<str:public_id>/edit/", job_edit, name="job_edit"),
    path("migrations/open/", wizard_open, name="wizard_open"),
    path("migrations/<uuid:pk>/connections/", wizard_opened, name="wizard_opened"),
]
