"""The form of a connection, made of a connector's own Settings model and checked by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from console.pydantic_fields import extras, form_field
from migrations_app import endpoints
from migrations_app.engine.endpoint import SettingsModel
from migrations_app.engine.errors import FerryError

WAY = "way"  # which group of settings is filled in, where a model has groups
NAME_LENGTH = 100


class ConnectionForm(forms.Form):
    """``name``, then every setting of ``model``. ``stored`` are the settings of a saved connection: shown,
    but for its secrets, which stay what they are where nothing is typed.

    ``settings()`` are the values to save: only what was filled in, so that the model's defaults hold.
    """

    name = forms.CharField(
        max_length=NAME_LENGTH, help_text="How pages, plans and jobs call this connection. Unique."
    )

    def __init__(
        self,
        model: type[SettingsModel],
        data: Mapping[str, Any] | None = None,
        *,
        name: str = "",
        stored: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.stored = {key: value for key, value in (stored or {}).items() if value not in (None, "")}
        self.secrets = endpoints.secret_names(model)
        shown = {key: value for key, value in self.stored.items() if key not in self.secrets}
        super().__init__(data, initial={"name": name, **shown})
        self.groups = _groups(model)
        if len(self.groups) > 1:
            self._add_way()
        for key, info in model.model_fields.items():
            self.fields[key] = form_field(key, info, is_stored=key in self.secrets and key in self.stored)
            if key in self.secrets and key in self.stored and not info.is_required():
                self.fields[forget_name(key)] = _forget_field(self.fields[key].label)
            for name in (key, forget_name(key)):
                if name in self.fields and (group := extras(info).get("group")):
                    self.fields[name].widget.attrs["data-group"] = group

    def _add_way(self) -> None:
        usual = {key: info.default for key, info in self.model.model_fields.items()}
        told = {key for key, value in self.stored.items() if value != usual.get(key)}
        filled = next((group for group, keys in self.groups.items() if told & set(keys)), None)
        choices = [(group, _group_title(self.model, group)) for group in self.groups]
        self.fields[WAY] = forms.ChoiceField(
            label="Connect with",
            choices=choices,
            widget=forms.RadioSelect(attrs={"data-groups": WAY}),
            initial=filled or choices[0][0],
            required=False,
        )

    def clean(self) -> dict[str, Any]:
        """The values judged by the model, each fault on its field."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            for fault in endpoints.settings_faults(self.model, self.settings()):
                self.refuse(FerryError(fault.message, fault.hint, code=fault.code, field=fault.field))
        return cleaned

    def settings(self) -> dict[str, Any]:
        """What was filled in, in the chosen group, with stored secrets in their place."""
        unused = self._unused()
        given = {
            key: self.cleaned_data.get(key)
            for key in self.model.model_fields
            if key not in unused and self.cleaned_data.get(key) not in (None, "")
        }
        gone = unused | self.forgotten()
        kept = {key: self.stored[key] for key in self.secrets & self.stored.keys() if key not in gone}
        return kept | given

    def forgotten(self) -> set[str]:
        """The stored secrets that are to go."""
        return {key for key in self.secrets if self.cleaned_data.get(forget_name(key))}

    def refuse(self, error: FerryError) -> None:
        """Put an error on the field it belongs to, or on the whole form."""
        where = error.field if error.field in self.fields else None
        text = f"{error.message} {error.hint}".strip()
        self.add_error(where, ValidationError(text if where else f"{text} ({error.code})", code=error.code))

    def _unused(self) -> set[str]:
        """The settings of the groups that were not chosen."""
        if WAY not in self.fields:
            return set()
        chosen = self.cleaned_data.get(WAY) or self.fields[WAY].initial
        return {key for group, keys in self.groups.items() if group != chosen for key in keys}


def forget_name(key: str) -> str:
    return f"forget_{key}"


def _forget_field(label: str) -> forms.Field:
    field = forms.BooleanField(label=f"Forget the stored {label.lower()}", required=False)
    field.advanced = True
    return field


def _groups(model: type[SettingsModel]) -> dict[str, list[str]]:
    """The settings of each group, in the model's order. Settings without a group belong to all."""
    groups: dict[str, list[str]] = {}
    for key, info in model.model_fields.items():
        if group := extras(info).get("group"):
            groups.setdefault(group, []).append(key)
    return groups


def _group_title(model: type[SettingsModel], group: str) -> str:
    """The title of a group with one setting is that setting's; else the group's own name in words."""
    keys = _groups(model)[group]
    title = model.model_fields[keys[0]].title if len(keys) == 1 else None
    return title or group.replace("_", " ").capitalize()
