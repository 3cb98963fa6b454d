"""Full-text search in a mapping table."""

from dataclasses import replace

import pytest

from console.html_anchors import anchor
from console.schema.forms.field import FieldForm
from console.schema.forms.full_text import full_text_forms
from console.schema.page.preview import preview
from console.schema.problems import of_all
from console.schema.table import MappingTable
from tests.console.schema.tables import FACTS, changed
from tests.kit.memory_target import EVERYTHING

SEARCHING = replace(EVERYTHING, full_text_null=True, analyzers=("standard", "english"))
CREATED = {"words0-field": anchor("created")}


def entries(table: MappingTable) -> list[tuple[str, str, str]]:
    return [(entry.field, entry.output, entry.analyzer) for entry in table.plan.full_text]


def test_one_choice_adds_full_text_search_to_a_field(proposed: MappingTable) -> None:
    table = changed(proposed, SEARCHING, **CREATED)
    assert entries(table) == [("created", "created_words", "standard")]
    assert of_all([table], replace(FACTS, capabilities=SEARCHING)) == [[]]
    assert changed(table, SEARCHING).plan == table.plan
    assert [line.now is None for line in full_text_forms(table, SEARCHING)] == [False]
    assert "created_words" not in [column.name for column in preview(table).columns]
    table = changed(table, SEARCHING, **{"words0-analyzer": "english", "words0-output": "stems"})
    assert entries(table) == [("created", "stems", "english")]


def test_a_renamed_field_keeps_its_full_text_search_and_a_field_that_is_not_a_text_loses_it(
    proposed: MappingTable,
) -> None:
    table = changed(proposed, SEARCHING, **CREATED)
    assert entries(changed(table, SEARCHING, created__target="made")) == [
        ("made", "created_words", "standard")
    ]
    assert entries(changed(table, SEARCHING, created__type="INT64")) == []
    assert entries(changed(table, SEARCHING, created__include=None)) == []
    assert entries(changed(table, SEARCHING, **{"words0-field": ""})) == []


def test_a_searched_field_is_never_null_if_the_target_cannot_search_null(proposed: MappingTable) -> None:
    capabilities = replace(SEARCHING, full_text_null=False)
    table = changed(changed(proposed, capabilities, **CREATED), capabilities)
    row = next(row for row in table.rows(capabilities) if row.name == "created")
    controls = FieldForm(row, table, capabilities)
    assert "nullable" not in controls.fields
    assert [value for value, _ in controls.fields["on_null"].choices] == ["fill", "reject"]
    assert of_all([table], replace(FACTS, capabilities=capabilities)) == [[]]


def test_full_text_search_is_not_offered_if_the_target_lacks_it(proposed: MappingTable) -> None:
    assert full_text_forms(proposed, replace(EVERYTHING, full_text=False)) == []


@pytest.mark.parametrize(
    "sent",
    [
        {"words0-output": "id"},
        {"words0-output": "1st"},
        {"words0-analyzer": "klingon"},
        {"words0-field": "f0"},
    ],
)
def test_an_invalid_choice_is_a_problem_of_full_text_search(
    proposed: MappingTable, sent: dict[str, str]
) -> None:
    table = changed(changed(proposed, SEARCHING, **CREATED), SEARCHING, **sent)
    problems = of_all([table], replace(FACTS, capabilities=SEARCHING))[0]
    assert {problem.field for problem in problems} == {"full_text"}
