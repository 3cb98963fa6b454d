"""Options of the source: reads the sent form into the mapping table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from console.model_forms.form import given, values_of
from console.schema.forms.source_options import SourceOptionsForm
from console.schema.parse.submitted import SubmittedForm
from console.schema.table import MappingTable
from migrations_app.engine.endpoint import SettingsModel


def read_source_options(
    table: MappingTable, model: type[SettingsModel], data: Mapping[str, Any], submitted: SubmittedForm
) -> MappingTable:
    """Return the table with the sent options. An option that is invalid keeps its last valid value."""
    form = SourceOptionsForm(model, table, data)
    # A checkbox that is off is not sent. The target name is always sent, so it shows that the form was sent.
    if not form.fields or "target" not in data:
        return table
    for name, errors in form.errors.items():
        submitted.refuse(form.add_prefix(name), str(data.get(form.add_prefix(name), "")), " ".join(errors))
    before = table.plan.source_options
    kept = {name: value for name, value in before.items() if name in form.errors}
    try:
        options = values_of(model, given(form.cleaned_data) | kept)
    except ValidationError:  # the valid inputs do not go with the last valid values
        options = before
    return replace(table, plan=table.plan.model_copy(update={"source_options": options}))
