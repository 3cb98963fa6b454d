"""Fields: builds a form field from the type of a field of a connector's model, for any connector."""

from __future__ import annotations

from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from django import forms
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from console.model_forms.widgets import FileText, MultiChoice, SecretFileText, SecretText
from migrations_app.engine.setting_types import is_from_source
from migrations_app.engine.sources.base import Choice

LINE_LENGTH = 2_000
TEXT_LENGTH = 100_000
STORED = "stored; leave empty to keep it"
ONE_PER_LINE = "One per line."


class LongTextField(forms.CharField):
    """A text of several lines, which end as in a file, not as browsers send them."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(value).replace("\r\n", "\n")


class EntriesField(forms.CharField):
    """A list of texts, one per line. Blank lines do not count."""

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in super().to_python(value).splitlines() if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list | tuple | set) else value


class ValuesField(forms.MultipleChoiceField):
    """Several values. The model validates them; ``originals`` are those that are not texts."""

    def __init__(self, widget: MultiChoice, originals: dict[str, Any] | None = None) -> None:
        super().__init__(widget=widget)
        self.originals = originals or {}

    def to_python(self, value: Any) -> Any:
        return [self.originals.get(text, text) for text in super().to_python(value)]

    def validate(self, value: Any) -> None:
        pass


def extras(info: FieldInfo) -> dict[str, Any]:
    """Return what a connector defines for the display of a field: widget, labels, advanced, group, term."""
    return info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}


def form_field(name: str, info: FieldInfo, *, is_stored: bool = False) -> forms.Field:
    """Return the form field of a model's field. ``is_stored``: a stored secret, which is kept if nothing is
    typed.

    The form does not validate the value; the model does. Raises ``TypeError`` if there is no control for the
    type.
    """
    field = _control(name, info)
    field.label = info.title or name.replace("_", " ").capitalize()
    field.help_text = " ".join(filter(None, (info.description, field.help_text)))
    field.initial = _shown(info.get_default(call_default_factory=True, validated_data={}))
    field.required = False
    field.advanced = bool(extras(info).get("advanced"))
    field.term = extras(info).get("term", "")
    field.widget.label = field.label
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


def label_of(info: FieldInfo, value: Any) -> str:
    """Return the text that shows a value of a choice."""
    shown = _shown(value)
    return str(extras(info).get("labels", {}).get(shown, shown))


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
    """Return a default as the form shows it; None if there is none, or if it is secret."""
    if default is PydanticUndefined or isinstance(default, SecretStr):
        return None
    if isinstance(default, list | tuple | set | frozenset):
        return [_shown(item) for item in default]
    return default.value if isinstance(default, Enum) else default


def _control(name: str, info: FieldInfo) -> forms.Field:
    kind = _value_type(info.annotation)
    if is_from_source(info):
        return ValuesField(MultiChoice())
    if get_origin(kind) in (list, tuple, set, frozenset):
        return _list(_value_type(get_args(kind)[0]), info)
    if values := _values(kind):
        return _choice(values, info)
    if kind not in _CONTROLS:
        raise TypeError(f"There is no control for the field “{name}” of type {kind}.")
    return _CONTROLS[kind](info)


def _values(kind: Any) -> tuple[Any, ...]:
    """Return the values of a Literal or an enum; none for another type."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(member.value for member in kind)
    return get_args(kind) if get_origin(kind) is Literal else ()


def _choice(values: tuple[Any, ...], info: FieldInfo) -> forms.Field:
    choices = [(str(value), label_of(info, value)) for value in values]
    default = info.get_default(call_default_factory=False)
    if info.is_required() or default is None:
        choices.insert(0, ("", "Choose…" if info.is_required() else "Not set"))
    originals = {str(value): value for value in values}
    return forms.TypedChoiceField(choices=choices, coerce=lambda text: originals[text], empty_value=None)


def _list(item: Any, info: FieldInfo) -> forms.Field:
    if values := _values(item):
        listed = [Choice(str(value), label_of(info, value)) for value in values]
        return ValuesField(MultiChoice(listed), {str(value): value for value in values})
    widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})
    return EntriesField(widget=widget, max_length=TEXT_LENGTH, help_text=ONE_PER_LINE)


def _text(info: FieldInfo) -> forms.Field:
    attrs = {"rows": 4, "spellcheck": "false"}
    widgets = {
        "textarea": forms.Textarea(attrs=attrs),
        "file": FileText(attrs=attrs, max_length=TEXT_LENGTH),
    }
    if widget := widgets.get(extras(info).get("widget", "")):
        return LongTextField(widget=widget, max_length=TEXT_LENGTH)
    return forms.CharField(max_length=LINE_LENGTH)


def _secret(info: FieldInfo) -> forms.Field:
    widgets = {
        "textarea": SecretText(attrs={"rows": 4}),
        "file": SecretFileText(attrs={"rows": 4}, max_length=TEXT_LENGTH),
    }
    if widget := widgets.get(extras(info).get("widget", "")):
        return LongTextField(widget=widget, strip=False, max_length=TEXT_LENGTH)
    widget = forms.PasswordInput(render_value=False)
    return forms.CharField(widget=widget, strip=False, max_length=LINE_LENGTH)


def _flag(info: FieldInfo) -> forms.Field:
    return forms.BooleanField()


def _whole_number(info: FieldInfo) -> forms.Field:
    return _number("numeric")


def _fraction(info: FieldInfo) -> forms.Field:
    return _number("decimal")


def _number(keyboard: str) -> forms.Field:
    # A text field, so that "54e2" reaches the model, which has the error message for it.
    field = forms.CharField(widget=forms.TextInput(attrs={"inputmode": keyboard}), max_length=40)
    field.width = "third"
    return field


_CONTROLS: dict[Any, Any] = {
    str: _text,
    SecretStr: _secret,
    bool: _flag,
    int: _whole_number,
    float: _fraction,
}
