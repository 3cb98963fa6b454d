"""Views of a connection test that a worker makes from its own host."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from console.http import ConsoleRequest
from console.permissions import administrator_required
from migrations_app import services
from migrations_app.engine.errors import FerryError
from migrations_app.models import Connection, ConnectionCheck

# A worker takes a test at once, unless it has another one.
WAIT = timedelta(seconds=60)


@require_safe
@administrator_required
def connection_check(request: ConsoleRequest, pk: uuid.UUID) -> HttpResponse:
    """The result of a test. The panel asks again until there is one."""
    check = get_object_or_404(ConnectionCheck, pk=pk, created_by=request.user)
    template = "_check" if request.htmx and not request.htmx.boosted else "check"
    return render(request, f"connections/{template}.html", {"check": check, "is_late": is_late(check)})


@require_POST
@administrator_required
def connection_check_new(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Ask a worker to test a saved connection."""
    connection = get_object_or_404(Connection, pk=pk)
    try:
        check = services.check_request(
            kind=connection.kind,
            settings=connection.settings,
            is_target=connection.is_target,
            user=request.user,
            connection=connection,
        )
    except FerryError as error:
        messages.error(request, f"“{connection.name}”: {error.message} {error.hint}")
        return redirect("connections")
    return redirect("connection_check", check.pk)


def is_late(check: ConnectionCheck) -> bool:
    return check.result is None and timezone.now() - check.created_at > WAIT


urlpatterns = [
    path("connections/checks/<uuid:pk>/", connection_check, name="connection_check"),
    path("connections/<int:pk>/check/", connection_check_new, name="connection_check_new"),
]
