"""Form of the target collection's settings. ``schema.parse`` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.forms.boundfield import BoundField

from console.schema import key_choices
from console.schema.key_choices import Choices
from console.schema.table import FieldRow, MappingTable, Placement
from migrations_app.engine.log import counted
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.names import MAX_BYTES
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.model.types import KEY_TYPES
from migrations_app.engine.planning.target_names import why_collection_renamed
from migrations_app.engine.preflight.rules.partitions import may_name_partitions

DESCRIPTION_LENGTH = 1_000
PARTITION_BY = "by:"  # followed by the name of the field
SOURCE_PARTITIONS = "source"
PARTITION_NAME = "partition_name"  # followed by the position of the partition of the source, from 0
# Names of more partitions than this are shown, but can only be changed in a plan file.
NAMED_PARTITIONS = 50
PART = "part"  # followed by the position of the part in a joined key, from 0
IF_EXISTS = {
    "error": "Stop with an error",
    "append": "Add rows to it",
    "replace": "Replace it and all its rows",
}
OF_COPY = frozenset({"target", "description", "if_exists"})  # the settings of an exact copy
REST = {"dynamic": "Keep them in the dynamic field", "drop": "Leave them out"}


class CollectionForm(forms.Form):
    """The settings of the target collection, as far as the mapping table and the target allow a choice."""

    target = forms.CharField(label="Target collection", required=False, max_length=MAX_BYTES)
    description = forms.CharField(
        required=False,
        max_length=DESCRIPTION_LENGTH,
        widget=forms.TextInput(attrs={"placeholder": "Optional"}),
    )
    key = forms.ChoiceField(
        label="Primary key",
        required=False,
        error_messages={"invalid_choice": "“%(value).100s” cannot be the key."},
    )
    key_name = forms.CharField(label="Key name", required=False, max_length=MAX_BYTES)
    key_max_length = forms.CharField(
        label="Maximum key length, in bytes",
        required=False,
        max_length=10,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )
    partition_key = forms.ChoiceField(
        label="Partition key",
        required=False,
        error_messages={"invalid_choice": "“%(value).100s” cannot be the partition key."},
    )
    partition_by = forms.ChoiceField(
        label="Named partitions",
        required=False,
        help_text="Instead of a partition key.",
        error_messages={"invalid_choice": "Its values cannot name partitions. Choose another field."},
    )
    if_exists = forms.ChoiceField(
        label="If the collection exists", required=False, choices=list(IF_EXISTS.items())
    )
    rest = forms.ChoiceField(label="Other keys of opened columns", required=False, choices=list(REST.items()))
    shards = forms.CharField(
        required=False,
        max_length=10,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
        help_text="One shard is enough for up to about 200 million rows of 768 dimensions.",
    )
    dynamic_field = forms.BooleanField(required=False, help_text="Holds the keys that are not fields.")
    keep_source_key = forms.BooleanField(label="Keep the old key as an ordinary field", required=False)

    def __init__(
        self,
        table: MappingTable,
        capabilities: Capabilities,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=_initial(table, capabilities))
        if reason := why_collection_renamed(table.plan.target, table.schema):
            self.fields["target"].help_text = f"renamed: {reason}"
        self.fields["key"].choices = key_choices.choices(table.schema, capabilities)
        self.fields["partition_key"].choices = partition_key_choices(table, capabilities)
        self.fields["partition_by"].choices = named_partition_choices(table, capabilities)
        if key_choices.is_joined(table.plan):
            self._add_parts(table, capabilities)
        for place in range(len(table.plan.source_partitions)):
            if place < NAMED_PARTITIONS:
                self.fields[f"{PARTITION_NAME}{place}"] = forms.CharField(
                    label="Partition of the target", required=False, max_length=MAX_BYTES
                )
        of_copy = set(self.fields) - OF_COPY if table.copied is not None else ()
        for name in (*_without_choice(table, capabilities), *of_copy):
            self.fields.pop(name, None)

    def _add_parts(self, table: MappingTable, capabilities: Capabilities) -> None:
        """Add a control for each part of a joined key, and an empty one for the next part."""
        names = [(name, name) for name in key_choices.parts(table.schema, capabilities)]
        number = max(len(table.plan.key_columns) + 1, key_choices.LEAST_PARTS)
        for place in range(min(number, len(names))):
            self.fields[f"{PART}{place}"] = forms.ChoiceField(
                label=f"Part {place + 1} of the key", required=False, choices=[("", "Choose…"), *names]
            )

    def partitions(self, table: MappingTable) -> list[dict[str, Any]]:
        """Return each partition of the source with its name in the target and, if it has one, its control."""
        return [
            {
                "name": f"{PARTITION_NAME}{place}",
                "source": source,
                "target": target,
                "control": self[name] if (name := f"{PARTITION_NAME}{place}") in self.fields else None,
            }
            for place, (source, target) in enumerate(table.plan.source_partitions.items())
        ]

    @property
    def parts(self) -> list[BoundField]:
        return [field for field in self if field.name.removeprefix(PART).isdecimal()]


def _without_choice(table: MappingTable, capabilities: Capabilities) -> list[str]:
    """Return the settings that are not shown because there is no choice."""
    plan, key = table.plan, table.schema.key
    is_fixed = {
        "shards": capabilities.max_shards == 1,
        "keep_source_key": not plan.is_auto_id or key is None or len(key.columns) != 1,
        "key_name": not plan.makes_key,
        "key_max_length": not plan.is_joined,
        "rest": not table.opened,
        "partition_by": len(named_partition_choices(table, capabilities)) == 1,
    }
    return [name for name, fixed in is_fixed.items() if fixed]


def may_partition(row: FieldRow) -> bool:
    """True if a field may be the partition key."""
    is_free = not (row.is_key or row.reason) and row.added is None
    return is_free and row.choice is not None and row.choice.spec.type in KEY_TYPES


def partition_key_choices(table: MappingTable, capabilities: Capabilities) -> Choices:
    """Return the fields that may be the partition key. The options are source names, so a rename does not
    change the choice."""
    rows = [
        row for row in table.rows(capabilities) if may_partition(row) and row.placement is not Placement.LEFT
    ]
    return [("", "none"), *((row.source.name, row.settings.target or row.source.name) for row in rows)]


def named_partition_choices(table: MappingTable, capabilities: Capabilities) -> Choices:
    """Return the fields that may get one partition per value, and the partitions of the source if it has
    any."""
    rows = [row for row in table.rows(capabilities) if row.added is None]
    by = [row.source.name for row in rows if may_name_partitions(row.source, table.schema)]
    groups = {
        "One partition per value of": [(PARTITION_BY + name, name) for name in by],
        "Partitions of the source": _source_choices(table.schema),
    }
    return [("", "none"), *((name, choices) for name, choices in groups.items() if choices)]


def _source_choices(schema: CollectionSchema) -> list[tuple[str, str]]:
    number = len(schema.partitions or ())
    return [(SOURCE_PARTITIONS, f"{counted(number, 'partition')} of the source")] if number else []


def _initial(table: MappingTable, capabilities: Capabilities) -> dict[str, Any]:
    plan = table.plan
    values: dict[str, Any] = {
        name: getattr(plan, name)
        for name in (
            *("target", "description", "key_name", "key_max_length", "if_exists", "rest", "shards"),
            *("dynamic_field", "keep_source_key"),
        )
    }
    values |= {
        "key": key_choices.chosen(plan, table.schema),
        "partition_key": next(
            (row.source.name for row in table.rows(capabilities) if row.is_partition_key), ""
        ),
        "partition_by": _named_partitions(table),
    }
    names = enumerate(plan.source_partitions.values())
    values |= {f"{PARTITION_NAME}{place}": name for place, name in names}
    if key_choices.is_joined(plan):
        values |= {f"{PART}{place}": name for place, name in enumerate(plan.key_columns)}
    return values | {name: invalid.text for name, invalid in table.invalid_inputs.items() if name in values}


def _named_partitions(table: MappingTable) -> str:
    if table.plan.source_partitions:
        return SOURCE_PARTITIONS
    return "" if table.plan.partition_by is None else PARTITION_BY + table.plan.partition_by
