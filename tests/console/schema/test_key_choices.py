"""Primary key of a mapping table: kept, new, another field, or several fields joined."""

from dataclasses import replace

import pytest

from console.schema import defaults as table_defaults
from console.schema.forms.collection import CollectionForm
from console.schema.page.key_notes import joined_example, key_notes
from console.schema.page.preview import preview
from console.schema.problems import of_all
from console.schema.table import MappingTable
from migrations_app.engine.model.source_schema import SourceKey
from migrations_app.engine.model.types import MilvusType, TypeSpec
from tests.console.schema.tables import FACTS, SCHEMA, changed, plan_field, source_field
from tests.kit.memory_target import EVERYTHING


def key_choices(table: MappingTable) -> list[str]:
    """The values that *Primary key* offers."""
    choices = CollectionForm(table, EVERYTHING).fields["key"].choices
    return [
        value
        for choice, more in choices
        for value in ([v for v, _ in more] if isinstance(more, list) else [choice])
    ]


def test_a_composite_key_becomes_ordinary_fields_and_cannot_be_kept() -> None:
    table = table_defaults.default_table(replace(SCHEMA, key=SourceKey(("id", "created"))), EVERYTHING)
    assert key_choices(table) == ["auto", "joined", "field:id", "field:created"]
    assert plan_field(table, "id").target == "id"
    assert "keep_source_key" not in CollectionForm(table, EVERYTHING).fields
    assert changed(table, key="keep").plan.key == "auto"


NUMBERED = source_field(
    TypeSpec(MilvusType.VARCHAR), TypeSpec(MilvusType.INT64), name="id", nullable=False, can_be_key=True
)


def test_the_kept_key_can_have_each_of_its_types() -> None:
    schema = replace(SCHEMA, fields=(NUMBERED, *SCHEMA.fields[1:]))
    table = table_defaults.default_table(schema, EVERYTHING)
    assert CollectionForm(table, EVERYTHING).fields["key"].choices[0] == (
        "keep",
        "Keep id (VARCHAR or INT64)",
    )
    assert plan_field(table, "id").type == "VARCHAR"
    table = changed(table, id__type="INT64")
    assert (plan_field(table, "id").type, plan_field(table, "id").max_length) == ("INT64", None)
    assert of_all([table], FACTS) == [[]]
    assert preview(table) is not None


def test_a_composite_key_that_the_source_wants_joined_is_proposed_joined() -> None:
    schema = replace(SCHEMA, key=SourceKey(("created", "id"), is_joined=True))
    table = table_defaults.default_table(schema, EVERYTHING)
    form = CollectionForm(table, EVERYTHING)
    assert (form["key"].value(), form["part0"].value(), form["part1"].value()) == ("joined", "created", "id")
    assert changed(table).plan.key == ["created", "id"]


def test_another_field_becomes_the_key_and_the_old_one_an_ordinary_field(proposed: MappingTable) -> None:
    table = changed(
        proposed, created__default="then", created__too_long="truncate", created__on_null="reject"
    )
    table = changed(table, key="field:created")
    created, old = plan_field(table, "created"), plan_field(table, "id")
    assert table.plan.key == "created"
    assert (created.nullable, created.default, created.too_long) == (False, None, "reject")
    assert (old.type, old.dynamic, old.nullable) == ("INT32", False, True)
    assert of_all([table], FACTS) == [[]]
    assert changed(table).plan == table.plan
    back = changed(table, key="keep")
    assert (back.plan.key, plan_field(back, "id").type) == ("id", "INT64")


def test_an_old_key_replaced_by_auto_id_comes_back_as_a_field_if_another_field_is_the_key(
    proposed: MappingTable,
) -> None:
    table = changed(proposed, key="auto")
    assert plan_field(table, "id") is None
    table = changed(table, key="field:created")
    assert plan_field(table, "id").target == "id"
    assert not plan_field(changed(table, id__include=None), "id")


def test_a_partition_key_that_becomes_the_primary_key_is_no_longer_the_partition_key(
    proposed: MappingTable,
) -> None:
    table = changed(proposed, partition_key="created")
    assert table.plan.partition_key == "created"
    assert changed(table, key="field:created").plan.partition_key is None


@pytest.mark.parametrize("key", ["field:price", "field:", "field:nothing", "mine", "joined:id"])
def test_an_impossible_key_changes_nothing_and_is_a_problem(proposed: MappingTable, key: str) -> None:
    table = changed(proposed, key=key)
    assert table.plan.key == "id"
    (problem,) = of_all([table], FACTS)[0]
    assert (problem.field, "cannot be the key" in problem.message) == ("key", True)


def joined(table: MappingTable, *names: str) -> MappingTable:
    """Choose *Join several fields* and these parts, one after the other."""
    table = changed(table, key="joined")
    for place, name in enumerate(names):
        table = changed(table, **{f"part{place}": name})
    return table


def test_several_fields_are_joined_in_the_order_they_are_picked(proposed: MappingTable) -> None:
    table = joined(proposed, "created", "id")
    assert table.plan.key == ["created", "id"]
    assert (table.plan.key_name, table.plan.key_max_length) == ("key", 65_535)
    assert [(row.name, row.part) for row in table.rows(EVERYTHING) if row.part] == [("id", 2), ("created", 1)]
    assert {plan_field(table, name).target for name in ("created", "id")} == {"created", "id"}
    assert of_all([table], FACTS) == [[]]
    assert changed(table).plan == table.plan
    assert joined_example(table) == "2026-01-01T00:00:00/0"
    assert preview(table).rows[0][0] == "2026-01-01T00:00:00/0"


def test_joining_starts_with_the_key_and_needs_two_fields(proposed: MappingTable) -> None:
    table = changed(proposed, key="joined")
    assert table.plan.key == ["id"]
    (problem,) = of_all([table], FACTS)[0]
    assert (problem.field, problem.message) == ("key", "Choose at least two fields to join.")
    assert [row.is_key for row in table.rows(EVERYTHING)] == [False] * len(SCHEMA.fields)
    assert changed(table).plan == table.plan
    none = changed(table, part0="")
    assert none.plan.key == []
    assert [problem.field for problem in of_all([none], FACTS)[0]] == ["key"]
    assert changed(none, key="keep").plan.key == "id"


def test_a_key_of_several_columns_is_joined_with_one_choice() -> None:
    table = table_defaults.default_table(replace(SCHEMA, key=SourceKey(("id", "created"))), EVERYTHING)
    table = changed(table, key="joined")
    assert table.plan.key == ["id", "created"]
    assert list(key_notes(table, EVERYTHING)) == [
        "Rows in which created is NULL are rejected, because they have no key."
    ]


def test_a_part_can_be_removed_counts_only_once_and_need_not_be_a_field(proposed: MappingTable) -> None:
    table = joined(proposed, "id", "created", "tags", "id")
    assert table.plan.key == ["id", "created"]
    table = changed(table, created__include=None)
    assert (table.plan.key, plan_field(table, "created")) == (["id", "created"], None)
    assert of_all([table], FACTS) == [[]]
    assert changed(joined(proposed, "id", "created"), part0="").plan.key == ["created"]


def test_a_joined_key_has_a_default_name_and_length_unless_they_were_chosen(proposed: MappingTable) -> None:
    table = changed(joined(proposed, "created", "id"), key_name="place", key_max_length="99")
    assert (table.plan.key_name, table.plan.key_max_length) == ("place", 99)
    assert changed(table).plan == table.plan
    table = changed(table, key_name="", id__include=None)
    assert table.plan.key_name == "id"
    assert changed(table, key="auto").plan.key_max_length is None


def test_a_key_length_that_is_not_a_number_is_a_problem(proposed: MappingTable) -> None:
    table = changed(joined(proposed, "created", "id"), key_max_length="long")
    (problem,) = of_all([table], FACTS)[0]
    assert (problem.field, table.plan.key_max_length) == ("key_name", 65_535)


def test_the_auto_id_field_can_be_renamed(proposed: MappingTable) -> None:
    table = changed(changed(proposed, key="auto"), key_name="row")
    assert table.plan.key_name == "row"
    assert changed(table, created__target="row").plan.key_name == "row"


def test_notes_explain_what_a_key_choice_means(proposed: MappingTable) -> None:
    assert list(key_notes(proposed, EVERYTHING)) == []
    unsure, null = key_notes(changed(proposed, key="field:created"), EVERYTHING)
    assert unsure.startswith("The source does not declare created as unique")
    assert null.startswith("created may be NULL")
    auto = changed(proposed, key="auto")
    assert next(key_notes(auto, EVERYTHING)).startswith("Auto ID gives each row a new key.")
    own = replace(auto, schema=replace(auto.schema, key=SourceKey(("id",), unique=False)))
    assert next(key_notes(own, EVERYTHING)) == (
        "“id” is not declared unique, so Auto ID is proposed: choose “id” as the key to keep it."
    )
    assert next(key_notes(joined(proposed, "id", "created"), EVERYTHING)).startswith(
        "Rows in which created is NULL"
    )


def test_with_auto_id_the_tick_of_the_old_key_and_its_setting_are_the_same(proposed: MappingTable) -> None:
    table = changed(proposed, key="auto")
    assert (table.plan.keep_source_key, plan_field(table, "id")) == (False, None)
    ticked = changed(table, id__include="on")
    assert (ticked.plan.keep_source_key, plan_field(ticked, "id").type) == (True, "INT32")
    assert changed(table, keep_source_key="on").plan == ticked.plan
    assert of_all([ticked], FACTS) == [[]]
    unticked = changed(ticked, id__include=None)
    assert (unticked.plan.keep_source_key, plan_field(unticked, "id")) == (False, None)
    for before in (ticked, unticked):
        back = changed(before, key="keep")
        assert (back.plan.keep_source_key, back.plan.key) == (False, "id")
        assert of_all([back], FACTS) == [[]]
