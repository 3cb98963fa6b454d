"""The mapping table of one collection: what the source has, and what is to become of each field.

A sheet is the collection's part of the plan and, beside it, what a plan has no place for: the settings of
fields that are left out, and what was typed that is no value yet. No HTTP, no forms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pydantic import TypeAdapter, ValidationError

from console.anchors import added_anchor, anchor
from console.draft.snapshot import schema_from_json, schema_to_json
from console.schema.key_choices import is_joined
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.paths import OPEN, last_part, opened_columns
from migrations_app.engine.model.plan import CollectionPlan, FieldPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, TypeChoice
from migrations_app.engine.model.target_schema import TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.planning.type_choices import key_choice

TYPED_LENGTH = 1_000
# What an added field may be.
SCALARS = (
    *(MilvusType.VARCHAR, MilvusType.INT64, MilvusType.DOUBLE, MilvusType.BOOL, MilvusType.JSON),
    *(MilvusType.INT32, MilvusType.INT16, MilvusType.INT8, MilvusType.FLOAT),
)


class Placement(Enum):
    """What becomes of a source field."""

    FIXED = "a field of the collection"
    DYNAMIC = "a key of the dynamic field"
    LEFT = "left out"


@dataclass(frozen=True, slots=True)
class InvalidInput:
    """What stands in a control though it is no value, and why it is none."""

    text: str
    message: str


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field in the table: of the source, or ``added`` (its number among those), which has none.

    ``settings`` are its own, also while it is left out; ``reason`` says why it cannot move, empty where it
    can. ``part`` is its place in a joined key, from 1; ``is_searched`` by its words; ``is_open``: its keys
    stand below it.
    """

    source: SourceField
    settings: FieldPlan
    placement: Placement
    choices: tuple[TypeChoice, ...] = ()
    is_key: bool = False
    part: int = 0
    is_partition_key: bool = False
    is_searched: bool = False
    is_open: bool = False
    added: int | None = None
    reason: str = ""

    @property
    def anchor(self) -> str:
        return anchor(self.source.name) if self.added is None else added_anchor(self.added)

    @property
    def name(self) -> str:
        """As a sentence and a label name it."""
        return self.source.name or self.settings.target or "the added field"

    @property
    def choice(self) -> TypeChoice | None:
        """The type it is to have, among those it may have."""
        settings = self.settings
        wanted = (settings.type, settings.element_type)
        found = [c for c in self.choices if (c.spec.type, c.spec.element_type) == wanted]
        return (found or [*self.choices, None])[0]


@dataclass(frozen=True, slots=True)
class Existing:
    """A collection in the target as it was found, and about how many rows it held then."""

    schema: TargetSchema
    rows: int
    is_exact: bool = False


_EXISTING = TypeAdapter(Existing | None)


@dataclass(frozen=True, slots=True)
class MappingTable:
    """The mapping table of one collection.

    ``spare`` keeps the settings of fields that are not fixed fields now; ``invalid_inputs`` keeps, by the
    name of a control, what was typed into it and is not a value. ``is_edited``: a person changed the
    defaults. ``existing`` is the collection of that name in the target, if it is to be replaced or added to;
    ``own`` is the plan before rows were to be added.
    """

    schema: CollectionSchema
    plan: CollectionPlan
    spare: Mapping[str, FieldPlan] = field(default_factory=dict)
    invalid_inputs: Mapping[str, InvalidInput] = field(default_factory=dict)
    is_edited: bool = False
    existing: Existing | None = None
    own: CollectionPlan | None = None

    @property
    def row_selection(self) -> dict[str, Any]:
        """What of the collection is moved, where that is not all of it."""
        return {key: value for key, value in self.plan.select.items() if key != OPEN and value}

    def is_old_key(self, name: str) -> bool:
        """Whether this is the source's key, given up for Auto ID."""
        key = self.schema.key
        return self.plan.is_auto_id and key is not None and key.columns == (name,)

    @property
    def added_to(self) -> TargetSchema | None:
        """The collection that rows are added to."""
        return self.existing.schema if self.existing and self.plan.if_exists == "append" else None

    @property
    def opened(self) -> tuple[str, ...]:
        """The columns whose keys are moved one by one."""
        return opened_columns(self.plan.select)

    def rows(self, capabilities: Capabilities) -> list[FieldRow]:
        """A row for each field of the source, in its order, as this target can take it; the keys of an opened
        column below it; added fields last."""
        planned = {f.source: f for f in self.plan.fields or () if f.source is not None}
        added = [f for f in self.plan.fields or () if f.added]
        return [
            *(self._row(source, planned.get(source.name), capabilities) for source in self._sources()),
            *(self._added(number, field, capabilities) for number, field in enumerate(added)),
        ]

    def column_at(self, place: str) -> SourceField | None:
        """The column whose row has this anchor, if it can be opened."""
        return next((f for f in self.schema.fields if f.can_open and anchor(f.name) == place), None)

    def _sources(self) -> Iterator[SourceField]:
        for source in self.schema.fields:
            if not source.opened_from:
                yield source
                yield from (key for key in self.schema.fields if key.opened_from == source.name)

    def _row(self, source: SourceField, planned: FieldPlan | None, capabilities: Capabilities) -> FieldRow:
        plan = self.plan
        is_key = not is_joined(plan) and plan.is_kept_key(source.name)
        choices = tuple(c for c in source.choices if c.spec.type in capabilities.types)
        if is_key:
            choices = tuple(c for c in (key_choice(source, capabilities),) if c)
        spare = self.spare.get(source.name, FieldPlan(source=source.name, target=last_part(source)))
        placement = (
            Placement.LEFT if planned is None else Placement.DYNAMIC if planned.dynamic else Placement.FIXED
        )
        settings = spare if planned is None else planned
        if placement is Placement.DYNAMIC:
            assert planned is not None
            settings = planned.model_copy(update={"target": planned.as_ or last_part(source)})
        parts = plan.key_columns if is_joined(plan) else ()
        return FieldRow(
            source,
            settings,
            placement,
            choices,
            is_key=is_key,
            part=parts.index(source.name) + 1 if source.name in parts else 0,
            is_partition_key=placement is Placement.FIXED and settings.target == plan.partition_key,
            is_searched=placement is Placement.FIXED
            and any(f.field == settings.target for f in plan.full_text),
            is_open=source.name in self.opened,
            reason=self._reason(source, choices, capabilities),
        )

    def _added(self, number: int, settings: FieldPlan, capabilities: Capabilities) -> FieldRow:
        choices = tuple(TypeChoice(TypeSpec(of)) for of in SCALARS if of in capabilities.types)
        source = SourceField("", "added", choices, nullable=False)
        return FieldRow(source, settings, Placement.FIXED, choices, added=number)

    def _reason(
        self, source: SourceField, choices: tuple[TypeChoice, ...], capabilities: Capabilities
    ) -> str:
        if not source.choices:
            return source.left_out or "Milvus has no type for it"
        if not choices:
            return f"{source.choices[0].spec.type} {capabilities.missing(source.choices[0].spec.type)}"
        if self.is_old_key(source.name) and not self.plan.keep_source_key:
            return "Auto ID makes new keys; it can be kept as an ordinary field below"
        return ""


def to_json(table: MappingTable, schema: Any = None) -> dict[str, Any]:
    """Everything except the plan, which is stored in the draft's plan. ``schema`` is the JSON of the table's
    schema, if it is known already."""
    return {
        "schema": schema or schema_to_json(table.schema),
        "spare": {name: f.model_dump(mode="json", by_alias=True) for name, f in table.spare.items()},
        "typed": {
            name: [invalid_inputs.text, invalid_inputs.message]
            for name, invalid_inputs in table.invalid_inputs.items()
        },
        "edited": table.is_edited,
        "existing": _EXISTING.dump_python(table.existing, mode="json"),
        "own": table.own and table.own.model_dump(mode="json", by_alias=True),
    }


def from_json(data: Any, plan: Any) -> MappingTable | None:
    """None where it was written by another version, or not at all."""
    try:
        schema = schema_from_json(data["schema"])
        if schema is None:
            return None
        return MappingTable(
            schema,
            CollectionPlan.model_validate(plan),
            {name: FieldPlan.model_validate(f) for name, f in data["spare"].items()},
            {name: InvalidInput(text, message) for name, (text, message) in data["typed"].items()},
            bool(data["edited"]),
            _EXISTING.validate_python(data.get("existing")),
            CollectionPlan.model_validate(own) if (own := data.get("own")) else None,
        )
    except (ValidationError, KeyError, TypeError, ValueError, AttributeError):
        return None
