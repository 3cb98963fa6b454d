"""Row selection: the form that selects rows of a collection, built from the connector's ``Selection``
model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.forms.boundfield import BoundField

from console.html_anchors import anchor
from console.pydantic_fields import form_field
from migrations_app import endpoints
from migrations_app.engine.endpoint import SettingsModel


class RowSelectionForm(forms.Form):
    """The ``select`` of collection ``name``."""

    def __init__(
        self,
        model: type[SettingsModel],
        name: str,
        select: Mapping[str, Any],
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, prefix=anchor(name), initial=dict(select))
        self.model = model
        for key, info in model.model_fields.items():
            self.fields[key] = form_field(key, info)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for fault in endpoints.settings_faults(self.model, self._given()):
            self.add_error(fault.field if fault.field in self.fields else None, fault.message)
        return cleaned

    def _given(self) -> dict[str, Any]:
        return {key: value for key, value in self.cleaned_data.items() if value not in ("", None)}

    def selection(self) -> dict[str, Any]:
        """Return the ``select`` of the plan with the sent values."""
        return self._given()

    def refuse(self, field: str, message: str) -> None:
        """Show an error of the source on the field of this name; on the first field if there is none."""
        self.add_error(field if field in self.fields else next(iter(self.fields)), message)

    @property
    def words(self) -> str:
        """Return a summary of the selection; empty if all rows are selected."""
        if any(field.errors for field in self):
            return ""
        return ", ".join(row_selection_text(self.model, {field.name: field.value() for field in self}))

    @property
    def controls(self) -> list[BoundField]:
        return list(self)


def row_selection_text(model: type[SettingsModel], select: Mapping[str, Any]) -> Iterator[str]:
    """A text for each setting of the row selection: “only rows where price > 0”."""
    for key, info in model.model_fields.items():
        if select.get(key):
            title = info.title or key
            yield f"{title[:1].lower()}{title[1:]} {select[key]}"
