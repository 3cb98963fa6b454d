"""Values taken out of a sent form, one by one: what is no value is noted, and refuses nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django import forms

from console.schema.table import TYPED_LENGTH, InvalidInput


@dataclass
class SubmittedForm:
    """Collects what is no value, by its control's name, while a page is read."""

    invalid_inputs: dict[str, InvalidInput] = field(default_factory=dict)

    def take(self, form: forms.Form, name: str, parse: Callable[[str], Any], otherwise: Any) -> Any:
        """The value in a control; ``otherwise`` where it was not sent or is none, which is then noted."""
        key = form.add_prefix(name)
        if name not in form.fields or key not in form.data:
            return otherwise
        text = str(form.data.get(key, ""))
        try:
            if errors := form.errors.get(name):
                raise ValueError(" ".join(errors))
            return parse(form.cleaned_data[name])
        except ValueError as error:
            clean = text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:TYPED_LENGTH]
            self.invalid_inputs[key] = InvalidInput(clean, str(error))
            return otherwise
