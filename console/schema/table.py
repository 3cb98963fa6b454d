"""Mapping table of one collection: the fields of the source and the target field of each.

It consists of the collection's part of the plan and of facts that a plan cannot hold: the settings of fields
that are left out, and inputs that are not valid values. No HTTP, no forms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pydantic import TypeAdapter, ValidationError

from console.draft.snapshot import schema_from_json, schema_to_json
from console.html_anchors import added_anchor, anchor
from console.schema.key_choices import is_joined
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.key_paths import last_part
from migrations_app.engine.model.plan import CollectionPlan, FieldPlan, IndexPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, TypeChoice
from migrations_app.engine.model.target_schema import TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.planning.type_choices import key_choices

TYPED_LENGTH = 1_000
# The types of an added field.
SCALARS = (
    *(MilvusType.VARCHAR, MilvusType.INT64, MilvusType.DOUBLE, MilvusType.BOOL, MilvusType.JSON),
    *(MilvusType.INT32, MilvusType.INT16, MilvusType.INT8, MilvusType.FLOAT),
)


class Placement(Enum):
    """The destination of a source field."""

    FIXED = "a field of the collection"
    DYNAMIC = "a key of the dynamic field"
    LEFT = "left out"


@dataclass(frozen=True, slots=True)
class InvalidInput:
    """The text of a control that is not a valid value, and the message that says why."""

    text: str
    message: str


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One row of the table: a field of the source, or an added field (``added`` is its number among those).

    ``settings`` are those of the field, even while it is left out. ``reason`` says why it cannot be moved; it
    is empty if the field can be moved. ``part`` is the position in a joined key, from 1. ``is_searched``: it
    has full-text search. ``is_open``: it is an opened column, with its keys in the rows below.
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
        """Return the name of the row in sentences and labels."""
        return self.source.name or self.settings.target or "the added field"

    @property
    def choice(self) -> TypeChoice | None:
        """Return the chosen type; the first possible type if the chosen one is not possible."""
        settings = self.settings
        wanted = (settings.type, settings.element_type, settings.encoding or "")
        matching = [c for c in self.choices if (c.spec.type, c.spec.element_type, c.encoding) == wanted]
        return (matching or [*self.choices, None])[0]

    @property
    def is_vector(self) -> bool:
        """True if the chosen type is a vector."""
        return self.choice is not None and self.choice.spec.type.is_vector


@dataclass(frozen=True, slots=True)
class Existing:
    """A collection that exists in the target: its schema, and the number of its rows when it was looked up.

    ``source``: the selected collection of the source that it is, if both are on the same server.
    """

    schema: TargetSchema
    rows: int
    is_exact: bool = False
    source: str = ""


_EXISTING = TypeAdapter(Existing | None)


@dataclass(frozen=True, slots=True)
class MappingTable:
    """The mapping table of one collection.

    ``spare`` holds the settings of fields that are not fixed fields now. ``invalid_inputs`` holds the inputs
    that are not valid values, by the name of the control. ``is_edited``: the user changed the defaults.
    ``existing`` is the collection of that name in the target, if it is to be replaced or added to; ``own`` is
    the plan before *Add rows to it* was chosen.
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
        """Return the settings that select rows of the collection; empty if all rows are moved."""
        return dict(self.plan.select)

    def index_on(self, target: str | None) -> IndexPlan | None:
        """Return the index on a target field; None if it gets none."""
        return next((index for index in self.plan.indexes or () if index.field == target), None)

    @property
    def index_types(self) -> dict[str, str]:
        """Return the index types of the vectors of the source, by the anchors of their rows."""
        types = {index.field: index.type for index in self.plan.indexes or ()}
        fields = (f for f in self.plan.fields or () if f.source and not f.dynamic and f.target in types)
        return {anchor(f.source or ""): types[f.target or ""] for f in fields}

    def is_old_key(self, name: str) -> bool:
        """True if this is the source's key, and Auto ID replaces it."""
        key = self.schema.key
        return self.plan.is_auto_id and key is not None and key.columns == (name,)

    @property
    def added_to(self) -> TargetSchema | None:
        """Return the existing collection that rows are added to; None if there is none."""
        return self.existing.schema if self.existing and self.plan.if_exists == "append" else None

    @property
    def copied(self) -> TargetSchema | None:
        """Return the schema of the source that the new collection copies exactly; None if there is none."""
        return self.schema.exact if self.added_to is None else None

    @property
    def fixed_schema(self) -> TargetSchema | None:
        """Return the schema that the fields must have, of an existing collection or an exact copy; None if
        there is none."""
        return self.added_to or self.copied

    @property
    def opened(self) -> tuple[str, ...]:
        """Return the opened columns."""
        return tuple(self.plan.open)

    def rows(self, capabilities: Capabilities) -> list[FieldRow]:
        """Return the rows: the fields of the source in their order, with the types that this target has; the
        keys of an opened column after the column; the added fields last."""
        planned = {f.source: f for f in self.plan.fields or () if f.source is not None}
        added = [f for f in self.plan.fields or () if f.added]
        return [
            *(self._row(source, planned.get(source.name), capabilities) for source in self._sources()),
            *(self._added(number, field, capabilities) for number, field in enumerate(added)),
        ]

    def column_at(self, place: str) -> SourceField | None:
        """Return the column whose row has this anchor, if it can be opened and closed."""
        columns = (f for f in self.schema.fields if f.can_open and not f.is_rest)
        return next((f for f in columns if anchor(f.name) == place), None)

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
            choices = key_choices(source, capabilities)
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
            return "Auto ID makes new keys; to keep it as an ordinary field, see Advanced settings"
        return ""


def to_json(table: MappingTable, schema: Any = None) -> dict[str, Any]:
    """Return everything except the plan, which is stored in the draft's plan. ``schema`` is the JSON of the
    table's schema, if it is already known."""
    return {
        "schema": schema or schema_to_json(table.schema),
        "spare": {name: f.model_dump(mode="json", by_alias=True) for name, f in table.spare.items()},
        "typed": {name: [invalid.text, invalid.message] for name, invalid in table.invalid_inputs.items()},
        "edited": table.is_edited,
        "existing": _EXISTING.dump_python(table.existing, mode="json"),
        "own": table.own and table.own.model_dump(mode="json", by_alias=True),
    }


def from_json(data: Any, plan: Any) -> MappingTable | None:
    """Return the table; None if there is none or if another version wrote it in another format."""
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
