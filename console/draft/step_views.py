"""Frame of the wizard's pages: the permission to enter a step, and the context that all steps share."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.views.decorators.http import require_http_methods

from console.draft import contents
from console.draft.steps import Step, marks
from console.http import ConsoleRequest
from console.permissions import administrator_required
from migrations_app import services
from migrations_app.engine.errors import FerryError
from migrations_app.models import Draft

# Actions of the pages that only ask a server and change nothing.
READING = frozenset({"target", "test", "values"})
PAGE_LENGTH = 16  # of the id of an open page

StepView = Callable[..., HttpResponse]


def draft_of(pk: uuid.UUID) -> Draft:
    """Return a draft; each administrator may continue the drafts of the others."""
    drafts = Draft.objects.select_related("source_connection", "target_connection", "owner", "job")
    return get_object_or_404(drafts, pk=pk)


def step_view(step: Step) -> Callable[[StepView], StepView]:
    """Decorate the view of a step: for administrators only, and only if the draft may enter this step and is
    not a job yet."""

    def decorate(view: StepView) -> StepView:
        @require_http_methods(["GET", "POST"])
        @administrator_required
        @wraps(view)
        def entered(request: ConsoleRequest, pk: uuid.UUID, **places: int) -> HttpResponse:
            draft = draft_of(pk)
            if draft.job is not None:
                return redirect("job", draft.job.public_id)
            if contents.OPENED in draft.state:  # its connections are not chosen yet
                return redirect("wizard_opened", pk)
            if not contents.progress(draft).may_enter(step):
                furthest = contents.step(draft)
                messages.info(request, f"Complete “{furthest.title}” first.")
                return redirect(furthest.url_name, pk)
            if _is_stale(request, draft):
                return _stale(request, step, draft)
            try:
                return view(request, draft, **places)
            except FerryError as error:  # for example, the draft was deleted
                return _redirect_from_draft(request, pk, error)

        return entered

    return decorate


def _is_stale(request: ConsoleRequest, draft: Draft) -> bool:
    """True if the page that sends a change does not show the draft as it is now, because another page has
    changed it."""
    sent = request.POST
    if "version" not in sent or sent.get("action") in READING:
        return False
    version = sent["version"]
    shown = int(version) if version.isascii() and version.isdecimal() and len(version) < 10 else -1
    return not services.draft_claim(draft=draft, version=shown, page=sent.get("page", "")[:PAGE_LENGTH])


def _stale(request: ConsoleRequest, step: Step, draft: Draft) -> HttpResponse:
    """Say that the draft was changed elsewhere, and offer to load it again."""
    context = {"reload_url": request.path}
    if request.htmx and not request.htmx.boosted:
        return render(request, "wizard/_stale.html", context | {"oob": True}, status=409)
    return step_page(request, step, draft, context, template="wizard/stale.html", status=409)


def _redirect_from_draft(request: ConsoleRequest, pk: uuid.UUID, error: FerryError) -> HttpResponse:
    """Redirect from a draft that cannot be continued: to its job if another click has started it, else to the
    Migrations page with the error."""
    draft = Draft.objects.filter(pk=pk).select_related("job").first()
    if draft is not None and draft.job is not None:
        return redirect("job", draft.job.public_id)
    messages.error(request, f"{error.message} {error.hint}")
    return redirect("migrations")


def step_page(
    request: ConsoleRequest,
    step: Step,
    draft: Draft | None,
    context: dict[str, Any],
    *,
    is_refused: bool = False,
    template: str = "",
    status: int = 200,
) -> HttpResponse:
    """Return the page of a step with the context that all steps share."""
    progress = contents.progress(draft)
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
        "draft": draft
        and {
            "id": draft.pk,
            "saved_at": draft.updated_at,
            "version": draft.version,
            "page": secrets.token_hex(PAGE_LENGTH // 2),
        },
        "route": contents.route(draft),
        "back_url": back_url(step, draft),
        "error": None,
    }
    answer = render(request, template or step.template, frame | context, status=422 if is_refused else status)
    # Going back in the browser shows the draft as it is now, not as it was.
    add_never_cache_headers(answer)
    return answer


def back_url(step: Step, draft: Draft | None) -> str:
    if step is Step.CONNECT or draft is None:
        return reverse("migrations")
    return reverse(Step(step - 1).url_name, args=[draft.pk])
