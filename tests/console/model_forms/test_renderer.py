"""Form renderer: the same HTML as Django's templates."""

import re

import pytest
from django import forms
from django.forms.renderers import TemplatesSetting

from console.model_forms.renderer import ConsoleRenderer

TEXT = "<b> & \"quoted\" 'text' é"
CHOICES = [("", "Choose…"), (TEXT, TEXT), ("More", [(1, "one"), ("true", "yes")])]


@pytest.mark.parametrize("value", [None, "", 0, 1.5, True, TEXT, "true"])
@pytest.mark.parametrize(
    "widget",
    [
        forms.TextInput(attrs={"class": TEXT, "required": True, "disabled": False, "maxlength": 5}),
        forms.NumberInput(),
        forms.HiddenInput(),
        forms.CheckboxInput(attrs={"class": "tick"}),
        forms.Select(choices=CHOICES, attrs={"id": "a"}),
        forms.Textarea(),
    ],
    ids=lambda widget: type(widget).__name__,
)
def test_a_control_has_the_html_of_the_templates(widget, value):
    made, expected = (
        widget.render("a name", value, attrs={"data-x": TEXT}, renderer=renderer)
        for renderer in (ConsoleRenderer(), TemplatesSetting())
    )
    assert made == re.sub(r"\n+", "\n", expected.strip())  # the templates leave empty lines
