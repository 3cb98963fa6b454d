"""Resume dialog: the limits that may be raised, and what a resumed job continues from."""

from __future__ import annotations

from typing import Any

from django import forms

from console.jobs.wording import kind_title
from migrations_app.engine.errors import FerryError
from migrations_app.engine.log import counted
from migrations_app.engine.model.plan import share_left_out
from migrations_app.models import Job
from migrations_app.reporting.report import job_totals
from migrations_app.services import resume_refusal
from migrations_app.services.resume import CHANGEABLE, rows_left_out, rows_rejected

MOST = 2**31 - 1


class ResumeForm(forms.Form):
    """New values for ``max_rejected`` and ``max_skipped``. An empty number of rows means no limit."""

    max_rejected = forms.IntegerField(
        label="Maximum rejected rows",
        required=False,
        min_value=0,
        max_value=MOST,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )
    max_skipped = forms.IntegerField(
        label="Maximum rejected and skipped rows in percent",
        help_text="Of each collection. With more, the job ends Failed; arrived rows stay.",
        min_value=0,
        max_value=100,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )

    def __init__(self, data: Any, initial: dict[str, Any], rejected: int) -> None:
        super().__init__(data, initial=initial)
        already = f" {rejected:,} {'was' if rejected == 1 else 'were'} rejected so far." if rejected else ""
        self.fields["max_rejected"].help_text = f"Empty: never stop.{already}"
        for field in self.fields.values():
            field.width = "full"

    def changes(self) -> dict[str, Any]:
        """Return the options that the user changed."""
        values = {name: self.cleaned_data[name] for name in self.changed_data}
        if "max_skipped" in values:
            values["max_skipped"] /= 100
        return values

    def refuse(self, error: FerryError) -> None:
        """Show an error at its field, or above the form."""
        field = error.field if error.field in CHANGEABLE else None
        self.add_error(field, f"{error.message} {error.hint}".strip())


def form_of(job: Job, data: Any = None) -> ResumeForm:
    """Return the form with the limits of the plan. Where the job reached a limit, the sent form has to raise
    it, and the form to fill in proposes a higher one."""
    most, skipped = job.options.max_rejected, job.options.max_skipped
    rejected = job_totals(job).rows_rejected
    initial = {"max_rejected": most, "max_skipped": round(100 * skipped)}
    form = ResumeForm(data, initial, rejected)
    if data is None:
        if most is not None and rows_rejected(job) > most:
            form.initial["max_rejected"] = _round_up(2 * rejected)
        rows = [row for row in rows_left_out(job) if row.left_out < row.rows_read]
        shares = [share_left_out(row.left_out, row.rows_read) for row in rows]
        if shares and max(shares) > skipped:
            form.initial["max_skipped"] = round(100 * max(shares))
    return form


def _round_up(number: int) -> int:
    """Round up to one significant digit: 2,002 becomes 3,000."""
    unit: int = 10 ** (len(str(number)) - 1)
    return -(-number // unit) * unit


def context(job: Job, form: ResumeForm) -> dict[str, Any]:
    """Return the context of ``jobs/resume.html``."""
    done = job_totals(job)
    refusal = resume_refusal(job)
    total = done.rows_total
    rows = counted(done.rows_written, "row") if total is None else f"{done.rows_written:,} of {total:,} rows"
    return {
        "job": {
            "public_id": job.public_id,
            "source_title": kind_title(job.kind),
            "source_name": job.source_name,
            "target_name": job.target_name,
        },
        "refusal": refusal.as_dict() if refusal else None,
        "form": form,
        "so_far": f"{rows} written so far" if done.rows_read else "Nothing was read yet",
    }
