"""One row of the mapping table as it was sent: the settings of its field, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from console.schema.forms.field import FieldForm, type_value
from console.schema.parse.submitted import SubmittedForm
from console.schema.parse.values import PARSERS, whole
from console.schema.table import FieldRow, MappingTable, Placement
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.plan import FieldPlan
from migrations_app.engine.model.types import MilvusType

# What a key never has, whatever the field had before it became the key.
KEY_OPTIONS = {"nullable": False, "default": None, "fill_null": None, "too_long": "reject"}


def read_row(
    row: FieldRow,
    before: FieldRow,
    table: MappingTable,
    capabilities: Capabilities,
    data: Mapping[str, Any],
    locked: frozenset[str],
    submitted: SubmittedForm,
) -> tuple[FieldPlan, Placement]:
    """The settings of a row and what becomes of it. ``before`` is the row as it was on the page that was
    sent, which had no controls for one that could not move, and none for the NULLs of a key."""
    row = _with_a_type_it_may_have(row)
    if capabilities.nullable and before.placement is Placement.DYNAMIC and f"{row.anchor}-on_null" in data:
        # The page was not drawn anew since its NULLs sent it there: it still shows the field.
        row = before = replace(row, placement=Placement.FIXED)
    form = FieldForm(row, table, capabilities, locked, data)
    if row.reason:
        return row.settings, Placement.LEFT
    if form.add_prefix("target") not in data:
        return row.settings, Placement.FIXED if before.reason or row.is_key else row.placement
    settings = _read_type(row, form, submitted)
    settings = settings.model_copy(update={"target": submitted.take(form, "target", str, settings.target)})
    if row.is_key:
        return settings.model_copy(update=KEY_OPTIONS), Placement.FIXED
    moves = form.add_prefix("include") in data
    if row.choice is None or row.choice.spec.type.is_vector:
        return settings, Placement.FIXED if moves else Placement.LEFT
    was_dynamic = before.placement is Placement.DYNAMIC and "on_null" not in form.fields
    if was_dynamic and form.add_prefix("dynamic") in data:
        return settings, Placement.DYNAMIC if moves else Placement.LEFT
    if before.is_key or was_dynamic:
        return settings.model_copy(update={"nullable": None}), Placement.FIXED if moves else Placement.LEFT
    settings, is_dynamic = _read_options(settings, form, submitted)
    return settings, Placement.LEFT if not moves else Placement.DYNAMIC if is_dynamic else Placement.FIXED


def _with_a_type_it_may_have(row: FieldRow) -> FieldRow:
    """A key may be what the same field is not: an INT64 of a smaller number."""
    settings = row.settings
    kinds = {(choice.spec.type, choice.spec.element_type) for choice in row.choices}
    if not kinds or settings.type is None or (settings.type, settings.element_type) in kinds:
        return row
    sizes = dict.fromkeys(("type", "element_type", "max_length", "max_capacity"))
    return replace(row, settings=settings.model_copy(update=sizes))


def _read_type(row: FieldRow, form: FieldForm, submitted: SubmittedForm) -> FieldPlan:
    """Type and lengths. Where the type changed, lengths are proposed anew, and values of the old one go."""
    by_value = {type_value(choice.spec): choice.spec for choice in row.choices}
    now = row.choice.spec if row.choice else None
    chosen = submitted.take(form, "type", by_value.__getitem__, now) if row.choice else None
    if chosen is None:
        return row.settings
    if chosen != now:
        changes = {"max_length": chosen.max_length, "max_capacity": chosen.max_capacity}
        changes |= {"default": None, "fill_null": None}
    else:
        sizes = ("max_length", "max_capacity")
        changes = {s: submitted.take(form, s, whole, getattr(row.settings, s)) for s in sizes}
    changes |= {"type": str(chosen.type), "dim": row.settings.dim or chosen.dim}
    changes["element_type"] = str(chosen.element_type) if chosen.element_type else None
    return row.settings.model_copy(update=changes)


def _read_options(settings: FieldPlan, form: FieldForm, submitted: SubmittedForm) -> tuple[FieldPlan, bool]:
    """What becomes of NULL and of what does not fit; whether the field goes into the dynamic field."""
    of = MilvusType(settings.type or MilvusType.VARCHAR)
    parse = PARSERS.get(of, str)
    nullable = "nullable" in form.fields and form.add_prefix("nullable") in form.data
    default = submitted.take(form, "default", lambda text: parse(text) if text else None, settings.default)
    rule = "" if nullable else submitted.take(form, "on_null", str, "reject")
    fill = submitted.take(form, "fill_null", parse, settings.fill_null) if rule == "fill" else None
    is_text = MilvusType.VARCHAR in (settings.type, settings.element_type)
    too_long = submitted.take(form, "too_long", str, "reject") or "reject"
    update = {
        "nullable": nullable,
        "default": default,
        "fill_null": fill,
        "too_long": too_long if is_text else "reject",
        "misfit": submitted.take(form, "misfit", str, "reject") or "reject",
    }
    is_put_there = "dynamic" in form.fields and form.add_prefix("dynamic") in form.data
    return settings.model_copy(update=update), is_put_there or rule == "dynamic"
