"""Pydantic fields: builds a form field from the type of a connector's setting, for any connector."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from django import forms
from pydantic import SecretStr
from pydantic.fields import FieldInfo

LINE_LENGTH = 2_000
TEXT_LENGTH = 100_000
STORED = "stored; leave empty to keep it"


class SecretText(forms.Textarea):
    """A secret with several lines, such as a private key. The typed value is never sent back to the
    browser."""

    def format_value(self, value: Any) -> str:
        return ""


def extras(info: FieldInfo) -> dict[str, Any]:
    """Return what a connector defines for the display of a setting: widget, advanced, group."""
    return info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}


def form_field(name: str, info: FieldInfo, *, is_stored: bool = False) -> forms.Field:
    """Return the form field of a setting. ``is_stored``: a stored secret, which is kept if nothing is typed.

    The form does not validate the value; the model does.
    """
    kind = _value_type(info.annotation)
    field = _CONTROLS.get(kind, _text)(kind, info)
    field.label = info.title or name.replace("_", " ").capitalize()
    field.help_text = info.description or ""
    field.initial = _shown(info.get_default(call_default_factory=False))
    field.required = False
    field.advanced = bool(extras(info).get("advanced"))
    _describe(field, info, is_stored)
    return field


def _describe(field: forms.Field, info: FieldInfo, is_stored: bool) -> None:
    attrs = field.widget.attrs
    if info.examples and not isinstance(field.widget, forms.Select | forms.CheckboxInput):
        attrs["placeholder"] = str(info.examples[0])
    if info.is_required() and not is_stored:
        attrs["aria-required"] = "true"
    if isinstance(field.widget, forms.PasswordInput | SecretText):
        attrs |= {"autocomplete": "off", "hx-preserve": "true"}
        if is_stored:
            attrs["placeholder"] = STORED


def _value_type(annotation: Any) -> Any:
    """Return ``str`` for ``str | None``, ``int`` for ``Annotated[int, ...]``; a Literal is returned
    unchanged."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return _value_type(next(kind for kind in get_args(annotation) if kind is not NoneType))
    if origin is Literal:
        return annotation
    return _value_type(get_args(annotation)[0]) if hasattr(annotation, "__metadata__") else annotation


def _shown(default: Any) -> Any:
    return None if isinstance(default, SecretStr) or repr(default) == "PydanticUndefined" else default


def _text(kind: Any, info: FieldInfo) -> forms.Field:
    if get_origin(kind) is Literal:
        return forms.ChoiceField(choices=[(str(value), str(value)) for value in get_args(kind)])
    is_long = extras(info).get("widget") == "textarea"
    widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}) if is_long else forms.TextInput()
    return forms.CharField(widget=widget, max_length=TEXT_LENGTH if is_long else LINE_LENGTH)


def _secret(kind: Any, info: FieldInfo) -> forms.Field:
    is_long = extras(info).get("widget") == "textarea"
    widget = SecretText(attrs={"rows": 4}) if is_long else forms.PasswordInput(render_value=False)
    return forms.CharField(widget=widget, strip=False, max_length=TEXT_LENGTH if is_long else LINE_LENGTH)


def _flag(kind: Any, info: FieldInfo) -> forms.Field:
    return forms.BooleanField()


def _number(kind: Any, info: FieldInfo) -> forms.Field:
    # A text field, so that "54e2" reaches the model, which has the error message for it.
    widget = forms.TextInput(attrs={"inputmode": "numeric"})
    field = forms.CharField(widget=widget, max_length=40)
    field.width = "third"
    return field


_CONTROLS: dict[Any, Any] = {SecretStr: _secret, bool: _flag, int: _number, float: _number}
