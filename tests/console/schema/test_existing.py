"""Existing target collection: rows are added to it, it is replaced, or another name is used."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from migrations_app.engine.model.target_schema import TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.models import Connection, Draft, Job
from tests.console.wizard_helpers import change, collection, field, form_of, page, row, select, start, url
from tests.kit import MemoryDatabase, MemoryRows, MemoryStore

EXISTING_SCHEMA = TargetSchema(
    "books",
    (
        TargetField("id", TypeSpec(MilvusType.INT64), is_key=True),
        TargetField("embedding", TypeSpec(MilvusType.FLOAT_VECTOR, dim=3)),
        TargetField("name", TypeSpec(MilvusType.VARCHAR, max_length=512), nullable=True),
        TargetField("shelf", TypeSpec(MilvusType.VARCHAR, max_length=8), nullable=True),
    ),
)


@pytest.fixture
def taken(web: Client, connected: Draft, target: Connection, target_store: MemoryDatabase) -> Draft:
    """A draft whose collection already exists in the target, with seven rows."""
    target_store.collections["books"] = MemoryRows(EXISTING_SCHEMA, {n: {"id": n} for n in range(7)}, sent=7)
    select(web, connected, target, "books")
    connected.refresh_from_db()
    return connected


def fixes(web: Client, draft: Draft) -> dict[str, str]:
    """The fixes next to the name of the collection, by label."""
    problems = page(web, draft).context["collection"]["problems"]
    return {fix.label: fix.value for problem in problems for fix in problem.fixes}


def press(web: Client, draft: Draft, fix: str) -> Any:
    return web.post(url("schema", draft), form_of(web, draft) | {"fix": fix})


def test_a_name_that_is_taken_has_three_fixes(web: Client, taken: Draft) -> None:
    assert list(fixes(web, taken)) == ["Use books_2", "Add rows to it", "Replace it…"]


def test_adding_rows_maps_the_fields_to_those_of_the_collection(web: Client, taken: Draft) -> None:
    change(web, taken, title__target="name", pages__target="number")
    press(web, taken, fixes(web, taken)["Add rows to it"])
    plan = collection(taken)
    assert (plan["if_exists"], plan["key"], plan["dynamic_field"]) == ("append", "id", True)
    assert (field(taken, "title")["target"], field(taken, "title")["max_length"]) == ("name", 512)
    assert (field(taken, "pages")["dynamic"], field(taken, "pages")["as"]) == (True, "number")
    assert [f["target"] for f in plan["fields"] if f["added"]] == ["shelf"]
    shown = page(web, taken).context
    assert shown["problem_count"] == 0
    assert shown["collection"]["warnings"] == [
        "Rows are added to “books” (about 7 rows). The fields must match the fields of this collection. "
        "A row whose key already exists replaces the old row."
    ]


def test_a_limit_of_the_collection_is_raised_with_one_click(web: Client, taken: Draft) -> None:
    change(web, taken, title__target="name", pages__target="number")
    press(web, taken, fixes(web, taken)["Add rows to it"])
    change(web, taken, title__max_length="9,000")
    (problem,) = row(web, taken, "title")["problems"]
    offers = {fix.label: fix.value for fix in problem.fixes}
    assert list(offers) == ["Use 512", "Raise it to 9,000 in the collection"]
    press(web, taken, offers["Raise it to 9,000 in the collection"])
    assert (field(taken, "title")["max_length"], field(taken, "title")["raise_limit"]) == (9_000, True)
    shown = row(web, taken, "title")
    assert (shown["problems"], page(web, taken).context["problem_count"]) == ([], 0)
    assert "the job raises the limit in the collection" in shown["length_note"]
    change(web, taken, title__max_length="512")
    assert row(web, taken, "title")["problems"] == []


@pytest.mark.parametrize("choice", ["Add rows to it", "Replace it…"])
def test_the_collection_that_is_read_is_neither_replaced_nor_added_to(
    web: Client, taken: Draft, source_store: MemoryStore, target_store: MemoryDatabase, choice: str
) -> None:
    source_store.server = target_store.server = "one"
    press(web, taken, fixes(web, taken)[choice])
    (problem,) = page(web, taken).context["collection"]["problems"]
    assert problem.message.startswith("“books” in the target is the collection “books” of the source")
    assert list(fixes(web, taken)) == ["Use books_2"]
    press(web, taken, fixes(web, taken)["Use books_2"])
    assert not page(web, taken).context["collection"]["problems"]


def test_a_field_that_does_not_match_the_collection_is_a_problem_in_its_row(
    web: Client, taken: Draft
) -> None:
    press(web, taken, fixes(web, taken)["Add rows to it"])
    change(web, taken, embedding__target="vector")
    (problem,) = row(web, taken, "embedding")["problems"]
    assert "has no field “vector”" in problem.message
    change(web, taken, embedding__target="embedding")
    change(web, taken, without=("dynamic_field",))
    assert "has a dynamic field" in page(web, taken).content.decode()


def test_undoing_the_choice_restores_the_fields(web: Client, taken: Draft) -> None:
    change(web, taken, title__max_length="300", like__target="liked")
    before = collection(taken)["fields"]
    press(web, taken, fixes(web, taken)["Add rows to it"])
    assert field(taken, "title")["dynamic"]
    change(web, taken, if_exists="replace")
    assert collection(taken)["fields"] == before
    change(web, taken, if_exists="error", target="others")
    assert (collection(taken)["fields"], page(web, taken).context["problem_count"]) == (before, 0)


def test_the_summary_says_that_rows_are_added_to_an_existing_collection(web: Client, taken: Draft) -> None:
    press(web, taken, fixes(web, taken)["Add rows to it"])
    context = web.get(url("migrate", taken)).context
    assert "into 1 existing collection in “default” of vault" in context["summary"]
    assert context["collections"][0]["notes"][0] == "added to about 7 existing rows"
    assert start(web, taken)["Location"] == reverse("job", args=[Job.objects.get().public_id])


def choose_replace(web: Client, draft: Draft) -> None:
    change(web, draft, like__target="liked")
    press(web, draft, fixes(web, draft)["Replace it…"])


def test_nothing_is_replaced_without_a_confirmation(web: Client, taken: Draft) -> None:
    choose_replace(web, taken)
    assert "“books” (about 7 rows) is dropped" in page(web, taken).context["collection"]["warnings"][0]
    context = web.get(url("migrate", taken)).context
    assert context["dropped"] == ["books"]
    assert "“books” (about 7 rows) is dropped first." in context["summary"]
    assert start(web, taken, load="on", create_index="on")["Location"] == url("replace", taken)
    assert not Job.objects.exists()
    asked = web.get(url("replace", taken))
    assert (
        "“books” (about 7 rows) in “default” of vault is dropped with all its rows" in asked.content.decode()
    )
    start(web, taken, action="replace", replace="others")
    assert not Job.objects.exists()
    start(web, taken, action="replace", replace="books", load="on", create_index="on")
    job = Job.objects.get()
    assert job.plan["collections"][0]["if_exists"] == "replace"
    assert job.plan["options"]["load"] is True


def test_the_confirmation_without_a_script_keeps_the_options(web: Client, taken: Draft) -> None:
    choose_replace(web, taken)
    start(web, taken, load="on", create_index="on", source_rows_per_second="3")
    form = web.get(url("replace", taken)).context["form"]
    sent = {field.html_name: str(field.value() or "") for field in form if field.value()}
    web.post(url("migrate", taken), sent | {"action": "replace", "replace": "books"})
    options = Job.objects.get().plan["options"]
    pace = options["source_rows_per_second"]
    assert (options["load"], options["create_index"], pace) == (True, True, 3)


def test_a_trial_asks_nothing_about_the_collection_that_the_plan_replaces(web: Client, taken: Draft) -> None:
    choose_replace(web, taken)
    start(web, taken, limit_rows="3")
    (written,) = Job.objects.get().plan["collections"]
    assert (written["target"], written["if_exists"]) == ("books_trial", "error")
    assert Job.objects.get().trial_targets == [{"target": "books", "if_exists": "replace"}]


def test_replacing_a_collection_that_no_longer_exists_needs_no_confirmation(
    web: Client, taken: Draft, target_store: MemoryDatabase
) -> None:
    choose_replace(web, taken)
    target_store.collections.clear()
    web.post(url("migrate", taken), {"action": "check", "verify": "counts"})
    assert web.get(url("migrate", taken)).context["dropped"] == []
    start(web, taken)
    assert Job.objects.exists()


def test_a_collection_with_an_alias_is_not_replaced(
    web: Client, taken: Draft, target_store: MemoryDatabase
) -> None:
    target_store.aliases["shop"] = "books"
    choose_replace(web, taken)
    (problem,) = web.get(url("migrate", taken)).context["problems"]
    assert "“books” has the alias “shop”" in problem["message"]


def test_an_unavailable_target_leaves_the_choice_unchanged(
    web: Client, taken: Draft, target_store: MemoryDatabase
) -> None:
    fix = fixes(web, taken)["Add rows to it"]
    sent = form_of(web, taken) | {"fix": fix}
    target_store.token = "changed"
    web.post(url("schema", taken), sent)
    assert collection(taken)["if_exists"] == "error"
    assert "refused" in page(web, taken).content.decode()
