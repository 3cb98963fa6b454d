"""Model form: a form built from a connector's model, which also validates it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from pydantic.fields import FieldInfo

from console.model_forms.fields import form_field, label_of
from migrations_app import endpoints
from migrations_app.engine.endpoint import SettingsModel
from migrations_app.engine.log import shortened

SHOWN_ENTRIES = 3
SHOWN_CHARACTERS = 200


class ModelForm(forms.Form):
    """The fields of ``model``. ``values`` are shown.

    ``row`` is what the form is about, if a page shows several of these forms: it becomes part of the name of
    each control.
    """

    def __init__(
        self,
        model: type[SettingsModel],
        values: Mapping[str, Any],
        data: Mapping[str, Any] | None = None,
        *,
        prefix: str,
        row: str = "",
    ) -> None:
        super().__init__(data, prefix=prefix, initial=dict(values))
        self.model, self.row = model, row
        for key, info in model.model_fields.items():
            self.fields[key] = field = form_field(key, info)
            if row:
                field.widget.attrs["aria-label"] = f"{field.label} of {row}"

    def clean(self) -> dict[str, Any]:
        """Validate the values with the model, and show each error on its field."""
        cleaned = super().clean() or self.cleaned_data
        for fault in endpoints.model_faults(self.model, given(cleaned), by_title=True):
            self.refuse(fault.field, f"{fault.message} {fault.hint}".strip())
        return cleaned

    def values(self) -> dict[str, Any]:
        """Return the values of a valid form as JSON data, without those that equal the model's defaults."""
        return values_of(self.model, given(self.cleaned_data))

    def refuse(self, field: str, message: str) -> None:
        """Show an error on the field of this name; on the first field if there is none."""
        self.add_error(field if field in self.fields else next(iter(self.fields)), message)

    @property
    def controls(self) -> list[BoundField]:
        return list(self)


def given(cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that were filled in; the model's defaults apply to the others."""
    return {key: value for key, value in cleaned.items() if value not in (None, "", [])}


def values_of(model: type[SettingsModel], filled_in: Mapping[str, Any]) -> dict[str, Any]:
    """Return these values as JSON data, without those that equal the model's defaults. Raises pydantic's
    ``ValidationError`` if the model refuses them."""
    return model.model_validate(filled_in).model_dump(mode="json", exclude_defaults=True)


def summary(model: type[SettingsModel], values: Mapping[str, Any]) -> Iterator[str]:
    """A text for each value that is set: “only rows where price > 0”, “namespaces a, b”."""
    for key, info in model.model_fields.items():
        if values.get(key) not in (None, "", []):
            title = info.title or key.replace("_", " ")
            yield f"{title[:1].lower()}{title[1:]}{_text(info, values[key])}"


def _text(info: FieldInfo, value: Any) -> str:
    if isinstance(value, bool):
        return "" if value else ": no"
    if not isinstance(value, list):
        return f" {shortened(label_of(info, value), SHOWN_CHARACTERS)}"
    texts = [label_of(info, item) for item in value[:SHOWN_ENTRIES]]
    shown = ", ".join(text if text and text == text.strip() else f"“{text}”" for text in texts)
    more = len(value) - SHOWN_ENTRIES
    return f" {shown}" + (f" and {more:,} more" if more > 0 else "")
