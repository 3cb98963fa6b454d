"""Form renderer: writes the most frequent controls (inputs, checkboxes, selects) without templates.

The HTML is that of Django's own templates without empty lines, which take ten times as long. They render all
other controls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.forms.renderers import TemplatesSetting
from django.http import HttpRequest
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

INPUTS = ("text", "hidden", "number", "checkbox")


class ConsoleRenderer(TemplatesSetting):
    def render(
        self, template_name: str, context: dict[str, Any], request: HttpRequest | None = None
    ) -> SafeString:
        quick = _QUICK.get(template_name)
        if quick is None or set(context) != {"widget"}:
            return super().render(template_name, context, request)
        return mark_safe("".join(quick(context["widget"])))


def _input(widget: Mapping[str, Any]) -> Iterator[str]:
    yield f'<input type="{conditional_escape(widget["type"])}" name="{conditional_escape(widget["name"])}"'
    if widget["value"] is not None:
        yield f' value="{conditional_escape(str(widget["value"]))}"'
    yield from _attributes(widget["attrs"])
    yield ">"


def _select(widget: Mapping[str, Any]) -> Iterator[str]:
    yield f'<select name="{conditional_escape(widget["name"])}"'
    yield from _attributes(widget["attrs"])
    yield ">"
    for group, options, _ in widget["optgroups"]:
        if group:
            yield f'\n  <optgroup label="{conditional_escape(group)}">'
        for option in options:
            yield f'\n  <option value="{conditional_escape(str(option["value"]))}"'
            yield from _attributes(option["attrs"])
            yield f">{conditional_escape(option['label'])}</option>"
        if group:
            yield "\n  </optgroup>"
    yield "\n</select>"


def _attributes(attributes: Mapping[str, Any]) -> Iterator[str]:
    for name, value in attributes.items():
        if value is True:
            yield f" {conditional_escape(name)}"
        elif value is not False:
            yield f' {conditional_escape(name)}="{conditional_escape(str(value))}"'


_QUICK: dict[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    **{f"django/forms/widgets/{kind}.html": _input for kind in INPUTS},
    "django/forms/widgets/select.html": _select,
}
