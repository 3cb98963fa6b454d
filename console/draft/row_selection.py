"""Row selection: the form that selects rows of a collection, built from the connector's ``Selection``
model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from console.html_anchors import anchor
from console.model_forms.form import ModelForm, summary
from console.model_forms.widgets import MultiChoice
from migrations_app import endpoints
from migrations_app.engine.endpoint import SettingsModel
from migrations_app.engine.errors import FerryError
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import Source


class RowSelectionForm(ModelForm):
    """The ``select`` of collection ``name``."""

    def __init__(
        self,
        model: type[SettingsModel],
        name: str,
        select: Mapping[str, Any],
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(model, select, data, prefix=anchor(name), row=name)
        self.name, self.select = name, select

    @property
    def words(self) -> str:
        """Return a summary of the selection; empty if all rows are selected."""
        if self.errors:
            return ""
        return ", ".join(summary(self.model, self.values() if self.is_bound else self.select))

    @property
    def is_open(self) -> bool:
        """True if the form is shown unfolded: with errors, or as long as values of the source can be chosen
        and none is."""
        return bool(self.errors) or (any(self._unlisted()) and not self.words)

    def ask_values(self, source: Source, ctx: ReadContext, control: str = "") -> None:
        """Ask the source for the values of its controls, or only of the one with this HTML name."""
        ref = CollectionRef(self.name, dict(self.select))
        for key, widget in self._unlisted():
            if control in ("", self.add_prefix(key)):
                try:
                    with endpoints.looking(source, ctx):
                        widget.offer(source.choices(ref, key, ctx))
                except FerryError as error:
                    widget.error = error

    def _unlisted(self) -> Iterator[tuple[str, MultiChoice]]:
        """The controls whose values the source lists, but has not been asked for."""
        for key, field in self.fields.items():
            if isinstance(field.widget, MultiChoice) and field.widget.listed is None:
                yield key, field.widget


class BlankSelection:
    """The row selection of the collections of which all rows are selected. It is rendered once and then only
    given other names, because a page may have hundreds."""

    PLACE = "\ue000"  # stands for the name of the collection

    def __init__(self, model: type[SettingsModel]) -> None:
        form = RowSelectionForm(model, self.PLACE, {})
        self._html = render_to_string("wizard/_row_selection.html", {"form": form})

    def html(self, name: str) -> SafeString:
        made = self._html.replace(anchor(self.PLACE), anchor(name)).replace(self.PLACE, escape(name))
        return mark_safe(made)
