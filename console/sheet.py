"""The mapping table of one collection: what the source has, and what is to become of each field.

A sheet is the collection's part of the plan and, beside it, what a plan has no place for: the settings of
fields that are left out, and what was typed that is no value yet. No HTTP, no forms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from pydantic import ValidationError

from console.stored import schema_from_json, schema_to_json
from migrations_app.engine import proposal
from migrations_app.engine.choices import key_choice
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.plan import CollectionPlan, FieldPlan
from migrations_app.engine.schema import CollectionSchema, SourceField, TypeChoice

TYPED_LENGTH = 1_000
OPEN = "open"  # the key of every source's selection that names the columns to be opened


class Fate(Enum):
    """What becomes of a source field."""

    FIXED = "a field of the collection"
    DYNAMIC = "a key of the dynamic field"
    LEFT = "left out"


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in a control though it is no value, and why it is none."""

    text: str
    message: str


@dataclass(frozen=True, slots=True)
class Row:
    """One source field in the table. ``settings`` are its own, also while it is left out; ``reason`` says why
    it cannot move, empty where it can."""

    source: SourceField
    settings: FieldPlan
    fate: Fate
    choices: tuple[TypeChoice, ...] = ()
    is_key: bool = False
    is_partition_key: bool = False
    reason: str = ""

    @property
    def anchor(self) -> str:
        return anchor(self.source.name)

    @property
    def choice(self) -> TypeChoice | None:
        """The type it is to have, among those it may have."""
        settings = self.settings
        wanted = (settings.type, settings.element_type)
        found = [c for c in self.choices if (c.spec.type, c.spec.element_type) == wanted]
        return (found or [*self.choices, None])[0]


@dataclass(frozen=True, slots=True)
class Sheet:
    """``spare`` are the settings of the fields that are not fixed ones now, ``typed`` by the control's name.
    ``is_edited`` tells a proposal from what a person has changed."""

    schema: CollectionSchema
    plan: CollectionPlan
    spare: Mapping[str, FieldPlan] = field(default_factory=dict)
    typed: Mapping[str, Typed] = field(default_factory=dict)
    is_edited: bool = False

    @property
    def narrowing(self) -> dict[str, Any]:
        """What of the collection is moved, where that is not all of it."""
        return {key: value for key, value in self.plan.select.items() if key != OPEN and value}

    def is_old_key(self, name: str) -> bool:
        """Whether this is the source's key, given up for Auto ID."""
        key = self.schema.key
        return self.plan.is_auto_id and key is not None and key.columns == (name,)

    def rows(self, has: Capabilities) -> list[Row]:
        """A row for each field of the source, in its order, as this target can take it."""
        planned = {f.source: f for f in self.plan.fields or () if f.source is not None}
        return [self._row(source, planned.get(source.name), has) for source in self.schema.fields]

    def _row(self, source: SourceField, planned: FieldPlan | None, has: Capabilities) -> Row:
        is_key = source.name in self.plan.key_columns
        choices = tuple(c for c in source.choices if c.spec.type in has.types)
        if is_key:
            choices = tuple(c for c in (key_choice(source, has),) if c)
        spare = self.spare.get(source.name, FieldPlan(source=source.name, target=source.name))
        fate = Fate.LEFT if planned is None else Fate.DYNAMIC if planned.dynamic else Fate.FIXED
        settings = spare if planned is None else planned
        if fate is Fate.DYNAMIC:
            assert planned is not None
            settings = planned.model_copy(update={"target": planned.as_ or source.name})
        return Row(
            source,
            settings,
            fate,
            choices,
            is_key=is_key,
            is_partition_key=fate is Fate.FIXED and settings.target == self.plan.partition_key,
            reason=self._reason(source, choices, has),
        )

    def _reason(self, source: SourceField, choices: tuple[TypeChoice, ...], has: Capabilities) -> str:
        if not source.choices:
            return source.left_out or "Milvus has no type for it"
        if not choices:
            return f"{source.choices[0].spec.type} {has.missing(source.choices[0].spec.type)}"
        if self.is_old_key(source.name) and not self.plan.keep_source_key:
            return "Auto ID makes new keys; it can be kept as an ordinary field below"
        return ""


def anchor(source_name: str) -> str:
    """The name of a row's place on the page and of its controls: the same for the same field, whatever is
    in its name."""
    return "f" + hashlib.sha256(source_name.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def proposed(
    schema: CollectionSchema,
    has: Capabilities,
    target: str | None = None,
    select: Mapping[str, Any] | None = None,
) -> Sheet:
    """The sheet as it is first shown. ``target``: another name than the collection's own; ``select``: what of
    it was described."""
    asked = CollectionPlan(source=schema.name, target=target, select=dict(select or {}))
    plan = proposal.complete(asked, schema, has)
    return Sheet(schema, plan, _spare(schema, plan, has))


def _spare(schema: CollectionSchema, plan: CollectionPlan, has: Capabilities) -> dict[str, FieldPlan]:
    """What would be proposed for the fields that the plan does not make fixed ones."""
    fixed = {f.source for f in plan.fields or () if not f.dynamic}
    names = [f.name for f in schema.fields if f.choices and f.name not in fixed]
    # A target name alone keeps a field from being proposed for the dynamic field.
    fields = [FieldPlan(source=name, target=name) for name in names]
    asked = plan.model_copy(update={"fields": fields, "indexes": None, "partition_key": None})
    found = proposal.complete(asked, schema, has).fields or ()
    return {f.source: f for f in found if f.source in names}


def completed(sheet: Sheet, has: Capabilities) -> Sheet:
    """The sheet with all that follows from its settings filled in: lengths of a new type, the name of an
    Auto ID key, the indexes."""
    plan = sheet.plan.model_copy(update={"indexes": None, "key_name": None})
    return replace(sheet, plan=proposal.complete(plan, sheet.schema, has))


def to_json(sheet: Sheet) -> dict[str, Any]:
    """All but the plan, which stands in the draft's plan."""
    return {
        "schema": schema_to_json(sheet.schema),
        "spare": {name: f.model_dump(mode="json", by_alias=True) for name, f in sheet.spare.items()},
        "typed": {name: [typed.text, typed.message] for name, typed in sheet.typed.items()},
        "edited": sheet.is_edited,
    }


def from_json(data: Any, plan: Any) -> Sheet | None:
    """None where it was written by another version, or not at all."""
    try:
        schema = schema_from_json(data["schema"])
        if schema is None:
            return None
        return Sheet(
            schema,
            CollectionPlan.model_validate(plan),
            {name: FieldPlan.model_validate(f) for name, f in data["spare"].items()},
            {name: Typed(text, message) for name, (text, message) in data["typed"].items()},
            bool(data["edited"]),
        )
    except (ValidationError, KeyError, TypeError, ValueError, AttributeError):
        return None
