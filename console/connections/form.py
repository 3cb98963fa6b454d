"""Connection form: built from the Settings model of a connector, which also validates it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html

from console.model_forms.fields import extras, form_field
from migrations_app import endpoints, services
from migrations_app.engine.endpoint import SettingsModel
from migrations_app.engine.errors import FerryError, SettingsError
from migrations_app.engine.pasted_text import holds_password
from migrations_app.services.connections import MAX_NAME_LENGTH, REPEAT

WAY = "way"  # the field that chooses a group of settings, if the model has groups


class ConnectionForm(forms.Form):
    """The field ``name``, then each setting of ``model``.

    ``stored`` are the settings of a saved connection. They are shown, except secrets, which do not change if
    their fields are left empty. ``settings()`` returns the values to save: only the fields that were filled
    in, so that the model's defaults apply to the others.
    """

    name = forms.CharField(
        max_length=MAX_NAME_LENGTH, help_text="A unique name, used on pages, in plans and in jobs."
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
            self._add_group_choice()
        for key, info in model.model_fields.items():
            self.fields[key] = form_field(key, info, is_stored=key in self.secrets and key in self.stored)
            if key in self.secrets and key in self.stored and not info.is_required():
                self.fields[forget_name(key)] = _forget_field(self.fields[key].label)
            for name in (key, forget_name(key)):
                if name in self.fields and (group := extras(info).get("group")):
                    self.fields[name].widget.attrs["data-group"] = group

    def _add_group_choice(self) -> None:
        defaults = {key: info.default for key, info in self.model.model_fields.items()}
        changed = {key for key, value in self.stored.items() if value != defaults.get(key)}
        filled = next((group for group, keys in self.groups.items() if changed & set(keys)), None)
        choices = [(group, _group_title(self.model, group)) for group in self.groups]
        self.fields[WAY] = forms.ChoiceField(
            label="Connect with",
            choices=choices,
            widget=forms.RadioSelect(attrs={"data-groups": WAY}),
            initial=filled or choices[0][0],
            required=False,
        )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if holds_password(name):
            raise ValidationError("The name contained a password. Enter another name.")
        return name

    def clean(self) -> dict[str, Any]:
        """Validate the values with the model, and show each error on its field."""
        cleaned = super().clean() or self.cleaned_data
        known = set(self.errors)  # the controls' own errors
        for fault in endpoints.settings_faults(self.model, self.settings(), by_title=True):
            if fault.field not in known:
                self.refuse(FerryError(fault.message, fault.hint, code=fault.code, field=fault.field))
        if not self.errors.keys() & self.model.model_fields.keys() and not self.non_field_errors():
            self._refuse_to_send_secrets()
        self._remove_misplaced_secrets()
        return cleaned

    def _refuse_to_send_secrets(self) -> None:
        """Ask again for the stored secrets, if they would be sent to another address."""
        settings = endpoints.plain(endpoints.parse_settings(self.model, self.settings()))
        typed = {key for key in self.secrets if self.cleaned_data.get(key)}
        for key in services.secrets_to_repeat(self.model, settings, self.stored, typed=typed):
            self.refuse(SettingsError(REPEAT, f"Enter it again: {self.fields[key].label}.", field=key))

    def _remove_misplaced_secrets(self) -> None:
        """Do not send a connection string back to the browser if it was pasted into another field."""
        data = self.data.copy()
        for name in self.fields.keys() - self.secrets:
            if holds_password(str(data.get(name, ""))):
                data[name] = ""
        self.data = data

    def notices(self) -> tuple[str, ...]:
        """Sentences about parts of valid settings that were left out or read in another way."""
        return endpoints.parse_settings(self.model, self.settings()).notices()

    def settings(self) -> dict[str, Any]:
        """Return the values that were filled in, without the groups that were not chosen, and the stored
        secrets."""
        unused = self._unused()
        given = {
            key: self.cleaned_data.get(key)
            for key in self.model.model_fields
            if key not in unused and self.cleaned_data.get(key) not in (None, "", [])
        }
        removed = unused | self.forgotten()
        secrets = {key: self.stored[key] for key in self.secrets & self.stored.keys() if key not in removed}
        return secrets | given

    def forgotten(self) -> set[str]:
        """Return the stored secrets that are to be removed."""
        return {key for key in self.secrets if self.cleaned_data.get(forget_name(key))}

    def refuse(self, error: FerryError) -> None:
        """Show an error on its field, or above the form if it has no field."""
        name = self._shown_field(error.field)
        text = f"{error.message} {error.hint}".strip()
        text = text if name else f"{text} ({error.code})"
        if error.details:
            folded = '{}<details><summary>technical details</summary><pre class="block">{}</pre></details>'
            text = format_html(folded, text, error.details)
        self.add_error(name, ValidationError(text, code=error.code))

    def _shown_field(self, name: str) -> str | None:
        """Return the field on which an error of the setting ``name`` is visible: if the setting is in a group
        that was not chosen, the first one of the chosen group."""
        if name not in self.fields:
            return None
        unused = self._unused()
        if name not in unused:
            return name
        return next(key for keys in self.groups.values() for key in keys if key not in unused)

    def _unused(self) -> set[str]:
        """Return the settings of the groups that were not chosen."""
        if WAY not in self.fields:
            return set()
        chosen = self.cleaned_data.get(WAY) or self.fields[WAY].initial
        return {key for group, keys in self.groups.items() if group != chosen for key in keys}


def forget_name(key: str) -> str:
    return f"forget_{key}"


def _forget_field(label: str) -> forms.Field:
    field = forms.BooleanField(label=f"Remove the stored {label.lower()}", required=False)
    field.advanced = True
    return field


def _groups(model: type[SettingsModel]) -> dict[str, list[str]]:
    """Return the settings of each group, in the order of the model. Settings without a group are not in the
    result; they belong to all groups."""
    groups: dict[str, list[str]] = {}
    for key, info in model.model_fields.items():
        if group := extras(info).get("group"):
            groups.setdefault(group, []).append(key)
    return groups


def _group_title(model: type[SettingsModel], group: str) -> str:
    """Return the title of a group: that of its setting if it has only one, else the name of the group."""
    keys = _groups(model)[group]
    title = model.model_fields[keys[0]].title if len(keys) == 1 else None
    return title or group.replace("_", " ").capitalize()
