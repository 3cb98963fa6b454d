"""Permissions: who is an administrator, and what only administrators may do."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse

from console.http import ConsoleRequest

P = ParamSpec("P")


def is_administrator(user: AbstractBaseUser) -> bool:
    """Administrators change things; everybody else who can log in is a viewer."""
    return bool(user.is_active and getattr(user, "is_staff", False))


def administrator_required(
    view: Callable[Concatenate[ConsoleRequest, P], HttpResponse],
) -> Callable[Concatenate[ConsoleRequest, P], HttpResponse]:
    """Answers 403 to a viewer; login itself is asked for by the middleware."""

    @wraps(view)
    def checked(request: ConsoleRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not is_administrator(request.user):
            raise PermissionDenied("Only an administrator may do this.")
        return view(request, *args, **kwargs)

    return checked
