"""Views of the wizard: the Migrations page, Connect, Select, Migrate. Configure Schema has its own views."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console import endpoint_kinds
from console.draft import contents
from console.draft.plan import plan_of
from console.draft.step_views import draft_of, step_page, step_view
from console.draft.steps import Step
from console.http import ConsoleRequest
from console.jobs.worker_notice import no_worker_notice
from console.permissions import administrator_required, is_administrator
from console.wizard import connect, indexes, migrate, select, ticks
from migrations_app import plan_file, services
from migrations_app.engine.errors import FerryError, PlanRefused
from migrations_app.models import Draft

# ---------------------------------------------------------------- Migrations


@require_safe
def migrations(request: ConsoleRequest) -> HttpResponse:
    drafts: list[Draft] = []
    if is_administrator(request.user):
        drafts = list(
            Draft.objects.filter(job=None).select_related("source_connection", "target_connection", "owner")
        )
    context = {
        "sources": endpoint_kinds.source_kinds(),
        "drafts": [_draft_row(draft) for draft in drafts],
        "no_worker": no_worker_notice(),
    }
    return render(request, "wizard/migrations.html", context)


def _draft_row(draft: Draft) -> dict[str, Any]:
    step = contents.step(draft)
    return {
        "id": draft.pk,
        "url": reverse("wizard_opened" if contents.OPENED in draft.state else step.url_name, args=[draft.pk]),
        "source_title": endpoint_kinds.title(draft.kind, is_target=False),
        "name": contents.name(draft),
        "step_title": step.title,
        "detail": contents.detail(draft),
        "saved_at": draft.updated_at,
        "created_by": draft.owner.get_username() if draft.owner else "",
    }


@require_POST
@administrator_required
def wizard_discard(request: ConsoleRequest, pk: uuid.UUID) -> HttpResponse:
    services.draft_discard(draft=draft_of(pk))
    messages.success(request, "The draft was discarded.")
    return redirect("migrations")


# ---------------------------------------------------------------- Connect


@require_http_methods(["GET", "POST"])
@administrator_required
def wizard_new(request: ConsoleRequest, kind: str) -> HttpResponse:
    return _connect(request, kind, None)


@step_view(Step.CONNECT)
def wizard_connect(request: ConsoleRequest, draft: Draft) -> HttpResponse:
    return _connect(request, draft.kind, draft)


def _connect(request: ConsoleRequest, kind: str, draft: Draft | None) -> HttpResponse:
    entry = endpoint_kinds.find(kind, is_target=False)
    if entry is None or not entry.available:
        raise Http404(entry.reason if entry else "There is no source of this kind.")
    page = connect.open_page(kind, entry.title, draft, request.POST if request.method == "POST" else None)
    if request.POST.get("action") == "test":
        connect.test(page)
    elif request.method == "POST":
        connection = connect.connection(page, request.user)
        if connection is not None:
            draft = connect.save_draft(draft, kind, connection, request.user)
            for notice in page.notices():
                messages.info(request, notice)
            return redirect("wizard_select", draft.pk)
    return step_page(
        request, Step.CONNECT, draft, {"source": entry} | page.context(), is_refused=page.is_refused
    )


# ---------------------------------------------------------------- Select


@step_view(Step.SELECT)
def wizard_select(request: ConsoleRequest, draft: Draft) -> HttpResponse:
    page = select.open_page(draft, request.POST if request.method == "POST" else None)
    action = request.POST.get("action")
    if action == "connection":
        ticks.keep(draft, request.POST)
        back = f"{request.path}?connection="
        return redirect(f"{reverse('connection_new', args=['milvus'])}?{urlencode({'next': back})}")
    if action == "target":
        select.choose_target(page, request.POST)
    elif "connection" in request.GET and request.method == "GET":  # a target that was just added
        select.choose_target(page, {"target": request.GET["connection"]})
    elif action == "values":
        control = select.ask_values(page, request.POST.get("control", ""))
        if control is not None:
            return HttpResponse(str(control))
    elif request.method == "POST" and select.save(page, request.POST):
        if rest := len(contents.rest(page.draft)):
            messages.info(request, select.rest_text(page, rest))
        return redirect("wizard_select" if action == "save" else "wizard_schema", draft.pk)
    if request.htmx and action == "target":
        return render(request, "wizard/select.html#target", page.context())
    return step_page(request, Step.SELECT, page.draft, page.context(), is_refused=page.is_refused)


# ---------------------------------------------------------------- Migrate


@step_view(Step.MIGRATE)
def wizard_migrate(request: ConsoleRequest, draft: Draft) -> HttpResponse:
    is_sent = request.method == "POST"
    form = migrate.form_of(draft, migrate.sent(request.POST) if is_sent else None)
    action, error, is_refused = request.POST.get("action"), None, bool(form.errors)
    lines = indexes.lines_of(draft, request.POST if is_sent else None)
    are_valid = all(line.form.is_valid() for line in lines)
    if is_sent and not are_valid:
        is_refused = not request.htmx or action != "indexes"  # htmx swaps the card with its errors
    elif form.is_valid():
        draft = migrate.save_indexes(migrate.save_options(draft, form), lines)
        if fix := request.POST.get("fix"):
            return _fix(request, draft, fix)
        if action in migrate.SAVING:
            return redirect("wizard_migrate", draft.pk)
        if action != "check":
            try:
                return _start(request, draft)
            except PlanRefused:
                is_refused = True  # the page shows the faults
            except FerryError as refused:
                error, is_refused = refused, True
    shown = lines if is_sent and not are_valid else None
    context = migrate.context(draft, form, again=action == "check", lines=shown)
    context |= {"error": error, "no_worker": no_worker_notice()}
    return step_page(request, Step.MIGRATE, draft, context, is_refused=is_refused)


def _fix(request: ConsoleRequest, draft: Draft, fix: str) -> HttpResponse:
    try:
        migrate.apply_fix(draft, fix)
    except FerryError as error:
        messages.error(request, f"{error.message} {error.hint}")
    return redirect("wizard_migrate", draft.pk)


def _start(request: ConsoleRequest, draft: Draft) -> HttpResponse:
    """Create the job; ask first if it drops collections and the user did not confirm it."""
    confirmed = request.POST.getlist("replace") if request.POST.get("action") == "replace" else []
    if migrate.unconfirmed(draft, confirmed):
        return redirect("wizard_replace", draft.pk)
    job = migrate.start(draft, request.user)
    if following := ticks.next_draft(draft, request.user):
        place = reverse("wizard_select", args=[following.pk])
        text = 'The other collections of your choice are in the next draft: <a href="{}">{}</a>.'
        messages.info(request, format_html(text, place, contents.detail(following)))
    return redirect("job", job.public_id)


@step_view(Step.MIGRATE)
def wizard_replace(request: ConsoleRequest, draft: Draft) -> HttpResponse:
    """Ask before collections are dropped, if the browser could not show the dialog."""
    form = migrate.form_of(draft)
    context = migrate.context(draft, form)
    return step_page(request, Step.MIGRATE, draft, context, template="wizard/replace.html")


@step_view(Step.SCHEMA)
def wizard_plan(request: ConsoleRequest, draft: Draft) -> HttpResponse:
    text = plan_file.dump_yaml(plan_of(draft).dump())
    headers = {"Content-Disposition": 'attachment; filename="plan.yaml"'}
    return HttpResponse(text, content_type="application/yaml; charset=utf-8", headers=headers)


urlpatterns = [
    path("", migrations, name="migrations"),
    path("migrations/new/<slug:kind>/", wizard_new, name="wizard_new"),
    path("migrations/<uuid:pk>/connect/", wizard_connect, name="wizard_connect"),
    path("migrations/<uuid:pk>/select/", wizard_select, name="wizard_select"),
    path("migrations/<uuid:pk>/migrate/", wizard_migrate, name="wizard_migrate"),
    path("migrations/<uuid:pk>/replace/", wizard_replace, name="wizard_replace"),
    path("migrations/<uuid:pk>/plan/", wizard_plan, name="wizard_plan"),
    path("migrations/<uuid:pk>/discard/", wizard_discard, name="wizard_discard"),
]
