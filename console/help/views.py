"""Views of the help: the documents of the project, and the list of terms."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from console.help import pages
from console.help.terms import TERMS
from console.http import ConsoleRequest


@require_safe
def help_page(request: ConsoleRequest, name: str = pages.GUIDE) -> HttpResponse:
    document = pages.document(name)
    if document is None:
        raise Http404("There is no help page of this name.")
    context = {"document": document, "documents": _documents(name)}
    return render(request, "help/page.html", context)


@require_safe
def help_terms(request: ConsoleRequest) -> HttpResponse:
    terms = sorted(TERMS.items(), key=lambda item: item[1].word.lower())
    return render(request, "help/terms.html", {"terms": terms, "documents": _documents("")})


def _documents(current: str) -> list[dict[str, object]]:
    """Return the pages of the help for its navigation; the list of terms has no name of its own."""
    return [
        {"title": title, "url": pages.address(name), "current": name == current}
        for name, title in pages.titles().items()
    ]


urlpatterns = [
    path("help/", help_page, name="help"),
    path("help/terms/", help_terms, name="help_terms"),
    path("help/<slug:name>/", help_page, name="help_page"),
]
