"""Form of one row of the mapping table. ``schema.parse`` reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import forms

from console.schema.control_values import shown
from console.schema.forms.index import IndexChoice
from console.schema.table import FieldRow, MappingTable, Placement
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.names import MAX_BYTES
from migrations_app.engine.model.plan import IndexPlan
from migrations_app.engine.model.source_schema import TypeChoice
from migrations_app.engine.model.types import INTEGER_TYPES, MilvusType
from migrations_app.engine.planning.added_fields import NO_DEFAULT
from migrations_app.engine.planning.index_defaults import default_metric, is_guess

VALUE_LENGTH = 70_000
NOTE_LENGTH = 24
_CLAUSE = re.compile(r"\s*[;:.,(]")
NULL_RULES = {
    "dynamic": "move the field to the dynamic field",
    "fill": "null: replace with",
    "reject": "null: reject the row",
}
ABSENT_RULES = {
    "skip": "skip row",
    "reject": "reject row",
    "empty": "store empty",
    "null": "store null",
}
TOO_LONG = {"reject": "reject the row", "truncate": "truncate the text"}
TYPE_MISMATCH_CHOICES = {"reject": "reject the row", "dynamic": "put it into the dynamic field"}


class FieldForm(forms.Form):
    """The controls of one row, as far as its type, its placement and the target allow a choice."""

    include = forms.BooleanField(required=False)
    target = forms.CharField(required=False, max_length=MAX_BYTES)

    def __init__(
        self,
        row: FieldRow,
        table: MappingTable,
        capabilities: Capabilities,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, prefix=row.anchor, initial=_field_initial(row, table, capabilities))
        self.row = row
        for key, control in _controls(row, table, capabilities).items():
            self.fields[key] = control
            control.required = False


def _controls(row: FieldRow, table: MappingTable, capabilities: Capabilities) -> dict[str, forms.Field]:
    controls: dict[str, forms.Field] = {}
    choice = row.choice
    if choice is None:
        return controls
    if len(row.choices) > 1:
        controls["type"] = forms.ChoiceField(choices=[(type_value(c), _label(c)) for c in row.choices])
    is_fixed = row.placement is not Placement.DYNAMIC  # values in the dynamic field have no maximum length
    if is_fixed and MilvusType.VARCHAR in (choice.spec.type, choice.spec.element_type):
        controls["max_length"] = _number()
    if is_fixed and choice.spec.type is MilvusType.ARRAY:
        controls["max_capacity"] = _number()
    if is_fixed and _may_raise(row, table, capabilities):
        controls["raise_limit"] = forms.BooleanField(widget=forms.HiddenInput)  # a button sends it
    if choice.spec.type.is_vector and is_fixed:
        controls |= index_choice(row, table, capabilities).controls()
    if choice.spec.type.is_vector and is_fixed and row.source.nullable:
        controls["absent"] = forms.ChoiceField(
            label="Rows without this vector", choices=absent_choices(row, table, capabilities)
        )
    if choice.spec.type.is_vector or row.is_key:
        return controls
    if row.added is not None:
        return controls | _value_of_all(capabilities, choice.spec.type)
    if not is_fixed and capabilities.nullable:  # a button makes it a field again
        return controls | {"dynamic": forms.BooleanField(widget=forms.HiddenInput)}
    controls |= _null_controls(row, table, capabilities, choice.spec.type)
    if "max_length" in controls:
        controls["too_long"] = forms.ChoiceField(label="Too long", choices=list(TOO_LONG.items()))
    if is_fixed and table.plan.dynamic_field and not row.is_partition_key:
        is_of_any_type = choice.spec.type is MilvusType.JSON and not row.source.opened_from
        if row.source.is_sampled and not is_of_any_type:
            controls["misfit"] = forms.ChoiceField(
                label="Type mismatch", choices=list(TYPE_MISMATCH_CHOICES.items())
            )
        controls["dynamic"] = forms.BooleanField()  # a button of the row sends it
    return controls


def _may_raise(row: FieldRow, table: MappingTable, capabilities: Capabilities) -> bool:
    """True if the target can raise the limit of the field in the collection that rows are added to."""
    limit = row.choice.spec.raisable_limit if row.choice else ""
    return table.added_to is not None and not row.is_key and limit in capabilities.raisable


def index_choice(row: FieldRow, table: MappingTable, capabilities: Capabilities) -> IndexChoice:
    """Return what can be chosen for the index on a vector; for one that is not moved now, the default."""
    assert row.choice is not None
    of, target = row.choice.spec.type, row.settings.target
    if row.placement is Placement.FIXED:
        return IndexChoice(of, table.index_on(target), row.source, capabilities)
    metric = default_metric(of, row.source)
    index = IndexPlan(field=target or "", metric=metric, guessed=is_guess(of, row.source)) if metric else None
    return IndexChoice(of, index, row.source, capabilities)


def absent_choices(row: FieldRow, table: MappingTable, capabilities: Capabilities) -> list[tuple[str, str]]:
    """Return the rules for rows without this vector that the target allows."""
    is_sparse = row.choice is not None and row.choice.spec.type is MilvusType.SPARSE_FLOAT_VECTOR
    offered = {"skip", "reject"} | ({"empty"} if is_sparse and capabilities.empty_sparse else set())
    if capabilities.null_vectors and (table.fixed_schema is None or row.settings.nullable):
        offered.add("null")
    rule = table.plan.absent_rule(row.settings)
    return [(key, words) for key, words in ABSENT_RULES.items() if key in offered or key == rule]


def _value_of_all(capabilities: Capabilities, of: MilvusType) -> dict[str, forms.Field]:
    """Return the controls of an added field, which has the same value, or no value, in all rows."""
    nullable = {"nullable": forms.BooleanField()} if capabilities.nullable else {}
    return {**nullable, "default": _value_control(of, "no value")}


def _null_controls(
    row: FieldRow, table: MappingTable, capabilities: Capabilities, of: MilvusType
) -> dict[str, forms.Field]:
    """Return the controls for NULL and for the default value."""
    controls: dict[str, forms.Field] = {}
    is_never_null = row.is_partition_key or (row.is_searched and not capabilities.full_text_null)
    if capabilities.nullable and not is_never_null:
        controls["nullable"] = forms.BooleanField()
    if capabilities.default_values and of not in NO_DEFAULT:
        controls["default"] = _value_control(of, "no default")
    may_be_dynamic = table.plan.dynamic_field and not (row.is_partition_key or row.is_searched)
    may_be_dynamic = may_be_dynamic or row.placement is Placement.DYNAMIC
    rules = [(key, words) for key, words in NULL_RULES.items() if key != "dynamic" or may_be_dynamic]
    controls["on_null"] = forms.ChoiceField(choices=rules)
    controls["fill_null"] = _value_control(of, "false")
    return controls


def _value_control(of: MilvusType, nothing: str) -> forms.Field:
    if of is MilvusType.BOOL:
        return forms.ChoiceField(choices=[("", nothing), ("true", "true"), ("false", "false")])
    attrs = {"inputmode": "numeric"} if of in INTEGER_TYPES else {}
    return forms.CharField(max_length=VALUE_LENGTH, strip=False, widget=forms.TextInput(attrs=attrs))


def _number() -> forms.Field:
    return forms.CharField(max_length=10, widget=forms.TextInput(attrs={"inputmode": "numeric"}))


def type_value(choice: TypeChoice) -> str:
    """Return a type as the form sends it, with the type of its elements or the encoding of its bytes."""
    detail = choice.spec.element_type or choice.encoding
    return f"{choice.spec.type}:{detail}" if detail else str(choice.spec.type)


def _label(choice: TypeChoice) -> str:
    """Return a label that fits the narrow column: the type and the first words of its note, if they are few.
    The full note of the chosen type is shown below the control."""
    note = _CLAUSE.split(choice.note.rstrip("."))[0]
    return f"{choice.spec} · {note}" if 0 < len(note) <= NOTE_LENGTH else str(choice.spec)


def _field_initial(row: FieldRow, table: MappingTable, capabilities: Capabilities) -> dict[str, Any]:
    settings = row.settings
    rule = "fill" if settings.fill_null is not None else _default_rule(row, table)
    values = {
        "include": row.placement is not Placement.LEFT,
        "target": settings.target,
        "type": type_value(row.choice) if row.choice else "",
        "max_length": settings.max_length,
        "max_capacity": settings.max_capacity,
        "nullable": bool(settings.nullable) and row.placement is not Placement.DYNAMIC,
        "default": shown(_default(row)),
        "on_null": "dynamic" if row.placement is Placement.DYNAMIC else rule,
        "fill_null": shown(settings.fill_null),
        "absent": table.plan.absent_rule(settings),
        "too_long": settings.too_long,
        "raise_limit": "on" if settings.raise_limit else "",
        "misfit": settings.misfit or "reject",
        "dynamic": "on" if row.placement is Placement.DYNAMIC else "",
    }
    if row.choice is not None and row.choice.spec.type.is_vector:
        values |= index_choice(row, table, capabilities).initial()
    prefix = f"{row.anchor}-"
    invalid_inputs = {
        name.removeprefix(prefix): invalid.text
        for name, invalid in table.invalid_inputs.items()
        if name.startswith(prefix)
    }
    return values | invalid_inputs


def _default(row: FieldRow) -> Any:
    """Return the default value; for an added field of a target without default values, the value of all
    rows."""
    settings = row.settings
    return settings.fill_null if settings.default is None and row.added is not None else settings.default


def _default_rule(row: FieldRow, table: MappingTable) -> str:
    """Return the rule for NULL that is selected when *Nullable* is turned off."""
    # A fixed field that is not nullable already rejects NULL.
    may_be_null = row.placement is Placement.LEFT or bool(row.settings.nullable)
    may_be_null = may_be_null and row.source.nullable and not row.is_searched
    return "dynamic" if may_be_null and table.plan.dynamic_field else "reject"
