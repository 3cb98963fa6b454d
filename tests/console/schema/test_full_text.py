"""Full-text search in a mapping table."""

from dataclasses import replace

import pytest

from console.html_anchors import anchor
from console.schema.forms.field import FieldForm
from console.schema.forms.full_text import full_text_forms
from console.schema.preview import preview
from console.schema.problems import of_all
from console.schema.table import MappingTable
from tests.console.schema.tables import FACTS, changed
from tests.kit.memory_target import EVERYTHING

SEARCHES = replace(EVERYTHING, full_text_null=True, analyzers=("standard", "english"))
CREATED = {"words0-field": anchor("created")}


def entries(table: MappingTable) -> list[tuple[str, str, str]]:
    return [(entry.field, entry.output, entry.analyzer) for entry in table.plan.full_text]


def test_a_field_is_searched_by_its_words_with_one_choice(proposed: MappingTable) -> None:
    table = changed(proposed, SEARCHES, **CREATED)
    assert entries(table) == [("created", "created_words", "standard")]
    assert of_all([table], replace(FACTS, capabilities=SEARCHES)) == [[]]
    assert changed(table, SEARCHES).plan == table.plan
    assert [line.now is None for line in full_text_forms(table, SEARCHES)] == [False]
    assert "created_words" not in [column.name for column in preview(table).columns]
    table = changed(table, SEARCHES, **{"words0-analyzer": "english", "words0-output": "stems"})
    assert entries(table) == [("created", "stems", "english")]


def test_a_renamed_field_is_searched_still_and_one_that_is_no_text_no_more(proposed: MappingTable) -> None:
    table = changed(proposed, SEARCHES, **CREATED)
    assert entries(changed(table, SEARCHES, created__target="made")) == [
        ("made", "created_words", "standard")
    ]
    assert entries(changed(table, SEARCHES, created__type="INT64")) == []
    assert entries(changed(table, SEARCHES, created__include=None)) == []
    assert entries(changed(table, SEARCHES, **{"words0-field": ""})) == []


def test_where_null_cannot_be_searched_the_field_is_never_null(proposed: MappingTable) -> None:
    capabilities = replace(SEARCHES, full_text_null=False)
    table = changed(changed(proposed, capabilities, **CREATED), capabilities)
    row = next(row for row in table.rows(capabilities) if row.name == "created")
    controls = FieldForm(row, table, capabilities)
    assert "nullable" not in controls.fields
    assert [value for value, _ in controls.fields["on_null"].choices] == ["fill", "reject"]
    assert of_all([table], replace(FACTS, capabilities=capabilities)) == [[]]


def test_a_target_without_it_offers_none(proposed: MappingTable) -> None:
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
def test_what_cannot_be_is_a_problem_of_full_text_search(
    proposed: MappingTable, sent: dict[str, str]
) -> None:
    table = changed(changed(proposed, SEARCHES, **CREATED), SEARCHES, **sent)
    problems = of_all([table], replace(FACTS, capabilities=SEARCHES))[0]
    assert {problem.field for problem in problems} == {"full_text"}
