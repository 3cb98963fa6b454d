"""Form of the last step: row limit, read speed, and the actions after the rows are moved."""

from __future__ import annotations

from typing import Any

from django import forms
from django.forms.boundfield import BoundField

from migrations_app.engine.model.plan import Options

VERIFY = [("counts", "Compare row counts"), ("none", "Do not verify")]
MOST = 2**31 - 1
ROWS_AND_SPEED = ("limit_rows", "source_rows_per_second")


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
    """The ``Options`` of the plan. An empty number means no limit."""

    limit_rows = _limit(
        "Trial: first rows of each collection",
        "They go into “…_trial”. Afterwards one button moves everything. Empty: no trial, all rows.",
        least=1,
    )
    source_rows_per_second = _limit(
        "Maximum rows read per second",
        "Limits the load on the source. Empty: as fast as the target accepts rows.",
        least=1,
    )

    create_index = forms.BooleanField(label="Create indexes", required=False)
    load = forms.BooleanField(
        label="Load collections for search", required=False, help_text="Needs an index."
    )
    verify = forms.ChoiceField(
        choices=VERIFY,
        help_text="To count the rows, the job may index and load a collection, then it undoes this.",
    )
    max_rejected = _limit(
        "Maximum rejected rows",
        "Rejected rows are stored with the reason. 0: stop at the first one. Empty: never stop.",
    )

    max_skipped = forms.IntegerField(
        label="Maximum rejected and skipped rows in percent",
        help_text="Of each collection. With more, the job ends Failed; arrived rows stay. Empty: 50.",
        required=False,
        min_value=0,
        max_value=100,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )

    def __init__(self, options: Options, data: Any = None, *, needs_index: bool = True) -> None:
        share = round(100 * options.max_skipped)
        super().__init__(data, initial=options.model_dump() | {"max_skipped": share})
        self.needs_index = needs_index
        if not needs_index:
            self.fields["load"].help_text = ""
        for field in self.fields.values():
            field.width = "full"

    @property
    def rows_and_speed(self) -> list[BoundField]:
        """Return the controls of row limit and read speed."""
        return [self[name] for name in ROWS_AND_SPEED]

    @property
    def afterwards(self) -> list[BoundField]:
        return [field for field in self if field.name not in ROWS_AND_SPEED]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("load") and self.needs_index and not cleaned.get("create_index"):
            self.add_error("load", "Only an indexed collection can be loaded. Select “Create indexes” too.")
        return cleaned

    def options(self, before: Options) -> Options:
        """Return the chosen options; options that are not on this page do not change."""
        percent, share = self.cleaned_data["max_skipped"], before.max_skipped
        if "max_skipped" in self.changed_data:  # else a share that is no whole percentage stays as it is
            share = Options().max_skipped if percent is None else percent / 100
        return before.model_copy(update=self.cleaned_data | {"max_skipped": share})
