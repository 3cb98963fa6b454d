"""What every view is made of: the request as our middleware leaves it, and who may do what."""

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails


class ConsoleRequest(HttpRequest):
    """A request of a logged-in person, perhaps for a fragment of the page only (`request.htmx`)."""

    htmx: HtmxDetails
    user: User


def is_own_page(request: HttpRequest, url: str) -> bool:
    """Whether ``url``, which came with a request, leads to a page of this console."""
    is_path = url.startswith("/") and url.isprintable()
    return is_path and url_has_allowed_host_and_scheme(url, None, require_https=request.is_secure())
