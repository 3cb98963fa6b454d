"""Middleware of the console: replaces NUL characters in requests."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, QueryDict

NUL, REPLACEMENT = "\0", "\ufffd"


def replace_nul(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Replace each NUL character in the address and the form with U+FFFD, as HTML does
    (https://html.spec.whatwg.org/#tokenization). PostgreSQL cannot store NUL; SQLite can, but both must give
    the same result."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.path_info = _clean(request.path_info)
        request.GET = _cleaned(request.GET)
        if request.method == "POST":
            request.POST = _cleaned(request.POST)
        return get_response(request)

    return middleware


def _cleaned(data: QueryDict) -> QueryDict:
    if not any(NUL in text for name, values in data.lists() for text in (name, *values)):
        return data
    clean = data.copy()
    clean.clear()
    for name, values in data.lists():
        clean.setlist(_clean(name), [_clean(value) for value in values])
    return clean


def _clean(text: str) -> str:
    return text.replace(NUL, REPLACEMENT)
