"""Row of the mapping table: reads the sent controls into the settings of its field and its placement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from console.schema.control_values import PARSERS, whole
from console.schema.forms.field import FieldForm, index_choice, type_value
from console.schema.parse.submitted import SubmittedForm
from console.schema.table import FieldRow, MappingTable, Placement
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.plan import FieldPlan, IndexPlan
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.preflight.rules.types import has_dim

# These options are reset when a field becomes the key.
KEY_OPTIONS = {"nullable": False, "default": None, "fill_null": None, "too_long": "reject", "misfit": None}
# These options are reset when a field of another type becomes a vector.
NO_OPTIONS = KEY_OPTIONS | {"nullable": None}


def read_row(
    row: FieldRow,
    before: FieldRow,
    table: MappingTable,
    capabilities: Capabilities,
    data: Mapping[str, Any],
    submitted: SubmittedForm,
) -> tuple[FieldPlan, Placement]:
    """Return the settings of a row and its placement.

    ``before`` is the row as it was on the page that was sent. That page had no controls for a row that could
    not be moved, and no NULL rules for a key.
    """
    row = _with_possible_type(row)
    if capabilities.nullable and before.placement is Placement.DYNAMIC and f"{row.anchor}-on_null" in data:
        # The NULL rule put the field into the dynamic field, but the page was not reloaded and still shows it
        # as a field.
        row = before = replace(row, placement=Placement.FIXED)
    form = FieldForm(row, table, capabilities, data)
    if row.reason:
        return row.settings, Placement.LEFT
    if form.add_prefix("target") not in data:
        return row.settings, Placement.FIXED if before.reason or row.is_key else row.placement
    settings = _read_type(row, form, submitted)
    settings = settings.model_copy(update={"target": submitted.take(form, "target", str, settings.target)})
    if row.is_key:
        return settings.model_copy(update=KEY_OPTIONS), Placement.FIXED
    moves = form.add_prefix("include") in data
    if row.choice is not None and row.choice.spec.type.is_vector:
        settings = _read_absent(settings, table, form, submitted)
    if row.choice is None or row.choice.spec.type.is_vector or is_vector(settings):
        settings = settings if row.is_vector else settings.model_copy(update=NO_OPTIONS)
        return settings, Placement.FIXED if moves else Placement.LEFT
    was_dynamic = before.placement is Placement.DYNAMIC and "on_null" not in form.fields
    if was_dynamic and form.add_prefix("dynamic") in data:
        return settings, Placement.DYNAMIC if moves else Placement.LEFT
    if before.is_key or was_dynamic:
        return settings.model_copy(update={"nullable": None}), Placement.FIXED if moves else Placement.LEFT
    settings, is_dynamic = _read_options(settings, form, submitted)
    return settings, Placement.LEFT if not moves else Placement.DYNAMIC if is_dynamic else Placement.FIXED


def is_vector(settings: FieldPlan) -> bool:
    """True if the type of the field is a vector."""
    return bool(settings.type) and MilvusType(settings.type).is_vector


def read_index(
    row: FieldRow,
    settings: FieldPlan,
    table: MappingTable,
    capabilities: Capabilities,
    data: Mapping[str, Any],
    submitted: SubmittedForm,
) -> IndexPlan | None:
    """Return the index of a vector field with the sent values; None if it gets no index. ``settings`` are the
    new settings of the row."""
    form = FieldForm(row, table, capabilities, data)
    if "metric" not in form.fields:
        return None
    choice = index_choice(row, table, capabilities)
    return choice.read(partial(submitted.take, form), settings.target or "")


def _with_possible_type(row: FieldRow) -> FieldRow:
    """Return the row without its type if this type is not possible now: as a key a field can have another
    type, such as INT64 for a smaller integer."""
    settings = row.settings
    kinds = {(choice.spec.type, choice.spec.element_type) for choice in row.choices}
    if not kinds or settings.type is None or (settings.type, settings.element_type) in kinds:
        return row
    sizes = dict.fromkeys(("type", "element_type", "max_length", "max_capacity"))
    return replace(row, settings=settings.model_copy(update=sizes))


def _read_type(row: FieldRow, form: FieldForm, submitted: SubmittedForm) -> FieldPlan:
    """Return the settings with the sent type and lengths. A new type gets its default lengths, and values of
    the old type are removed."""
    by_value = {type_value(choice): choice for choice in row.choices}
    now = row.choice
    taken = submitted.take(form, "type", by_value.__getitem__, now) if now else None
    if taken is None:
        return row.settings
    chosen = taken.spec
    if taken != now:
        changes = {"max_length": chosen.max_length, "max_capacity": chosen.max_capacity}
        changes |= {"default": None, "fill_null": None}
        changes["raise_limit"] = False
    else:
        sizes = ("max_length", "max_capacity")
        changes = {s: submitted.take(form, s, whole, getattr(row.settings, s)) for s in sizes}
        if "raise_limit" in form.fields:
            changes["raise_limit"] = bool(form.data.get(form.add_prefix("raise_limit")))
    dim = (row.settings.dim or chosen.dim) if has_dim(chosen) else None
    changes |= {"type": str(chosen.type), "dim": dim, "encoding": taken.encoding or None}
    changes["element_type"] = str(chosen.element_type) if chosen.element_type else None
    return row.settings.model_copy(update=changes)


def _read_absent(
    settings: FieldPlan, table: MappingTable, form: FieldForm, submitted: SubmittedForm
) -> FieldPlan:
    """Return the settings of a vector with the rule for rows without it. NULL needs a nullable field."""
    now = table.plan.absent_rule(settings)
    rule = submitted.take(form, "absent", str, now) or now
    if rule == now:
        return settings
    nullable = settings.nullable if table.fixed_schema is not None else rule == "null"
    return settings.model_copy(update={"absent": rule, "nullable": nullable})


def _read_options(settings: FieldPlan, form: FieldForm, submitted: SubmittedForm) -> tuple[FieldPlan, bool]:
    """Return the settings with the rules for NULL, long text and type mismatches; and True if the field goes
    into the dynamic field."""
    of = MilvusType(settings.type or MilvusType.VARCHAR)
    parse = PARSERS.get(of, str)
    nullable = "nullable" in form.fields and form.add_prefix("nullable") in form.data
    default = submitted.take(form, "default", lambda text: parse(text) if text else None, settings.default)
    rule = "" if nullable else submitted.take(form, "on_null", str, "reject")
    fill = submitted.take(form, "fill_null", parse, settings.fill_null) if rule == "fill" else None
    misfit = submitted.take(form, "misfit", str, None) or None
    if misfit == "dynamic" and settings.nullable and not nullable and (default, fill) == (None, None):
        misfit = None  # the field has no value any more for rows with a type mismatch
    is_text = MilvusType.VARCHAR in (settings.type, settings.element_type)
    too_long = submitted.take(form, "too_long", str, "reject") or "reject"
    update = {
        "nullable": nullable,
        "default": default,
        "fill_null": fill,
        "too_long": too_long if is_text else "reject",
        "misfit": misfit,
    }
    is_dynamic = "dynamic" in form.fields and form.add_prefix("dynamic") in form.data
    return settings.model_copy(update=update), is_dynamic or rule == "dynamic"
