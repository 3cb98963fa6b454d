"""Account form: name, role, password, and the permission to log in."""

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
    """The form of a new or an existing account.

    The last administrator cannot give up this role: at least one account must be able to change accounts.
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
        # Not the password: the model form would store it without hashing it.
        fields = ("username", "is_active")
        field_classes = {"username": UsernameField}
        labels = {"username": "Name", "is_active": "Can log in"}
        help_texts = {
            "username": "",
            "is_active": "The jobs of a disabled account keep its name.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_new = self.instance.pk is None
        # Validation writes the sent values into the instance, so the old role is read first.
        self.was_administrator = bool(self.instance.pk and self.instance.is_staff and self.instance.is_active)
        self.initial["role"] = "administrator" if self.instance.is_staff else "viewer"
        password = self.fields["password"]
        password.required = self.is_new
        password.help_text = " ".join(password_validators_help_texts())
        if self.is_new:
            del self.fields["is_active"]
        else:
            password.label = "New password"
            password.help_text = f"Leave empty to keep the password. {password.help_text}"
        self.fields["username"].widget.attrs["autocomplete"] = "off"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.was_administrator and not self._stays_administrator(cleaned) and not self._has_others():
            name = "role" if cleaned.get("role") != "administrator" else "is_active"
            self.add_error(
                name, "This is the last administrator. Make another account an administrator first."
            )
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
        # Locked until the change is saved, so that the last two administrators cannot both give up their
        # role.
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
