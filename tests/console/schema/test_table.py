"""Mapping table without a page: proposed, sent, read back, stored as JSON."""

import json
import random
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from console.draft.snapshot import schema_from_json, schema_to_json
from console.html_anchors import anchor
from console.schema import defaults as table_defaults
from console.schema import table as mapping_table
from console.schema.forms.field import FieldForm
from console.schema.page.preview import bytes_per_row, preview
from console.schema.parse.table import read
from console.schema.problems import applied, of_all
from console.schema.table import MappingTable, Placement
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.model.types import MilvusType
from tests.console.schema.tables import FACTS, OLD_MILVUS, SCHEMA, changed, form_data, plan_field
from tests.kit.memory_target import EVERYTHING


@pytest.mark.parametrize("capabilities", [EVERYTHING, OLD_MILVUS], ids=str)
def test_a_form_sent_back_unchanged_changes_nothing(capabilities: Capabilities) -> None:
    table = table_defaults.default_table(SCHEMA, capabilities)
    again = changed(table, capabilities)
    assert again.plan == table.plan
    assert again.invalid_inputs == {}


def test_without_nullable_fields_columns_go_into_the_dynamic_field_and_can_become_fields() -> None:
    table = table_defaults.default_table(SCHEMA, OLD_MILVUS)
    assert plan_field(table, "created").dynamic
    table = changed(table, OLD_MILVUS, created__on_null="reject", tags__on_null="fill", tags__fill_null="[]")
    created, tags = plan_field(table, "created"), plan_field(table, "tags")
    assert (created.dynamic, created.target, created.max_length) == (False, "created", 65_535)
    assert (tags.fill_null, tags.max_length, tags.max_capacity) == ([], 65_535, 4096)
    assert of_all([table], replace(FACTS, capabilities=OLD_MILVUS)) == [[]]


def test_a_narrow_key_is_widened_and_its_type_cannot_be_changed(proposed: MappingTable) -> None:
    row = proposed.rows(EVERYTHING)[0]
    assert str(row.choice.spec) == "INT64"
    assert set(FieldForm(row, proposed, EVERYTHING).fields) == {"include", "target"}


def test_a_row_has_only_the_controls_that_its_type_allows(proposed: MappingTable) -> None:
    controls = {
        row.source.name: list(FieldForm(row, proposed, EVERYTHING).fields)[2:]
        for row in proposed.rows(EVERYTHING)
    }
    nulls = ["nullable", "default", "on_null", "fill_null"]
    assert controls["embedding"] == ["metric", "index_type", "absent"]
    assert controls["created"] == ["type", "max_length", *nulls, "too_long", "dynamic"]
    assert controls["tags"] == [
        *("type", "max_length", "max_capacity", "nullable", "on_null", "fill_null", "too_long", "dynamic")
    ]
    assert controls["price"] == [*nulls, "dynamic"]
    assert controls["meta"] == ["nullable", "on_null", "fill_null", "dynamic"]


def test_a_new_type_gets_its_own_lengths_and_loses_the_values_of_the_old_type(proposed: MappingTable) -> None:
    table = changed(proposed, created__default="then")
    assert plan_field(table, "created").default == "then"
    table = changed(table, created__type="INT64")
    created = plan_field(table, "created")
    assert (created.type, created.max_length, created.default) == ("INT64", None, None)
    table = changed(table, created__type="VARCHAR")
    assert plan_field(table, "created").max_length == 65_535
    table = changed(table, tags__type="JSON")
    tags = plan_field(table, "tags")
    assert (tags.type, tags.element_type, tags.max_capacity, tags.max_length) == ("JSON", None, None, None)


def test_a_type_that_is_not_offered_is_a_problem(proposed: MappingTable) -> None:
    table = changed(proposed, created__type="BOOL")
    assert plan_field(table, "created").type == "VARCHAR"
    (problem,) = of_all([table], FACTS)[0]
    assert (problem.anchor, problem.column) == (anchor("created"), "type")


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ({"price__default": "1.25"}, 1.25),
        ({"price__default": "-3"}, -3.0),
        ({"sold__default": "false"}, False),
        ({"sold__default": "true"}, True),
        ({"created__default": " as typed "}, " as typed "),
    ],
)
def test_a_default_becomes_a_value_of_its_type(
    proposed: MappingTable, change: dict[str, str], value: Any
) -> None:
    table = changed(proposed, **change)
    assert table.invalid_inputs == {}
    found = plan_field(table, next(iter(change)).partition("__")[0]).default
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("typed", ["nan", "inf", "1e999", "one", "0x10"])
def test_text_that_is_not_a_number_is_refused_as_default(proposed: MappingTable, typed: str) -> None:
    table = changed(proposed, price__default=typed)
    assert plan_field(table, "price").default is None
    assert table.invalid_inputs[f"{anchor('price')}-default"].text == typed
    assert FieldForm(table.rows(EVERYTHING)[4], table, EVERYTHING)["default"].value() == typed


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [("tags", '["x", "y"]', ["x", "y"]), ("tags", "[]", []), ("meta", "{}", "{}"), ("created", "", "")],
)
def test_null_is_filled_with_a_value_of_the_type(
    proposed: MappingTable, name: str, typed: str, value: Any
) -> None:
    change = {f"{name}__nullable": None, f"{name}__on_null": "fill", f"{name}__fill_null": typed}
    table = changed(proposed, **change)
    assert table.invalid_inputs == {}
    assert plan_field(table, name).fill_null == value
    assert changed(table).plan == table.plan


@pytest.mark.parametrize(
    ("name", "typed"), [("tags", "a, b"), ("tags", "{}"), ("meta", "{"), ("meta", "[" * 9999)]
)
def test_a_fill_value_of_the_wrong_type_is_a_problem(proposed: MappingTable, name: str, typed: str) -> None:
    change = {f"{name}__nullable": None, f"{name}__on_null": "fill", f"{name}__fill_null": typed}
    table = changed(proposed, **change)
    assert f"{anchor(name)}-fill_null" in table.invalid_inputs


def test_a_column_in_the_dynamic_field_is_renamed_there(proposed: MappingTable) -> None:
    table = changed(proposed, price__nullable=None, price__on_null="dynamic", price__target="cost")
    price = plan_field(table, "price")
    assert (price.dynamic, price.as_, price.target) == (True, "cost", None)
    back = changed(table, price__dynamic=None)
    assert (plan_field(back, "price").target, plan_field(back, "price").nullable) == ("cost", True)


def test_a_field_that_was_left_out_comes_back_with_its_settings(proposed: MappingTable) -> None:
    table = changed(proposed, created__type="INT64", created__target="made")
    table = changed(table, created__include=None)
    assert plan_field(table, "created") is None
    table = changed(table, created__include="on")
    assert (plan_field(table, "created").type, plan_field(table, "created").target) == ("INT64", "made")


def test_a_field_whose_type_the_target_lacks_is_left_out_with_the_version_that_adds_it() -> None:
    capabilities = replace(EVERYTHING, types=EVERYTHING.types - {MilvusType.FLOAT16_VECTOR}, version="2.3.5")
    table = table_defaults.default_table(SCHEMA, capabilities)
    half = next(row for row in table.rows(capabilities) if row.source.name == "half")
    assert half.placement is Placement.LEFT
    assert half.reason == "FLOAT16_VECTOR needs Milvus 2.4 or later; this is Milvus 2.3.5"


def test_long_texts_are_truncated_on_request_and_other_types_lose_this_setting(
    proposed: MappingTable,
) -> None:
    table = changed(proposed, created__too_long="truncate")
    assert plan_field(table, "created").too_long == "truncate"
    assert changed(table).plan == table.plan
    assert plan_field(changed(table, created__type="INT64"), "created").too_long == "reject"
    assert plan_field(changed(table, created__too_long="whatever"), "created").too_long == "reject"


def test_a_button_puts_a_column_into_the_dynamic_field_and_unticking_takes_it_back(
    proposed: MappingTable,
) -> None:
    table = read(proposed, EVERYTHING, applied(form_data(proposed), f"{anchor('price')}-dynamic=true"))
    assert (plan_field(table, "price").dynamic, plan_field(table, "price").as_) == (True, "price")
    assert changed(table).plan == table.plan
    back = plan_field(changed(table, price__dynamic=None), "price")
    assert (back.dynamic, back.nullable, back.target) == (False, True, "price")


def test_a_fix_is_applied_as_the_form_would_send_it() -> None:
    data = {"f1-nullable": "on", "f1-target": "a", "fix": "gone"}
    assert applied(data, "f1-nullable=false") == {"f1-target": "a"}
    assert applied(data, "f1-target=b=c") == {"f1-nullable": "on", "f1-target": "b=c"}
    assert applied(data, "dynamic_field=true")["dynamic_field"] == "true"


def test_every_fix_of_a_broken_table_removes_its_problem(proposed: MappingTable) -> None:
    broken = changed(
        proposed, target="1 bad", shards="99", created__target="like", created__max_length="0",
        price__target="like",
        tags__max_capacity="9999999", embedding__target="$meta",
    )  # fmt: skip
    before = [problem for problem in of_all([broken], FACTS)[0] if problem.fixes]
    assert len(before) >= 6
    table = broken
    for _ in range(20):
        fixes = [fix for problem in of_all([table], FACTS)[0] for fix in problem.fixes]
        if not fixes:
            break
        table = read(table, EVERYTHING, applied(form_data(table), fixes[0].value))
    assert of_all([table], FACTS)[0] == []


def test_a_table_is_stored_in_a_draft_and_read_back(proposed: MappingTable) -> None:
    table = changed(proposed, price__include=None, created__max_length="much", target="mine")
    stored = json.loads(json.dumps(mapping_table.to_json(table)))
    again = mapping_table.from_json(stored, table.plan.model_dump(mode="json", by_alias=True))
    assert again is not None
    assert (again.plan, again.spare, again.invalid_inputs, again.is_edited) == (
        *(table.plan, table.spare, table.invalid_inputs),
        True,
    )
    assert replace(again.schema, sample=None) == replace(SCHEMA, sample=None)


@pytest.mark.parametrize("data", [None, 7, [], {}, {"schema": {}}, {"schema": "x", "spare": 1, "typed": []}])
def test_a_table_stored_by_another_version_is_not_read(data: Any) -> None:
    assert mapping_table.from_json(data, {"source": "x"}) is None


def test_a_sample_keeps_only_the_vectors_of_the_preview() -> None:
    wide = CollectionSchema("wide", (), None, pa.record_batch({
        "v": pa.array([[0.5] * 4096] * 100, pa.list_(pa.float32(), 4096)), "t": ["x"] * 100,
    }))  # fmt: skip
    stored = schema_to_json(wide)
    assert len(stored["sample"]) < 200_000
    again = schema_from_json(stored).sample
    assert (again.num_rows, again.column("v").null_count) == (100, 95)


def test_a_sample_too_large_for_a_draft_is_shortened() -> None:
    texts = [random.Random(number).randbytes(50_000).hex() for number in range(40)]
    long = CollectionSchema("long", (), None, pa.record_batch({"t": texts}))
    again = schema_from_json(schema_to_json(long))
    assert 1 <= again.sample.num_rows < 40
    assert again.sample.column("t")[0].as_py() == texts[0]


def test_the_preview_shows_every_type_in_readable_form(proposed: MappingTable) -> None:
    shown = preview(proposed)
    cells = dict(zip([column.name for column in shown.columns], shown.rows[0], strict=True))
    assert cells == {
        "id": "0",
        "embedding": "[0.250, -1.000, …]",
        "created": "2026-01-01T00:00:00",
        "tags": '["a", "b"]',
        "price": "1.5",
        "sold": "true",
        "half": "003c0040…",
        "meta": '{"a": 1}',
    }
    assert len(shown.rows) == 5
    assert {column.name for column in shown.columns if column.numeric} == {"id", "price"}


def test_a_type_that_only_the_source_can_produce_is_shown_in_the_original_type(
    proposed: MappingTable,
) -> None:
    shown = preview(changed(proposed, created__type="INT64", tags__type="JSON"))
    assert shown.rows[0][2:4] == ["2026-01-01T00:00:00", '["a", "b"]']
    assert shown.note == "5 rows of the sample · created, tags shown in the original type"


def test_half_precision_vectors_are_shown_as_the_floats_they_become(proposed: MappingTable) -> None:
    """A sample has the first type that a field may have, even if the target has another one."""
    floats = {"type": "FLOAT_VECTOR"}
    fields = [f.model_copy(update=floats) if f.source == "half" else f for f in proposed.plan.fields or ()]
    shown = preview(replace(proposed, plan=proposed.plan.model_copy(update={"fields": fields})))
    place = [column.name for column in shown.columns].index("half")
    assert shown.rows[0][place] == "[1.000, 2.000]"
    assert "in the original type" not in shown.note


def test_the_size_of_a_row_depends_on_its_columns(proposed: MappingTable) -> None:
    less = changed(proposed, created__include=None)
    assert bytes_per_row(less) < bytes_per_row(proposed)
    assert bytes_per_row(replace(proposed, schema=replace(SCHEMA, sample=None))) is None
