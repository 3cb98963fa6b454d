"""Mapping table of the tests, and the form data that a browser sends for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
from django.forms import Form

from console.draft.snapshot import TargetFacts
from console.html_anchors import anchor
from console.schema import schema_changes
from console.schema.forms.collection import CollectionForm
from console.schema.forms.field import FieldForm
from console.schema.forms.full_text import full_text_forms
from console.schema.parse.table import read
from console.schema.table import MappingTable
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, SourceKey, TypeChoice
from migrations_app.engine.model.types import MilvusType, TypeSpec, arrow_type
from migrations_app.engine.planning.document_keys import with_document_keys
from tests.kit.memory_target import EVERYTHING
from tests.kit.metrics import usual_metric

OLD_MILVUS = replace(EVERYTHING, version="2.3.5", nullable=False, default_values=False, null_vectors=False)
FACTS = TargetFacts(1, "default", "Milvus", EVERYTHING, ("default",))


def source_field(*specs: TypeSpec, name: str, **facts: Any) -> SourceField:
    choices = tuple(TypeChoice(spec) for spec in specs)
    return SourceField(name, "native", choices, **({"metric": usual_metric(choices)} | facts))


VARCHAR = TypeSpec(MilvusType.VARCHAR, max_length=64)
FIELDS = (
    source_field(TypeSpec(MilvusType.INT32), name="id", nullable=False, can_be_key=True),
    source_field(TypeSpec(MilvusType.FLOAT_VECTOR, dim=4), name="embedding", metric="L2"),
    source_field(TypeSpec(MilvusType.VARCHAR), TypeSpec(MilvusType.INT64), name="created", longest_bytes=32,
           can_be_key=True),
    source_field(
        TypeSpec(MilvusType.ARRAY, element_type=MilvusType.VARCHAR), TypeSpec(MilvusType.JSON), name="tags",
        longest_bytes=5, longest_items=3,
    ),
    source_field(TypeSpec(MilvusType.DOUBLE), name="price"),
    source_field(TypeSpec(MilvusType.BOOL), name="sold"),
    source_field(TypeSpec(MilvusType.FLOAT16_VECTOR, dim=2), name="half"),
    source_field(TypeSpec(MilvusType.JSON), name="meta", can_open=True),
)  # fmt: skip


def sample(rows: int = 7) -> pa.RecordBatch:
    values: dict[str, list[Any]] = {
        "id": list(range(rows)),
        "embedding": [[0.25, -1.0, 2.0, 3.0]] * rows,
        "created": ["2026-01-01T00:00:00"] * rows,
        "tags": [["a", "b"]] * rows,
        "price": [1.5] * rows,
        "sold": [True] * rows,
        "half": [b"\x00\x3c\x00\x40"] * rows,
        "meta": ['{"a": 1}'] * rows,
    }
    types = {field.name: arrow_type(field.choices[0].spec) for field in FIELDS}
    return pa.record_batch({name: pa.array(column, types[name]) for name, column in values.items()})


SCHEMA = CollectionSchema("shop.items", FIELDS, SourceKey(("id",)), sample(), label="items", group="shop")


def form_data(
    table: MappingTable, capabilities: Capabilities = EVERYTHING, **changes: str | None
) -> dict[str, str]:
    """Form data of a browser, with changes: ``row__control`` is a control in a row, None removes it."""
    forms: list[Form] = [CollectionForm(table, capabilities)]
    forms += [FieldForm(row, table, capabilities) for row in table.rows(capabilities) if not row.reason]
    forms += full_text_forms(table, capabilities)
    data: dict[str, str] = {}
    for form in forms:
        for field in form:
            value = field.value()
            if field.widget_type != "checkbox":
                data[field.html_name] = "" if value is None else str(value)
            elif value:
                data[field.html_name] = "on"
    for name, value in changes.items():
        row, _, option = name.rpartition("__")
        control = f"{anchor(row)}-{option}" if row else name
        data.pop(control, None)
        data |= {} if value is None else {control: value}
    return data


def changed(
    table: MappingTable, capabilities: Capabilities = EVERYTHING, **changes: str | None
) -> MappingTable:
    return read(table, capabilities, form_data(table, capabilities, **changes))


def plan_field(table: MappingTable, source: str) -> Any:
    return next((field for field in table.plan.fields or () if field.source == source), None)


def opened(table: MappingTable, *columns: str, capabilities: Capabilities = EVERYTHING) -> MappingTable:
    """The table with these columns opened, with the schema that a source would return."""
    own = tuple(field for field in SCHEMA.fields if not field.opened_from)
    schema = with_document_keys(replace(SCHEMA, fields=own), columns)
    return schema_changes.reopened(table, schema, columns, capabilities)
