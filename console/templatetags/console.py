"""Template tags and filters: the rail, help and terms, icons, times, form fields, the rate curve, the slice
cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.forms import BaseForm, CheckboxInput, RadioSelect, Select, SelectMultiple, Textarea
from django.forms.boundfield import BoundField
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from console import __version__, format
from console.help import topics
from console.help.terms import OF_FIELDS, TERMS

register = template.Library()

_PART = re.compile(r"[^._]*[._]*")

# title, icon, URL name, True if only for administrators, prefixes of the URL names of its other pages
RAIL = (
    ("Migrations", "signpost-split", "migrations", False, ("wizard_",)),
    ("Jobs", "list-task", "jobs", False, ("job",)),
    ("Connections", "plug", "connections", True, ("connection_",)),
    ("Import", "inbox", "imports", False, ("import_",)),
    ("Workers", "hdd-stack", "workers", True, ("worker_",)),
    ("Access", "person-lock", "accounts", True, ("account_",)),
)


@register.simple_tag(takes_context=True)
def rail(context: template.Context) -> list[dict[str, Any]]:
    """Return the entries whose page exists and which this user may open."""
    request = context["request"]
    current = getattr(request.resolver_match, "url_name", None) or ""
    is_administrator = getattr(getattr(request, "user", None), "is_staff", False)
    return [
        {
            "title": title,
            "icon": icon_name,
            "url": url,
            "current": current == name or current.startswith(others),
        }
        for title, icon_name, name, for_administrators, others in RAIL
        if (url := _url(name)) and (is_administrator or not for_administrators)
    ]


def _url(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


@register.simple_tag
def version() -> str:
    return __version__


@register.simple_tag(takes_context=True)
def help_url(context: template.Context) -> str:
    """Return the address of the part of the guide that explains this page."""
    match = getattr(context.get("request"), "resolver_match", None)
    return topics.url(getattr(match, "url_name", None) or "")


@register.inclusion_tag("_term.html")
def term(key: str, word: str | None = None, at: str = "") -> dict[str, Any]:
    """Return a term with a button that shows its explanation.

    ``word`` is the text before the button, by default the term itself; with "" there is only the button.
    ``at`` tells the explanations of one term apart if it stands at several places of a page.
    """
    explained = TERMS[key]
    return {"term": explained, "word": explained.word if word is None else word, "id": f"term-{key}{at}"}


@register.filter
def term_key(field: BoundField) -> str:
    """Return the term that explains a form field; "" if there is none."""
    return getattr(field.field, "term", OF_FIELDS.get(field.name, ""))


@register.filter
def with_breaks(name: str) -> SafeString:
    """Return a name that the browser may break after each dot and each underscore."""
    return format_html_join(SafeString("<wbr>"), "{}", ((part,) for part in _PART.findall(name)))


@register.simple_tag
def icon(name: str = "") -> SafeString:
    """Return one of the vendored icons. It is hidden from screen readers, because there is a text next to
    it."""
    sprite = static("vendor/bootstrap-icons/icons.svg")
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', sprite, name or "database"
    )


for _filter in (format.number, format.rows, format.size, format.duration, format.about):
    register.filter(_filter)


@register.filter
def when(moment: datetime | None) -> SafeString | str:
    """Return a ``<time>``: the time if it is today, else *yesterday* or the date. Its title has date and
    time."""
    if not moment:
        return ""
    local, today = timezone.localtime(moment), timezone.localdate()
    if local.date() == today:
        text = f"{local:%H:%M:%S}"
    elif local.date() == today - timedelta(days=1):
        text = "yesterday"
    else:
        text = f"{local.day} {local:%b}" + (f" {local.year}" if local.year != today.year else "")
    return _time(local, text)


@register.filter
def moment(value: datetime | None) -> SafeString | str:
    """Return a ``<time>`` with date and time: ``21 Nov 2026, 14:02:11 UTC``."""
    if not value:
        return ""
    local = timezone.localtime(value)
    return _time(local, _in_full(local))


@register.filter
def clock(value: datetime | None) -> SafeString | str:
    """Return a ``<time>`` without the date: ``14:02:11``."""
    if not value:
        return ""
    local = timezone.localtime(value)
    return _time(local, f"{local:%H:%M:%S}")


@register.filter
def ago(value: datetime | None) -> SafeString | str:
    """Return a ``<time>``: ``a moment ago`` or ``5 min ago``; after one hour the same as ``when``."""
    if not value:
        return ""
    seconds = (timezone.now() - value).total_seconds()
    if seconds >= 3600:
        return when(value)
    text = "a moment ago" if seconds < 60 else f"{int(seconds // 60)} min ago"
    return _time(timezone.localtime(value), text)


def _in_full(local: datetime) -> str:
    return f"{local.day} {local:%b %Y, %H:%M:%S %Z}"


def _time(local: datetime, text: str) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat(timespec="seconds"), _in_full(local), text
    )


@register.inclusion_tag("jobs/_curve.html")
def rate_curve(samples: Iterable[tuple[datetime, float]]) -> dict[str, Any]:
    """Return the points of the rate over time, for an SVG of 400 × 62. With fewer than two samples nothing is
    drawn."""
    points = [(at, float(rate)) for at, rate in samples or ()]
    if len(points) < 2:
        return {}
    begin, end = points[0][0], points[-1][0]
    span = (end - begin).total_seconds() or 1.0
    top = max(rate for _, rate in points) or 1.0
    places = [
        f"{30 + 370 * (at - begin).total_seconds() / span:.1f},{44 - 40 * rate / top:.1f}"
        for at, rate in points
    ]
    return {"line": " ".join(places), "begin": begin, "end": end, "top": format.short(top)}


_SLICE_STATES = ("done", "running", "stopped", "waiting")
_MOST_CELLS = 32


@register.inclusion_tag("jobs/_slices.html")
def slice_cells(counts: Any, text: str = "") -> dict[str, Any]:
    """Return one cell per slice. If there are too many, the cells are in proportion; each state that occurs
    has at least one cell."""
    numbers = {state: _count(counts, state) for state in _SLICE_STATES}
    total = sum(numbers.values())
    scale = min(1.0, _MOST_CELLS / total) if total else 1.0
    cells = [state for state, count in numbers.items() if count for _ in range(max(1, round(count * scale)))]
    summary = " · ".join(f"{count:,} {state}" for state, count in numbers.items() if count)
    return {"cells": cells, "text": text or summary}


def _count(counts: Any, state: str) -> int:
    value = counts.get(state) if isinstance(counts, Mapping) else getattr(counts, state, 0)
    return value or 0


@register.filter
def plain_fields(form: BaseForm) -> list[BoundField]:
    """Return the visible fields that are not marked ``advanced``."""
    return [field for field in form.visible_fields() if not getattr(field.field, "advanced", False)]


@register.filter
def advanced_fields(form: BaseForm) -> list[BoundField]:
    """Return the visible fields that are marked ``advanced``; they are folded away."""
    return [field for field in form.visible_fields() if getattr(field.field, "advanced", False)]


@register.filter
def any_errors(fields: Iterable[BoundField]) -> bool:
    """True if one of these fields has an error; then the advanced settings are open."""
    return any(field.errors for field in fields)


@register.filter
def field_width(field: BoundField) -> str:
    """Return the width of a field in the form: ``full``, ``half`` or ``third``."""
    is_long = isinstance(field.field.widget, Textarea | RadioSelect | SelectMultiple)
    return getattr(field.field, "width", "full" if is_long else "half")


_CLASSES = ((CheckboxInput, "form-check-input"), (Select, "form-select"))


@register.filter
def control(field: BoundField, css: str = "") -> SafeString:
    """Return the control of a field with Bootstrap's classes, marked as invalid if it has errors."""
    return _widget(field, css, {})


@register.simple_tag
def row_control(field: BoundField, row: str, css: str = "") -> SafeString:
    """Return a control in a table row. It has no visible label, so its accessible name is made of field and
    row."""
    return _widget(field, css, {"aria-label": f"{field.label} of {row}"})


def _widget(field: BoundField, css: str, attrs: dict[str, str]) -> SafeString:
    widget = field.field.widget
    main_class = css or next((css for kind, css in _CLASSES if isinstance(widget, kind)), "form-control")
    classes = [main_class, widget.attrs.get("class"), "is-invalid" if field.errors else ""]
    return field.as_widget(attrs={"class": " ".join(filter(None, classes)), **attrs})


@register.filter
def cells(preview: Any) -> list[list[dict[str, Any]]]:
    """Return the rows of a preview, each cell together with its column."""
    return [
        [{"column": column, "text": text} for column, text in zip(preview.columns, row, strict=True)]
        for row in preview.rows
    ]
