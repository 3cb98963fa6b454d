"""Accounts: who may log in, as what, with which password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import UsernameField
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password
from django.core.exceptions import ValidationError

ROLES = [
    ("viewer", "Viewer: jobs, logs and reports"),
    ("administrator", "Administrator: everything"),
]


class AccountForm(forms.ModelForm):
    """A new account, or an existing one: its role, whether it may log in, and a new password.

    The last administrator stays one: somebody has to be able to change accounts.
    """

    role = forms.ChoiceField(choices=ROLES, widget=forms.RadioSelect)
    password = forms.CharField(
        strip=False,
        required=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    field_order = ("username", "role", "password", "is_active")

    class Meta:
        model = User
        # Not the password: it would be taken in as it was typed.
        fields = ("username", "is_active")
        field_classes = {"username": UsernameField}
        labels = {"username": "Name", "is_active": "May log in"}
        help_texts = {
            "username": "",
            "is_active": "An account that is switched off keeps its name on its jobs.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_new = self.instance.pk is None
        # A form posts itself into its instance before it is checked.
        self.was_administrator = bool(self.instance.pk and self.instance.is_staff and self.instance.is_active)
        self.initial["role"] = "administrator" if self.instance.is_staff else "viewer"
        password = self.fields["password"]
        password.required = self.is_new
        password.help_text = " ".join(password_validators_help_texts())
        if self.is_new:
            del self.fields["is_active"]
        else:
            password.label = "New password"
            password.help_text = f"Empty: it stays as it is. {password.help_text}"
        self.fields["username"].widget.attrs["autocomplete"] = "off"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.was_administrator and not self._stays_administrator(cleaned) and not self._has_others():
            where = "role" if cleaned.get("role") != "administrator" else "is_active"
            self.add_error(where, "This is the last administrator: make another account one first.")
        return cleaned

    def _post_clean(self) -> None:
        super()._post_clean()
        if password := self.cleaned_data.get("password"):
            try:
                validate_password(password, self.instance)
            except ValidationError as error:
                self.add_error("password", error)

    def _stays_administrator(self, cleaned: dict[str, Any]) -> bool:
        return cleaned.get("role") == "administrator" and cleaned.get("is_active", True)

    def _has_others(self) -> bool:
        others = User.objects.filter(is_staff=True, is_active=True).exclude(pk=self.instance.pk)
        # Locked until the change is saved: two of two administrators must not each find the other.
        return bool(others.select_for_update())

    def save(self, commit: bool = True) -> User:
        user = super().save(commit=False)
        user.is_staff = self.cleaned_data["role"] == "administrator"
        user.is_superuser = user.is_superuser and user.is_staff
        if password := self.cleaned_data["password"]:
            user.set_password(password)
        if commit:
            user.save()
        return user
