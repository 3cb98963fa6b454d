"""HTTP helpers for the views: the type of their requests, and a check for addresses of this console."""

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails


class ConsoleRequest(HttpRequest):
    """A request of a logged-in user. `request.htmx` is true if it asks only for a fragment of the page."""

    htmx: HtmxDetails
    user: User


def is_own_page(request: HttpRequest, url: str) -> bool:
    """True if ``url``, a value from a request, is the address of a page of this console."""
    is_path = url.startswith("/") and url.isprintable()
    return is_path and url_has_allowed_host_and_scheme(url, None, require_https=request.is_secure())
