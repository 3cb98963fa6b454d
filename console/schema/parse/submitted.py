"""Submitted form: takes values from a sent form one by one and collects the invalid inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django import forms

from console.schema.table import TYPED_LENGTH, InvalidInput


@dataclass
class SubmittedForm:
    """The invalid inputs found so far, by the name of the control."""

    invalid_inputs: dict[str, InvalidInput] = field(default_factory=dict)

    def take(self, form: forms.Form, name: str, parse: Callable[[str], Any], otherwise: Any) -> Any:
        """Return the value of a control; ``otherwise`` if it was not sent or is invalid. Invalid input is
        noted."""
        key = form.add_prefix(name)
        if name not in form.fields or key not in form.data:
            return otherwise
        text = str(form.data.get(key, ""))
        try:
            if errors := form.errors.get(name):
                raise ValueError(" ".join(errors))
            return parse(form.cleaned_data[name])
        except ValueError as error:
            self.refuse(key, text, str(error))
            return otherwise

    def refuse(self, key: str, text: str, message: str) -> None:
        """Note an invalid input of the control ``key``."""
        clean = text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:TYPED_LENGTH]
        self.invalid_inputs[key] = InvalidInput(clean, message)
