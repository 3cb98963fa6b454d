"""The choices of the last step: how much is moved and how fast, what is done after the last row."""

from __future__ import annotations

from typing import Any

from django import forms
from django.forms.boundfield import BoundField

from migrations_app.engine.model.plan import Options

VERIFY = [("counts", "Compare row counts"), ("none", "Do not verify")]
MOST = 2**31 - 1


PACE = ("limit_rows", "source_rows_per_second")


def _limit(label: str, help_text: str, least: int = 0) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        help_text=help_text,
        required=False,
        min_value=least,
        max_value=MOST,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )


class OptionsForm(forms.Form):
    """``Options`` of the plan. Nothing in a number means no limit."""

    limit_rows = _limit("Only the first rows of each", "Empty: all of them.", least=1)
    source_rows_per_second = _limit(
        "Rows read per second, at most",
        "Spares the source. Without one: as fast as the target takes them.",
        least=1,
    )

    create_index = forms.BooleanField(label="Create indexes", required=False)
    load = forms.BooleanField(
        label="Load, so that it can be searched", required=False, help_text="Needs an index."
    )
    verify = forms.ChoiceField(
        choices=VERIFY,
        help_text="Counting may index and load a collection for the moment; what was found is put back.",
    )
    max_rejected = _limit(
        "Stop after so many rejected rows",
        "Rejected rows are kept with their reason. 0 stops once there is one, empty never stops.",
    )

    def __init__(
        self, options: Options, data: Any = None, *, indexes: str = "", needs_index: bool = True
    ) -> None:
        super().__init__(data, initial=options.model_dump())
        self.needs_index = needs_index
        if indexes:
            self.fields["create_index"].help_text = f"{indexes}."
        if not needs_index:
            self.fields["load"].help_text = ""
        for field in self.fields.values():
            field.width = "full"

    @property
    def pace(self) -> list[BoundField]:
        """The controls of how much and how fast."""
        return [self[name] for name in PACE]

    @property
    def afterwards(self) -> list[BoundField]:
        return [field for field in self if field.name not in PACE]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("load") and self.needs_index and not cleaned.get("create_index"):
            self.add_error("load", "Only an indexed collection can be loaded: tick “Create indexes”, too.")
        return cleaned

    def options(self, before: Options) -> Options:
        """The options as chosen; what this page does not show stays as it was."""
        return before.model_copy(update=self.cleaned_data)
