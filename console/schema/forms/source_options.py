"""Form of the source's own options for a collection, built from the connector's ``Options`` model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.model_forms.form import ModelForm
from console.model_forms.widgets import MultiChoice
from console.schema.table import MappingTable
from migrations_app.engine.endpoint import SettingsModel

PREFIX = "source_options"


class SourceOptionsForm(ModelForm):
    """The options of the table's plan. An input that is not a valid value is shown as it was typed."""

    def __init__(
        self, model: type[SettingsModel], table: MappingTable, data: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(model, table.plan.source_options, data, prefix=PREFIX)
        for name, field in self.fields.items():
            invalid = table.invalid_inputs.get(self.add_prefix(name))
            if invalid is not None and not isinstance(field.widget, MultiChoice):
                self.initial[name] = invalid.text
