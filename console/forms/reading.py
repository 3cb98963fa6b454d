"""The mapping table as it was sent, read back into its sheet.

What is typed and is no value is not refused: the sheet keeps it with the reason, and the plan keeps the last
value that was one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django import forms

from console.forms.mapping import KEEP, CollectionForm, FieldForm, type_value
from console.forms.values import PARSERS, whole
from console.sheet import TYPED_LENGTH, Fate, Row, Sheet, Typed, completed, key_of
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.plan import FieldPlan
from migrations_app.engine.schema import KEY_TYPES, MilvusType


@dataclass
class _Reading:
    """Collects what is no value while a form is read."""

    typed: dict[str, Typed]

    def take(self, form: forms.Form, name: str, parse: Callable[[str], Any], otherwise: Any) -> Any:
        """The value in a control; ``otherwise`` where it was not sent or is none, which is then noted."""
        key = form.add_prefix(name)
        if name not in form.fields or key not in form.data:
            return otherwise
        text = str(form.data.get(key, ""))
        try:
            if errors := form.errors.get(name):
                raise ValueError(" ".join(errors))
            return parse(form.cleaned_data[name])
        except ValueError as error:
            clean = text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:TYPED_LENGTH]
            self.typed[key] = Typed(clean, str(error))
            return otherwise


def read(
    sheet: Sheet, has: Capabilities, data: Mapping[str, Any], locked: frozenset[str] = frozenset()
) -> Sheet:
    """The sheet as a form sent it. What was not sent stays as it was; nothing sent can make it fail."""
    reading = _Reading({})
    form = CollectionForm(sheet, has, locked, data)
    partition = reading.take(form, "partition_key", str, form.initial["partition_key"])
    sheet = _read_collection(sheet, has, form, reading)
    planned: list[FieldPlan] = []
    spare: dict[str, FieldPlan] = {}
    partition_key = None
    for row in sheet.rows(has):
        settings, fate = _read_row(row, sheet, has, data, locked, reading)
        if row.source.name == partition and fate is not Fate.LEFT and _may_partition(row, settings):
            partition_key, fate = settings.target, Fate.FIXED
            settings = settings.model_copy(update={"nullable": False})
        if fate is not Fate.FIXED and row.choice is not None:
            spare[row.source.name] = settings
        if fate is not Fate.LEFT:
            planned.append(_planned(settings, fate))
    plan = sheet.plan.model_copy(update={"fields": planned, "partition_key": partition_key})
    return completed(replace(sheet, plan=plan, spare=spare, typed=reading.typed, is_edited=True), has)


def _read_collection(sheet: Sheet, has: Capabilities, form: CollectionForm, reading: _Reading) -> Sheet:
    plan = sheet.plan
    keep = reading.take(form, "key", lambda value: value == KEEP, sheet.keeps_key)
    changes = {
        "target": reading.take(form, "target", str, plan.target),
        "description": reading.take(form, "description", str, plan.description),
        "shards": reading.take(form, "shards", whole, plan.shards),
        "key": key_of(sheet.schema, has, keep=keep),
    }
    # A tick that is taken away is not sent: the target's name, always there, tells that the form was.
    if "target" in form.data:
        ticks = ("dynamic_field", "keep_source_key")
        changes |= {name: name in form.data for name in ticks if name in form.fields}
    return replace(sheet, plan=plan.model_copy(update=changes))


def _read_row(
    row: Row,
    sheet: Sheet,
    has: Capabilities,
    data: Mapping[str, Any],
    locked: frozenset[str],
    reading: _Reading,
) -> tuple[FieldPlan, Fate]:
    """The settings of a row and what becomes of it."""
    form = FieldForm(row, sheet, has, locked, data)
    if row.reason:
        return row.settings, Fate.LEFT
    if form.add_prefix("target") not in data:
        # Not on the page that was sent. The old key of Auto ID was not, until it is kept.
        is_new = row.is_key or sheet.is_old_key(row.source.name)
        return row.settings, Fate.FIXED if is_new else row.fate
    settings = _read_type(row, form, reading)
    settings = settings.model_copy(update={"target": reading.take(form, "target", str, settings.target)})
    moves = row.is_key or form.add_prefix("include") in data
    if "on_null" not in form.fields or row.choice is None:
        return settings, Fate.FIXED if moves else Fate.LEFT
    settings, is_dynamic = _read_nulls(settings, form, reading)
    return settings, Fate.LEFT if not moves else Fate.DYNAMIC if is_dynamic else Fate.FIXED


def _read_type(row: Row, form: FieldForm, reading: _Reading) -> FieldPlan:
    """Type and lengths. Where the type changed, lengths are proposed anew, and values of the old one go."""
    by_value = {type_value(choice.spec): choice.spec for choice in row.choices}
    now = row.choice.spec if row.choice else None
    chosen = reading.take(form, "type", by_value.__getitem__, now) if row.choice else None
    if chosen is None:
        return row.settings
    if chosen != now:
        changes = {"max_length": chosen.max_length, "max_capacity": chosen.max_capacity}
        changes |= {"default": None, "fill_null": None}
    else:
        sizes = ("max_length", "max_capacity")
        changes = {s: reading.take(form, s, whole, getattr(row.settings, s)) for s in sizes}
    changes |= {"type": str(chosen.type), "dim": row.settings.dim or chosen.dim}
    changes["element_type"] = str(chosen.element_type) if chosen.element_type else None
    return row.settings.model_copy(update=changes)


def _read_nulls(settings: FieldPlan, form: FieldForm, reading: _Reading) -> tuple[FieldPlan, bool]:
    """Default, and what becomes of NULL; whether the field goes into the dynamic field for it."""
    of = MilvusType(settings.type or MilvusType.VARCHAR)
    parse = PARSERS.get(of, str)
    nullable = "nullable" in form.fields and form.add_prefix("nullable") in form.data
    default = reading.take(form, "default", lambda text: parse(text) if text else None, settings.default)
    rule = reading.take(form, "on_null", str, "reject") or "reject"
    fill = None
    if rule == "fill" and not nullable:
        fill = reading.take(form, "fill_null", parse, settings.fill_null)
    update = {"nullable": nullable, "default": default, "fill_null": fill}
    return settings.model_copy(update=update), rule == "dynamic" and not nullable


def _may_partition(row: Row, settings: FieldPlan) -> bool:
    return not (row.is_key or row.reason) and settings.type in KEY_TYPES


def _planned(settings: FieldPlan, fate: Fate) -> FieldPlan:
    """The settings as the plan holds them."""
    if fate is Fate.DYNAMIC:
        off = {"target": None, "nullable": None, "default": None, "fill_null": None}
        return settings.model_copy(update={"dynamic": True, "as_": settings.target, **off})
    return settings.model_copy(update={"dynamic": False, "as_": None})
