"""Opened columns and added fields in a mapping table."""

import json
from dataclasses import replace

import pytest

from console.html_anchors import anchor
from console.schema import defaults as table_defaults
from console.schema import table as mapping_table
from console.schema.defaults import with_field_added
from console.schema.forms.field import FieldForm
from console.schema.legal_names import refused_names, with_legal_names
from console.schema.page.preview import bytes_per_row, preview
from console.schema.parse.table import read
from console.schema.problems import applied, of_all
from console.schema.table import MappingTable, Placement
from tests.console.schema.tables import FACTS, OLD_MILVUS, SCHEMA, changed, form_data, opened, plan_field
from tests.kit.memory_target import EVERYTHING


def test_the_keys_of_an_opened_column_are_listed_below_it_and_stay_in_the_dynamic_field(
    proposed: MappingTable,
) -> None:
    table = opened(proposed, "meta")
    rows = table.rows(EVERYTHING)
    assert [row.name for row in rows][-2:] == ["meta", "meta.a"]
    meta, key = rows[-2:]
    assert (meta.is_open, meta.placement, key.placement, key.source.share) == (
        True,
        Placement.LEFT,
        Placement.LEFT,
        1.0,
    )
    assert table.plan.open == ["meta"]
    assert of_all([table], FACTS) == [[]]
    assert changed(table).plan == table.plan
    shown = preview(table)
    assert shown.columns[-1].name == "$meta"
    assert shown.rows[0][-1] == '{"a":1}'


def test_a_table_stored_by_an_earlier_version_keeps_its_opened_columns(proposed: MappingTable) -> None:
    table = opened(proposed, "meta")
    plan = table.plan.model_dump(mode="json", by_alias=True)
    select = {"open": plan.pop("open")}
    read_again = mapping_table.from_json(mapping_table.to_json(table), plan | {"select": select})
    assert read_again is not None
    assert read_again.plan == table.plan


def test_a_key_becomes_a_field_with_its_own_name_and_a_choice_for_type_mismatches(
    proposed: MappingTable,
) -> None:
    table = changed(opened(proposed, "meta"), **{"meta.a__include": "on"})
    key = plan_field(table, "meta.a")
    assert (key.target, key.type, key.nullable) == ("a", "INT64", True)
    assert "misfit" in FieldForm(table.rows(EVERYTHING)[-1], table, EVERYTHING).fields
    table = changed(table, **{"meta.a__misfit": "dynamic", "meta.a__default": "7"})
    assert (plan_field(table, "meta.a").misfit, plan_field(table, "meta.a").default) == ("dynamic", 7)
    assert of_all([table], FACTS) == [[]]
    assert changed(table).plan == table.plan


def test_a_key_can_be_renamed_within_the_dynamic_field(proposed: MappingTable) -> None:
    table = changed(opened(proposed, "meta"), **{"meta.a__include": "on"})
    table = read(table, EVERYTHING, applied(form_data(table), f"{anchor('meta.a')}-dynamic=true"))
    table = changed(table, **{"meta.a__target": "b"})
    key = plan_field(table, "meta.a")
    assert (key.dynamic, key.as_, key.type) == (True, "b", None)
    assert of_all([table], FACTS) == [[]]
    assert preview(table).rows[0][-1] == '{"b":1}'
    back = plan_field(changed(table, **{"meta.a__dynamic": None}), "meta.a")
    assert (back.dynamic, back.target, back.type) == (False, "b", "INT64")


def test_the_other_keys_are_dropped_on_request(proposed: MappingTable) -> None:
    table = opened(proposed, "meta")
    less = changed(table, rest="drop")
    assert less.plan.rest == "drop"
    assert bytes_per_row(less) < bytes_per_row(table)
    assert "$meta" not in [column.name for column in preview(less).columns]
    off = changed(table, dynamic_field=None)
    (problem,) = of_all([off], FACTS)[0]
    assert (problem.field, [fix.value for fix in problem.fixes]) == ("rest", ["dynamic_field=true"])


def test_a_column_that_is_closed_again_becomes_the_same_field_as_before(proposed: MappingTable) -> None:
    table = changed(proposed, meta__target="about")
    table = changed(opened(table, "meta"), **{"meta.a__include": "on", "rest": "drop"})
    table = opened(table, capabilities=EVERYTHING)
    assert (table.plan.select, table.plan.rest) == ({}, "dynamic")
    assert (plan_field(table, "meta").target, plan_field(table, "meta.a")) == ("about", None)
    assert of_all([table], FACTS) == [[]]
    again = changed(opened(table, "meta"), meta__include="on")
    assert plan_field(again, "meta").target == "about"


def test_a_table_with_an_opened_column_is_stored_in_a_draft_and_read_back(proposed: MappingTable) -> None:
    table = changed(opened(proposed, "meta"), **{"meta.a__include": "on", "meta.a__max_length": "x"})
    stored = json.loads(json.dumps(mapping_table.to_json(table)))
    again = mapping_table.from_json(stored, table.plan.model_dump(mode="json", by_alias=True))
    assert again is not None
    assert again.rows(EVERYTHING)[-1].source == table.rows(EVERYTHING)[-1].source


# --- Added fields -------------------------------------------------------------------------------------------


def test_an_added_field_has_a_name_a_type_and_one_value_for_all_rows(proposed: MappingTable) -> None:
    table = with_field_added(with_field_added(proposed, EVERYTHING), EVERYTHING)
    assert [row.anchor for row in table.rows(EVERYTHING)[-2:]] == ["a0", "a1"]
    typed = {
        "a0-target": "batch",
        "a0-default": "2026-11",
        "a0-max_length": "32",
        "a1-include": None,
    }
    table = changed(table, **typed)
    (added,) = [field for field in table.plan.fields if field.added]
    assert (added.target, added.type, added.default, added.max_length) == ("batch", "VARCHAR", "2026-11", 32)
    assert of_all([table], FACTS) == [[]]
    assert changed(table).plan == table.plan
    assert preview(table).rows[0][-1] == "2026-11"


def test_an_added_field_loses_its_value_when_its_type_changes(proposed: MappingTable) -> None:
    table = changed(with_field_added(proposed, EVERYTHING), **{"a0-default": "x"})
    table = changed(table, **{"a0-type": "INT64"})
    (added,) = [field for field in table.plan.fields if field.added]
    assert (added.type, added.default, added.max_length) == ("INT64", None, None)
    table = changed(table, **{"a0-default": "many"})
    (problem,) = of_all([table], FACTS)[0]
    assert (problem.anchor, problem.column) == ("a0", "options")


def test_the_value_is_put_into_each_row_if_the_target_has_no_defaults() -> None:
    table = with_field_added(table_defaults.default_table(SCHEMA, OLD_MILVUS), OLD_MILVUS)
    facts = replace(FACTS, capabilities=OLD_MILVUS)
    (problem,) = of_all([table], facts)[0]
    assert (problem.anchor, "without a value" in problem.message) == ("a0", True)
    table = changed(table, OLD_MILVUS, **{"a0-default": "2026-11"})
    (added,) = [field for field in table.plan.fields if field.added]
    assert (added.default, added.fill_null) == (None, "2026-11")
    assert of_all([table], facts) == [[]]
    assert changed(table, OLD_MILVUS).plan == table.plan


@pytest.mark.parametrize("name", ["", "like", "created", "1st"])
def test_the_name_of_an_added_field_is_checked_in_its_row(proposed: MappingTable, name: str) -> None:
    table = changed(with_field_added(proposed, EVERYTHING), **{"a0-target": name})
    problems = of_all([table], FACTS)[0]
    assert {(problem.anchor, problem.column) for problem in problems} == {("a0", "target")}


@pytest.mark.parametrize(
    ("label", "column", "text"),
    [("Move it as “a_2”", "$meta", '{"a_2":1}'), ("Make it a field “a_2”", "a_2", "1")],
)
def test_each_fix_of_a_key_with_the_name_of_a_field_keeps_its_values(
    proposed: MappingTable, label: str, column: str, text: str
) -> None:
    table = opened(changed(proposed, price__target="a"), "meta")
    (problem,) = of_all([table], FACTS)[0]
    assert problem.anchor == anchor("meta.a")
    assert "drop" not in " ".join(fix.label for fix in problem.fixes).lower()
    (fix,) = [fix for fix in problem.fixes if fix.label == label]
    table = read(table, EVERYTHING, applied(form_data(table), fix.value))
    assert of_all([table], FACTS) == [[]]
    shown = preview(table)
    assert shown is not None
    place = [shown_column.name for shown_column in shown.columns].index(column)
    assert shown.rows[0][place] == text


def test_one_click_makes_all_names_legal() -> None:
    fields = tuple(replace(f, name=f"my-{f.name}") if f.name != "id" else f for f in SCHEMA.fields)
    renamed = [f"my-{name}" if name != "id" else name for name in SCHEMA.sample.schema.names]
    schema = replace(SCHEMA, fields=fields, sample=SCHEMA.sample.rename_columns(renamed))
    table = table_defaults.default_table(schema, EVERYTHING)
    problems = of_all([table], FACTS)[0]
    assert len(refused_names(problems)) == len(problems) > 1
    metrics = {index.metric for index in table.plan.indexes or ()}
    table = with_legal_names(table, problems, EVERYTHING)
    assert of_all([table], FACTS) == [[]]
    assert plan_field(table, "my-price").target == "my_price"
    assert {index.metric for index in table.plan.indexes or ()} == metrics
    assert with_legal_names(table, [], EVERYTHING) is table
