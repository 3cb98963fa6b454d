"""Views of saved connections: list, add, edit, test and delete."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console import endpoint_kinds
from console.connections import list as connections_list
from console.connections.form import ConnectionForm
from console.connections.list import default_name, row, server_panel
from console.http import ConsoleRequest, is_own_page
from console.permissions import administrator_required
from migrations_app import endpoints, services
from migrations_app.engine.errors import FerryError
from migrations_app.models import Connection


def _connection(pk: int) -> Connection:
    return get_object_or_404(connections_list.counted(), pk=pk)


@require_safe
@administrator_required
def connections(request: ConsoleRequest) -> HttpResponse:
    offered = [
        kind for kind in (*endpoint_kinds.source_kinds(), *endpoint_kinds.target_kinds()) if kind.available
    ]
    return render(request, "connections/list.html", {"groups": connections_list.groups(), "kinds": offered})


@require_http_methods(["GET", "POST"])
@administrator_required
def connection_new(request: ConsoleRequest, kind: str) -> HttpResponse:
    role = request.GET.get("role") or ("target" if kind in endpoints.TARGETS else "source")
    entry = endpoint_kinds.find(kind, is_target=role == "target")
    if entry is None or not entry.available:
        raise Http404(entry.reason if entry else f"There is no {role} of this kind.")
    return _edit(request, entry, None)


@require_http_methods(["GET", "POST"])
@administrator_required
def connection_edit(request: ConsoleRequest, pk: int) -> HttpResponse:
    connection = _connection(pk)
    entry = endpoint_kinds.find(connection.kind, is_target=connection.is_target)
    if entry is None or not entry.available:
        raise Http404("This version does not support this kind of connection.")
    return _edit(request, entry, connection)


def _edit(request: ConsoleRequest, kind: endpoint_kinds.Kind, connection: Connection | None) -> HttpResponse:
    """Show, test or save the form of a connection; ``connection`` is None for a new one."""
    form = ConnectionForm(
        endpoints.endpoint_class(kind.kind, is_target=kind.is_target).Settings,
        request.POST if request.method == "POST" else None,
        name=connection.name if connection else default_name(kind.title),
        stored=connection.settings if connection else None,
    )
    server, check, worker_hosts, action = None, None, [], request.POST.get("action")
    if form.is_valid():
        try:
            if action == "test":
                server = endpoints.check(kind.kind, form.settings(), is_target=kind.is_target)
            elif action == "test_from_worker":
                check = services.check_request(
                    kind=kind.kind, settings=form.settings(), is_target=kind.is_target, user=request.user
                )
            else:
                return _saved(request, kind, form, connection)
        except FerryError as error:
            form.refuse(error)
            if action == "test":
                worker_hosts = services.other_worker_hosts()
    context = {
        "check": check,
        "worker_hosts": worker_hosts,
        "form": form,
        "kind": kind,
        "connection": connection,
        "server": server and server_panel(server, form.notices()),
        "next": _next(request),
        "cancel_url": _next(request) or reverse("connections"),
    }
    return render(request, "connections/form.html", context, status=422 if form.errors else 200)


def _saved(
    request: ConsoleRequest, kind: endpoint_kinds.Kind, form: ConnectionForm, connection: Connection | None
) -> HttpResponse:
    saved = services.connection_save(
        name=form.cleaned_data["name"],
        kind=kind.kind,
        settings=form.settings(),
        user=request.user,
        connection=connection,
        is_target=kind.is_target,
        forget=form.forgotten(),
    )
    messages.success(request, f"The connection “{saved.name}” was saved.")
    for notice in form.notices():
        messages.info(request, notice)
    following = _next(request)
    if following.endswith("="):  # the page wants to know which connection it is
        following += str(saved.pk)
    return redirect(following or "connections")


def _next(request: ConsoleRequest) -> str:
    """Return the page to open next, if it is a page of this console."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    return wanted if is_own_page(request, wanted) else ""


@require_POST
@administrator_required
def connection_test(request: ConsoleRequest, pk: int) -> HttpResponse:
    connection = _connection(pk)
    try:
        server = services.connection_test(connection=connection)
        text = f"“{connection.name}” is connected to {server}."
        level = messages.SUCCESS
    except FerryError as error:
        text = f"“{connection.name}”: {error.message} {error.hint}"
        level = messages.ERROR
    if request.htmx:
        shown = row(_connection(pk), services.other_worker_hosts())
        return render(request, "connections/list.html#row", {"connection": shown})
    messages.add_message(request, level, text)
    return redirect("connections")


@require_http_methods(["GET", "POST"])
@administrator_required
def connection_delete(request: ConsoleRequest, pk: int) -> HttpResponse:
    connection = _connection(pk)
    blocked = ""
    if request.method == "POST":
        try:
            services.connection_delete(connection=connection)
            messages.success(request, f"The connection “{connection.name}” was deleted.")
            return redirect("connections")
        except FerryError as error:
            blocked = f"{error.message} {error.hint}"
    fragment = "#dialog" if request.htmx and not request.htmx.boosted else ""
    shown = row(connection, [])
    context = {"connection": shown, "jobs": shown["jobs"], "blocked": blocked}
    return render(request, f"connections/delete.html{fragment}", context, status=409 if blocked else 200)


urlpatterns = [
    path("connections/", connections, name="connections"),
    path("connections/new/<slug:kind>/", connection_new, name="connection_new"),
    path("connections/<int:pk>/", connection_edit, name="connection_edit"),
    path("connections/<int:pk>/test/", connection_test, name="connection_test"),
    path("connections/<int:pk>/delete/", connection_delete, name="connection_delete"),
]
