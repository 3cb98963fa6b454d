"""What every request goes through beside Django's own middleware."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, QueryDict

NUL, REPLACEMENT = "\0", "\ufffd"


def replace_nul(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """PostgreSQL stores no NUL character, SQLite does. In an address or a form it becomes U+FFFD, as it does
    in HTML (https://html.spec.whatwg.org/#tokenization), whatever the database."""

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
