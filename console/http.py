"""What every view is made of: the request as our middleware leaves it, and who may do what."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.models import AbstractBaseUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails

P = ParamSpec("P")


class ConsoleRequest(HttpRequest):
    """A request of a logged-in person, perhaps for a fragment of the page only (`request.htmx`)."""

    htmx: HtmxDetails
    user: User


def is_administrator(user: AbstractBaseUser) -> bool:
    """Administrators change things; everybody else who can log in is a viewer."""
    return bool(user.is_active and getattr(user, "is_staff", False))


def is_own_page(request: HttpRequest, url: str) -> bool:
    """Whether ``url``, which came with a request, leads to a page of this console."""
    is_path = url.startswith("/") and url.isprintable()
    return is_path and url_has_allowed_host_and_scheme(url, None, require_https=request.is_secure())


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
