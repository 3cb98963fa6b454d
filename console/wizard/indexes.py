"""Indexes card of the last step: the metric, type and parameters of the index on each vector."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.forms.boundfield import BoundField

from console.draft import contents
from console.schema import tables
from console.schema.defaults import completed
from console.schema.forms.index import PARAM, IndexChoice
from console.schema.table import MappingTable
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.plan import IndexPlan
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.planning.index_defaults import copied_outputs
from migrations_app.models import Draft


class IndexForm(forms.Form):
    """The controls of the index on one vector. ``index`` is the chosen index after ``is_valid``."""

    def __init__(self, choice: IndexChoice, field: str, prefix: str, data: Mapping[str, Any] | None) -> None:
        super().__init__(data, prefix=prefix, initial=choice.initial())
        self.choice, self.field, self.index = choice, field, choice.index
        self.fields.update(choice.controls())
        for control in self.fields.values():
            control.required = False

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self.index = self.choice.read(self._take, self.field)
        return cleaned

    def _take(self, name: str, parse: Callable[[str], Any], otherwise: Any) -> Any:
        if name not in self.cleaned_data or self.add_prefix(name) not in self.data:
            return otherwise
        try:
            return parse(self.cleaned_data[name])
        except ValueError as error:
            self.add_error(name, str(error))
            return otherwise

    @property
    def params(self) -> list[BoundField]:
        return [self[name] for name in self.fields if name.startswith(PARAM)]


@dataclass(frozen=True, slots=True)
class IndexLine:
    """A line of the card. ``place`` is the number of the collection."""

    place: int
    collection: str
    form: IndexForm

    @property
    def name(self) -> str:
        return f"{self.collection}.{self.form.field}"

    @property
    def metric(self) -> BoundField | None:
        return self.form["metric"] if "metric" in self.form.fields else None

    @property
    def type(self) -> BoundField | None:
        return self.form["index_type"] if "index_type" in self.form.fields else None


def lines_of(draft: Draft, data: Mapping[str, Any] | None = None) -> list[IndexLine]:
    """Return a line for each vector of the collections that the job creates."""
    facts = contents.target_facts(draft)
    if facts is None:
        return []
    return [
        IndexLine(place, table.plan.target or "", IndexForm(choice, field, f"i{place}-{number}", data))
        for place, table in enumerate(tables.of(draft))
        if table.added_to is None
        for number, (field, choice) in enumerate(_choices(table, facts.capabilities))
    ]


def _choices(table: MappingTable, capabilities: Capabilities) -> Iterator[tuple[str, IndexChoice]]:
    for field in table.plan.fields or ():
        if field.target and field.type and not field.dynamic and MilvusType(field.type).is_vector:
            of, source = MilvusType(field.type), table.schema.field(field.source or "")
            yield field.target, IndexChoice(of, table.index_on(field.target), source, capabilities)
    made = {entry.output: MilvusType.SPARSE_FLOAT_VECTOR for entry in table.plan.full_text}
    made |= {field.name: field.spec.type for field in copied_outputs(table.plan, table.copied)}
    for name, of in made.items():
        if (index := table.index_on(name)) is not None:
            yield name, IndexChoice(of, index, None, capabilities)


def save(draft: Draft, lines: Sequence[IndexLine]) -> Draft:
    """Store the indexes of valid lines in the mapping tables, as far as they have changed."""
    facts = contents.target_facts(draft)
    assert facts is not None
    for place, table in enumerate(tables.of(draft)):
        chosen = {line.form.field: line.form.index for line in lines if line.place == place}
        if any(table.index_on(field) != index for field, index in chosen.items()):
            kept = [index for index in table.plan.indexes or () if index.field not in chosen]
            indexes: list[IndexPlan] = [*filter(None, chosen.values()), *kept]
            plan = table.plan.model_copy(update={"indexes": indexes})
            changed = completed(replace(table, plan=plan, is_edited=True), facts.capabilities)
            draft = tables.store(draft, changed)
    return draft
