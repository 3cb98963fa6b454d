"""Widgets: the controls of a connector's models that Django does not have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from django import forms

from migrations_app.engine.errors import FerryError
from migrations_app.engine.sources.base import Choice

# More values than this have a filter, and a box that ticks all of them.
MANY = 8
# The number of values that are shown. More would make the page slow; a plan file can name all of them.
MAX_VALUES = 2_000


class SecretText(forms.Textarea):
    """A secret with several lines, such as a private key. The typed value is never sent back to the
    browser."""

    def format_value(self, value: Any) -> str:
        return ""


class FileText(forms.Textarea):
    """A text that is pasted, or read from a file by the browser. The file itself is not sent."""

    template_name = "widgets/file_text.html"

    def __init__(self, attrs: dict[str, Any] | None = None, *, max_length: int) -> None:
        super().__init__(attrs)
        self.max_length = max_length
        self.label = ""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, value, attrs) | {"max_length": self.max_length, "label": self.label}


class SecretFileText(FileText, SecretText):
    """A secret that is pasted or read from a file."""


class MultiChoice(forms.SelectMultiple):
    """Several of the ``listed`` values, as checkboxes.

    ``listed`` is None if the source lists the values and has not been asked yet. Then the page asks for them
    as soon as the control is visible. ``error`` is the source's answer if it could not list them.
    """

    template_name = "widgets/multi_choice.html"
    use_fieldset = True

    def __init__(self, listed: Sequence[Choice] | None = None) -> None:
        super().__init__()
        self.listed = listed
        self.error: FerryError | None = None
        self.label = ""

    def id_for_label(self, id_: str, index: str | None = None) -> str:
        return ""

    def offer(self, listed: Iterable[Choice]) -> None:
        """Show these values of the source, at most ``MAX_VALUES`` of them."""
        self.listed = list(islice(listed, MAX_VALUES + 1))

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        chosen = dict.fromkeys(str(item) for item in value or ())
        listed = list(self.listed or ())
        is_cut = len(listed) > MAX_VALUES
        shown = listed[:MAX_VALUES]
        values = {choice.value for choice in shown}
        others = [Choice(item) for item in chosen if item not in values]
        is_gone = self.listed is not None and not is_cut
        boxes = [
            *({"choice": choice, "is_ticked": True, "is_gone": is_gone} for choice in others),
            *({"choice": choice, "is_ticked": choice.value in chosen, "is_gone": False} for choice in shown),
        ]
        return super().get_context(name, value, attrs) | {
            "boxes": boxes,
            "ticked": sum(box["is_ticked"] for box in boxes),
            "has_many": len(boxes) > MANY,
            "max_values": MAX_VALUES if is_cut else None,
            "is_waiting": self.listed is None and self.error is None,
            "error": self.error,
            "label": self.label,
            "group": self.attrs.get("data-group", ""),
        }
