"""The wizard: Connect, Select, Configure Schema, Migrate; and the page it starts from."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console import connect_page, drafts, kinds, migrate_page, problems, schema_page, select_page, sheets
from console.forms.reading import read
from console.http import ConsoleRequest, administrator_required, is_administrator, is_own_page
from console.sheet import anchor
from console.wizard import Step, marks
from console.worker_notice import no_worker_notice
from migrations_app import plans, services
from migrations_app.engine.errors import FerryError, PlanRefused
from migrations_app.models import Draft

StepView = Callable[..., HttpResponse]


def _draft(pk: uuid.UUID) -> Draft:
    """Whoever may make plans may go on with anybody's."""
    found = Draft.objects.select_related("source_connection", "target_connection", "owner", "job")
    return get_object_or_404(found, pk=pk)


def step_view(step: Step) -> Callable[[StepView], StepView]:
    """A page of a step: for administrators, of a draft that has come so far and is no job yet."""

    def decorate(view: StepView) -> StepView:
        @require_http_methods(["GET", "POST"])
        @administrator_required
        @wraps(view)
        def entered(request: ConsoleRequest, pk: uuid.UUID, **places: int) -> HttpResponse:
            draft = _draft(pk)
            if draft.job is not None:
                return redirect("job", draft.job.public_id)
            if not drafts.progress(draft).may_enter(step):
                furthest = drafts.step(draft)
                messages.info(request, f"First comes “{furthest.title}”.")
                return redirect(furthest.url_name, pk)
            try:
                return view(request, draft, **places)
            except FerryError as error:  # what no field of the page could show: the draft is gone, say
                return _gone(request, pk, error)

        return entered

    return decorate


def _gone(request: ConsoleRequest, pk: uuid.UUID, error: FerryError) -> HttpResponse:
    """Where to go from a draft that cannot be gone on with: to the job that another click made of it."""
    draft = Draft.objects.filter(pk=pk).select_related("job").first()
    if draft is not None and draft.job is not None:
        return redirect("job", draft.job.public_id)
    messages.error(request, f"{error.message} {error.hint}")
    return redirect("migrations")


def _page(
    request: ConsoleRequest,
    step: Step,
    draft: Draft | None,
    context: dict[str, Any],
    *,
    is_refused: bool = False,
) -> HttpResponse:
    """The page of a step, in the frame that all of them have."""
    progress = drafts.progress(draft)
    frame = {
        "steps": [
            {
                "number": mark.number,
                "title": mark.title,
                "state": mark.state,
                "url": reverse(mark.step.url_name, args=[draft.pk]) if draft and mark.may_enter else None,
            }
            for mark in marks(step, progress)
        ],
        "draft": draft and {"id": draft.pk, "saved_at": draft.updated_at},
        "route": drafts.route(draft),
        "back_url": _back_url(step, draft),
        "error": None,
    }
    template = f"wizard_{step.name.lower()}.html"
    return render(request, template, frame | context, status=422 if is_refused else 200)


def _back_url(step: Step, draft: Draft | None) -> str:
    if step is Step.CONNECT or draft is None:
        return reverse("migrations")
    return reverse(Step(step - 1).url_name, args=[draft.pk])


# ---------------------------------------------------------------- Migrations


@require_safe
def migrations(request: ConsoleRequest) -> HttpResponse:
    found: list[Draft] = []
    if is_administrator(request.user):
        found = list(
            Draft.objects.filter(job=None).select_related("source_connection", "target_connection", "owner")
        )
    context = {
        "sources": kinds.source_kinds(),
        "drafts": [_draft_row(draft) for draft in found],
        "no_worker": no_worker_notice(),
    }
    return render(request, "migrations.html", context)


def _draft_row(draft: Draft) -> dict[str, Any]:
    step = drafts.step(draft)
    return {
        "id": draft.pk,
        "url": reverse(step.url_name, args=[draft.pk]),
        "source_title": kinds.title(draft.kind, is_target=False),
        "name": drafts.name(draft),
        "step_title": step.title,
        "detail": drafts.detail(draft),
        "saved_at": draft.updated_at,
        "created_by": draft.owner.get_username() if draft.owner else "",
    }


@require_POST
@administrator_required
def wizard_discard(request: ConsoleRequest, pk: uuid.UUID) -> HttpResponse:
    services.draft_discard(draft=_draft(pk))
    messages.success(request, "The draft is discarded.")
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
    found = kinds.find(kind, is_target=False)
    if found is None or not found.available:
        raise Http404(found.reason if found else "There is no source of this kind.")
    page = connect_page.opened(kind, found.title, draft, request.POST if request.method == "POST" else None)
    if request.POST.get("action") == "test":
        connect_page.test(page)
    elif request.method == "POST":
        connection = connect_page.connection(page, request.user)
        if connection is not None:
            draft = connect_page.keep(draft, kind, connection, request.user)
            return redirect("wizard_select", draft.pk)
    return _page(request, Step.CONNECT, draft, {"source": found} | page.context(), is_refused=page.is_refused)


# ---------------------------------------------------------------- Select


@step_view(Step.SELECT)
def wizard_select(request: ConsoleRequest, draft: Draft) -> HttpResponse:
    page = select_page.opened(draft, request.POST if request.method == "POST" else None)
    action = request.POST.get("action")
    if action == "target":
        select_page.choose_target(page, request.POST)
    elif request.method == "POST" and select_page.save(page, request.POST):
        return redirect("wizard_select" if action == "save" else "wizard_schema", draft.pk)
    if request.htmx and action == "target":
        return render(request, "wizard_select.html#target", page.context())
    return _page(request, Step.SELECT, page.draft, page.context(), is_refused=page.is_refused)


# ---------------------------------------------------------------- Configure Schema


@step_view(Step.SCHEMA)
def wizard_schema(request: ConsoleRequest, draft: Draft, index: int = 0) -> HttpResponse:
    found = sheets.of(draft)
    if index >= len(found):
        raise Http404("This migration has no such collection.")
    if request.method == "POST":
        return _schema_sent(request, draft, index)
    return _page(request, Step.SCHEMA, draft, schema_page.context(draft, index))


def _schema_sent(request: ConsoleRequest, draft: Draft, index: int) -> HttpResponse:
    """Save what was sent, whatever it is, and go where it asks to."""
    sheet, action = sheets.of(draft)[index], request.POST.get("action", "")
    facts = drafts.target_facts(draft)
    if action == "reset":
        return _reset(request, draft, sheet.schema.name, schema_page.url(draft, index))
    fix = request.POST.get("fix", "")
    data = problems.applied(request.POST, fix) if fix else request.POST
    draft = sheets.store(draft, read(sheet, facts.capabilities, data, schema_page.locked(draft)))
    if request.htmx and action == "check":
        context = schema_page.context(draft, index)
        return render(
            request, "wizard_schema.html#live", context | {"back_url": _back_url(Step.SCHEMA, draft)}
        )
    place = _changed_fields(request, draft, index)
    return redirect(
        f"{schema_page.url(draft, index)}#{place}" if place else _schema_next(request, draft, index)
    )


def _changed_fields(request: ConsoleRequest, draft: Draft, index: int) -> str:
    """Add a field, or open or close a column, where a button asks to; the row where that is seen."""
    sheet = sheets.of(draft)[index]
    if request.POST.get("action") == "add":
        return sheets.add_field(draft, sheet)
    for button in ("open", "close"):
        column = sheet.column_at(request.POST.get(button, ""))
        if column is not None:
            try:
                sheets.open_column(draft, sheet.schema.name, column.name, is_open=button == "open")
            except FerryError as error:
                messages.error(request, f"{error.message} {error.hint}")
            return anchor(column.name)
    return ""


def _schema_next(request: ConsoleRequest, draft: Draft, index: int) -> str:
    here = schema_page.url(draft, index)
    wanted = request.POST.get("go", "")
    if is_own_page(request, wanted):
        return wanted
    if request.POST.get("action") == "next":
        return schema_page.next_url(draft)
    fix = request.POST.get("fix", "")
    return f"{here}#{fix.partition('-')[0]}" if fix.startswith("f") and "-" in fix else here


def _reset(request: ConsoleRequest, draft: Draft, name: str, here: str) -> HttpResponse:
    try:
        sheets.reset(draft, name)
        messages.success(request, f"{name} is as proposed again.")
    except FerryError as error:
        messages.error(request, f"{error.message} {error.hint}")
    return redirect(here)


# ---------------------------------------------------------------- Migrate


@step_view(Step.MIGRATE)
def wizard_migrate(request: ConsoleRequest, draft: Draft) -> HttpResponse:
    is_sent = request.method == "POST"
    form = migrate_page.form_of(draft, migrate_page.sent(request.POST) if is_sent else None)
    action, error, is_refused = request.POST.get("action"), None, bool(form.errors)
    if form.is_valid():
        draft = migrate_page.save_options(draft, form)
        if action in migrate_page.SAVING:
            return redirect("wizard_migrate", draft.pk)
        if action != "check":
            try:
                job = migrate_page.start(draft, request.user)
                return redirect("job", job.public_id)
            except PlanRefused:
                is_refused = True  # the page says why, fault by fault
            except FerryError as refused:
                error, is_refused = refused, True
    context = migrate_page.context(draft, form, again=action == "check")
    context |= {"error": error, "no_worker": no_worker_notice()}
    return _page(request, Step.MIGRATE, draft, context, is_refused=is_refused)


@step_view(Step.SCHEMA)
def wizard_plan(request: ConsoleRequest, draft: Draft) -> HttpResponse:
    text = plans.dump_yaml(migrate_page.plan_of(draft).dump())
    headers = {"Content-Disposition": 'attachment; filename="plan.yaml"'}
    return HttpResponse(text, content_type="application/yaml; charset=utf-8", headers=headers)


urlpatterns = [
    path("", migrations, name="migrations"),
    path("migrations/new/<slug:kind>/", wizard_new, name="wizard_new"),
    path("migrations/<uuid:pk>/connect/", wizard_connect, name="wizard_connect"),
    path("migrations/<uuid:pk>/select/", wizard_select, name="wizard_select"),
    path("migrations/<uuid:pk>/schema/", wizard_schema, name="wizard_schema"),
    path("migrations/<uuid:pk>/schema/<int:index>/", wizard_schema, name="wizard_schema"),
    path("migrations/<uuid:pk>/migrate/", wizard_migrate, name="wizard_migrate"),
    path("migrations/<uuid:pk>/plan/", wizard_plan, name="wizard_plan"),
    path("migrations/<uuid:pk>/discard/", wizard_discard, name="wizard_discard"),
]
