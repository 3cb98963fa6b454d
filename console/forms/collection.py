"""The controls of the target collection itself. ``forms.collection_reading`` reads them back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from console import key_choices
from console.key_choices import Choices
from console.sheet import Fate, Row, Sheet
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.schema import KEY_TYPES

NAME_LENGTH = 255
DESCRIPTION_LENGTH = 1_000
PARTITION_KEY = "key:"  # before the name of the field


class CollectionForm(forms.Form):
    """The settings of the target collection itself."""

    target = forms.CharField(label="Target collection", required=False, max_length=NAME_LENGTH)
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
    partition_key = forms.ChoiceField(
        label="Partition key",
        required=False,
        error_messages={"invalid_choice": "“%(value).100s” cannot be the partition key."},
    )
    shards = forms.CharField(
        required=False,
        max_length=10,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
        help_text="One is enough up to about 200 million rows of 768 dimensions.",
    )
    dynamic_field = forms.BooleanField(
        required=False, help_text="Takes the keys that have no field of their own."
    )
    keep_source_key = forms.BooleanField(label="Keep the old key as an ordinary field", required=False)

    def __init__(
        self,
        sheet: Sheet,
        has: Capabilities,
        locked: frozenset[str] = frozenset(),
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=_initial(sheet, has))
        self.fields["key"].choices = key_choices.choices(sheet.schema, has)
        self.fields["partition_key"].choices = partition_choices(sheet, has)
        if has.max_shards == 1 or "shards" in locked:
            del self.fields["shards"]
        if "dynamic_field" in locked:
            del self.fields["dynamic_field"]
        if not sheet.plan.is_auto_id or sheet.schema.key is None or len(sheet.schema.key.columns) != 1:
            del self.fields["keep_source_key"]


def may_partition(row: Row) -> bool:
    """Whether a field may be the partition key."""
    is_open = not (row.is_key or row.reason)
    return is_open and row.choice is not None and row.choice.spec.type in KEY_TYPES


def partition_choices(sheet: Sheet, has: Capabilities) -> Choices:
    """The fields that may be the partition key, by source name: a rename does not change the choice."""
    rows = [row for row in sheet.rows(has) if may_partition(row) and row.fate is not Fate.LEFT]
    names = [(PARTITION_KEY + row.source.name, row.settings.target or row.source.name) for row in rows]
    return [("", "None"), *names]


def _initial(sheet: Sheet, has: Capabilities) -> dict[str, Any]:
    plan = sheet.plan
    values = {
        "target": plan.target,
        "description": plan.description,
        "key": key_choices.chosen(plan, sheet.schema),
        "partition_key": _partition(sheet, has),
        "shards": plan.shards,
        "dynamic_field": plan.dynamic_field,
        "keep_source_key": plan.keep_source_key,
    }
    return values | {name: typed.text for name, typed in sheet.typed.items() if name in values}


def _partition(sheet: Sheet, has: Capabilities) -> str:
    keys = [row.source.name for row in sheet.rows(has) if row.is_partition_key]
    return PARTITION_KEY + keys[0] if keys else ""
