"""The choices of the last step: what is done after the last row, and when a job gives up."""

from __future__ import annotations

from typing import Any

from django import forms

from migrations_app.engine.plan import Options

VERIFY = [("counts", "Compare row counts"), ("none", "Do not verify")]
MOST_REJECTED = 2**31 - 1


class OptionsForm(forms.Form):
    """``Options`` of the plan. Nothing in ``max_rejected`` means no limit."""

    create_index = forms.BooleanField(label="Create indexes", required=False)
    load = forms.BooleanField(
        label="Load, so that it can be searched", required=False, help_text="Needs an index."
    )
    verify = forms.ChoiceField(
        choices=VERIFY,
        help_text="Counting may index and load a collection for the moment; what was found is put back.",
    )
    max_rejected = forms.IntegerField(
        label="Stop after so many rejected rows",
        required=False,
        min_value=0,
        max_value=MOST_REJECTED,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
        help_text="Rejected rows are kept with their reason. 0 stops at the first, empty never stops.",
    )

    def __init__(
        self, options: Options, data: Any = None, *, metrics: str = "", needs_index: bool = True
    ) -> None:
        super().__init__(data, initial=options.model_dump())
        self.needs_index = needs_index
        if metrics:
            self.fields["create_index"].help_text = f"AUTOINDEX, metric {metrics}."
        if not needs_index:
            self.fields["load"].help_text = ""
        for field in self.fields.values():
            field.width = "full"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("load") and self.needs_index and not cleaned.get("create_index"):
            self.add_error("load", "Only an indexed collection can be loaded: tick “Create indexes”, too.")
        return cleaned

    def options(self, before: Options) -> Options:
        """The options as chosen; what this page does not show stays as it was."""
        return before.model_copy(update=self.cleaned_data)
