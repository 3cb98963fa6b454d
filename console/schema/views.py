"""Views of step 3 of the wizard, Configure Schema."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from console.draft import contents
from console.draft.step_views import back_url, step_page, step_view
from console.draft.steps import Step
from console.html_anchors import anchor
from console.http import ConsoleRequest, is_own_page
from console.schema import problems, tables
from console.schema.page import context as schema_page
from console.schema.page import parts as page_parts
from console.schema.parse.table import read
from console.schema.table import TYPED_LENGTH, InvalidInput, MappingTable
from migrations_app.engine.errors import FerryError
from migrations_app.models import Draft


@step_view(Step.SCHEMA)
def wizard_schema(request: ConsoleRequest, draft: Draft, index: int = 0) -> HttpResponse:
    if index >= len(tables.of(draft)):
        raise Http404("This migration has no such collection.")
    if request.method == "POST":
        return _schema_sent(request, draft, index)
    return step_page(request, Step.SCHEMA, draft, schema_page.context(draft, index))


def _schema_sent(request: ConsoleRequest, draft: Draft, index: int) -> HttpResponse:
    """Save the form, even with invalid values, and redirect to the page that the pressed button leads to."""
    table, action = tables.of(draft)[index], request.POST.get("action", "")
    facts = contents.target_facts(draft)
    if action == "reset":
        return _reset(request, draft, table.schema.name, schema_page.url(draft, index))
    fix = request.POST.get("fix", "")
    data = problems.applied(request.POST, fix) if fix else request.POST
    changed = read(table, facts.capabilities, data, schema_page.options_model(draft))
    changed = _with_source_options(request, draft, table, changed)
    draft = tables.store(draft, _with_existing(request, draft, table, changed))
    if request.htmx and action == "check":
        return _checked(request, draft, index)
    if action == "names":
        draft = tables.fix_names(draft)
    place = _changed_fields(request, draft, index)
    return redirect(
        f"{schema_page.url(draft, index)}#{place}" if place else _schema_next(request, draft, index)
    )


def _checked(request: ConsoleRequest, draft: Draft, index: int) -> HttpResponse:
    """Return the parts of the page that have changed; the whole page if it has other parts now, or if there
    is something to tell."""
    context = schema_page.context(draft, index)
    parts = page_parts.changed(context, request.POST.getlist("shown"))
    if parts is None or len(messages.get_messages(request)):
        answer = step_page(request, Step.SCHEMA, draft, context)
        answer["HX-Retarget"], answer["HX-Reswap"] = "body", "innerHTML show:none"
        return answer
    context |= parts | {"back_url": back_url(Step.SCHEMA, draft)}
    return render(request, "schema/_changes.html", context)


def _with_source_options(
    request: ConsoleRequest, draft: Draft, before: MappingTable, changed: MappingTable
) -> MappingTable:
    """Describe the collection again if the options of the source have changed.

    If the source refuses one of them, this one does not change, and the error is shown at its control. After
    another error none of them changes.
    """
    try:
        return tables.with_source_options(draft, before, changed)
    except FerryError as error:
        message = f"{error.message} {error.hint}".strip()
        old, new = before.plan.source_options, changed.plan.source_options
        place, _, option = error.path.partition(".")
        if place != "source_options" or old.get(option) == new.get(option):
            messages.error(request, message)
            return _with_options(changed, old)
        control = f"{place}-{option}"
        typed = InvalidInput(request.POST.get(control, "")[:TYPED_LENGTH], message)
        changed = replace(changed, invalid_inputs={**changed.invalid_inputs, control: typed})
        kept = {option: old[option]} if option in old else {}
        others = {name: value for name, value in new.items() if name != option}
        return _with_source_options(request, draft, before, _with_options(changed, others | kept))


def _with_options(table: MappingTable, options: dict[str, Any]) -> MappingTable:
    return replace(table, plan=table.plan.model_copy(update={"source_options": options}))


def _with_existing(
    request: ConsoleRequest, draft: Draft, before: MappingTable, changed: MappingTable
) -> MappingTable:
    try:
        return tables.with_existing(draft, before, changed)
    except FerryError as error:
        messages.error(request, f"{error.message} {error.hint}")
        return replace(changed, plan=changed.plan.model_copy(update={"if_exists": "error"}))


def _changed_fields(request: ConsoleRequest, draft: Draft, index: int) -> str:
    """Add a field, or open or close a column, if its button was pressed; return the anchor of the row to
    show."""
    table = tables.of(draft)[index]
    if request.POST.get("action") == "add":
        return tables.add_field(draft, table)
    for button in ("open", "close"):
        column = table.column_at(request.POST.get(button, ""))
        if column is not None:
            try:
                tables.open_column(draft, table.schema.name, column.name, is_open=button == "open")
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
        tables.reset(draft, name)
        messages.success(request, f"{name} is reset to its defaults.")
    except FerryError as error:
        messages.error(request, f"{error.message} {error.hint}")
    return redirect(here)


urlpatterns = [
    path("migrations/<uuid:pk>/schema/", wizard_schema, name="wizard_schema"),
    path("migrations/<uuid:pk>/schema/<int:index>/", wizard_schema, name="wizard_schema"),
]
