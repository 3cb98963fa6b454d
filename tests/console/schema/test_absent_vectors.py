"""Rule for rows without a vector on the mapping page: only what the target can store is offered."""

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from django.test import Client

from console.schema.forms.field import FieldForm
from console.schema.table import MappingTable
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.types import MilvusType, TypeSpec, arrow_type
from migrations_app.models import Connection, Draft
from tests.console.conftest import BOOK_SPECS, books
from tests.console.schema.tables import OLD_MILVUS, changed, plan_field
from tests.console.wizard_helpers import change, field, page, row, select, url
from tests.kit import MemoryDatabase, MemoryStore, memory_collection
from tests.kit.memory_target import EVERYTHING

SPARSE = TypeSpec(MilvusType.SPARSE_FLOAT_VECTOR)


@pytest.fixture
def sparse_books(
    web: Client, connected: Draft, target: Connection, source_store: MemoryStore, target_store: MemoryDatabase
) -> Draft:
    """A draft of 12 books, each with a vector and every third one with a sparse vector as well."""
    words = pa.array([None if n % 3 else [{"index": n, "value": 1.0}] for n in range(12)], arrow_type(SPARSE))
    rows = books().append_column("words", words)
    source_store.collections["books"] = memory_collection(rows, {**BOOK_SPECS, "words": SPARSE}, key="id")
    select(web, connected, target, "books")
    change(web, connected, like__target="liked")
    return connected


def rules(web: Client, draft: Draft, name: str) -> list[str]:
    return [value for value, _ in row(web, draft, name)["absent"].field.choices]


def test_the_rules_depend_on_the_type_of_the_vector(web: Client, sparse_books: Draft) -> None:
    assert rules(web, sparse_books, "embedding") == ["skip", "reject", "null"]
    assert rules(web, sparse_books, "words") == ["skip", "reject", "empty", "null"]
    assert row(web, sparse_books, "title")["absent"] is None


@pytest.mark.parametrize(
    ("capabilities", "offered"),
    [(EVERYTHING, ["skip", "reject", "null"]), (OLD_MILVUS, ["skip", "reject"])],
)
def test_null_is_offered_only_if_the_target_can_store_it(
    proposed: MappingTable, capabilities: Capabilities, offered: list[str]
) -> None:
    vector = proposed.rows(capabilities)[1]
    control: Any = FieldForm(vector, proposed, capabilities).fields["absent"]
    assert [value for value, _ in control.choices] == offered


def test_a_vector_that_is_never_null_has_no_rule(proposed: MappingTable) -> None:
    never = replace(proposed.schema.fields[1], nullable=False)
    schema = replace(proposed.schema, fields=(proposed.schema.fields[0], never, *proposed.schema.fields[2:]))
    vector = replace(proposed, schema=schema).rows(EVERYTHING)[1]
    assert "absent" not in FieldForm(vector, proposed, EVERYTHING).fields


def test_a_rule_is_chosen_and_taken_back(proposed: MappingTable) -> None:
    table = changed(proposed, embedding__absent="null")
    assert (plan_field(table, "embedding").absent, plan_field(table, "embedding").nullable) == ("null", True)
    table = changed(table, embedding__absent="reject")
    assert (plan_field(table, "embedding").absent, plan_field(table, "embedding").nullable) == (
        "reject",
        False,
    )
    unchanged = changed(proposed)
    assert plan_field(unchanged, "embedding").absent is None


def test_the_last_step_says_how_many_rows_lack_a_vector(web: Client, sparse_books: Draft) -> None:
    checks = {line["text"]: line for line in web.get(url("migrate", sparse_books)).context["checks"]}
    lacking = checks["books: 8 of 12 rows lack “words” and will be skipped."]
    assert [fix.label for fix in lacking["fixes"]] == ["Store an empty vector", "Store NULL", "Leave it out"]

    change(web, sparse_books, words__absent="empty")

    assert field(sparse_books, "words")["absent"] == "empty"
    assert page(web, sparse_books).context["problem_count"] == 0
    texts = [line["text"] for line in web.get(url("migrate", sparse_books)).context["checks"]]
    assert not any("lack" in text for text in texts)
