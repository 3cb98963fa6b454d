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
    """True if the user is an administrator, who can change things; all other users are viewers."""
    return bool(user.is_active and getattr(user, "is_staff", False))


def administrator_required(
    view: Callable[Concatenate[ConsoleRequest, P], HttpResponse],
) -> Callable[Concatenate[ConsoleRequest, P], HttpResponse]:
    """Return the view with a 403 answer for viewers. The login is checked by the middleware."""

    @wraps(view)
    def checked(request: ConsoleRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not is_administrator(request.user):
            raise PermissionDenied("Only an administrator can do this.")
        return view(request, *args, **kwargs)

    return checked
