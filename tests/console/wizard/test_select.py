"""Select Source and Target."""

from typing import Any

import pytest
from django.test import Client

from migrations_app.models import Connection, Draft
from tests.console.walking import HTMX, MODEST, change, collection, field, page, select, url
from tests.kit import MemoryDatabase, MemoryStore


def test_everything_is_listed_the_unselectable_with_its_reason(web: Client, connected: Draft) -> None:
    rows = {r["name"]: r for r in web.get(url("select", connected)).context["collections"]}
    assert set(rows) == {"books", "reviews", "authors", "empty"}
    assert rows["books"]["vectors"] == [{"name": "embedding", "dimension": 3}]
    assert rows["books"]["rows"] == 12
    assert rows["authors"]["reason"] == "It has no vector field."
    assert rows["empty"]["reason"] == "It has no rows."


def test_choosing_a_target_shows_its_databases_and_what_it_has_not(
    web: Client, connected: Draft, target: Connection, vault: MemoryDatabase
) -> None:
    vault.capabilities = MODEST
    sent = {"target": str(target.pk), "action": "target", "collections": ["books"]}
    fragment = web.post(url("select", connected), sent, headers=HTMX)
    text = fragment.content.decode()
    assert "<html" not in text
    assert "default" in text
    assert "needs Milvus 2.5 or later" in text
    whole = web.post(url("select", connected), sent)
    assert "<html" in whole.content.decode()
    assert next(r for r in whole.context["collections"] if r["name"] == "books")["selected"]


def test_a_target_that_cannot_be_reached_is_said(
    web: Client, connected: Draft, target: Connection, vault: MemoryDatabase
) -> None:
    vault.token = "changed"
    answer = select(web, connected, target, "books")
    assert answer.status_code == 422
    assert answer.context["target_error"].code == "auth_refused"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "Choose at least one collection."),
        (["authors"], "“authors” cannot be selected: It has no vector field."),
        (["nothing"], "There is no collection “nothing”. Was it deleted?"),
        (["books\0"], "There is no collection"),
        (["x" * 100_000], "There is no collection"),
    ],
)
def test_what_cannot_be_selected_is_refused_in_words(
    web: Client, connected: Draft, target: Connection, names: list[str], words: str
) -> None:
    answer = select(web, connected, target, *names)
    assert answer.status_code == 422
    assert words in answer.context["collections_error"]
    assert len(answer.context["collections_error"]) < 400


def test_no_more_than_the_most_a_job_takes(
    web: Client, connected: Draft, target: Connection, settings: Any
) -> None:
    settings.VECTORFERRY_MAX_COLLECTIONS = 1
    answer = select(web, connected, target, "books", "reviews")
    assert "One job can move 1 collection, but 2 are selected." in answer.context["collections_error"]


@pytest.mark.parametrize("data", [{"target": "4242"}, {"target": "\0"}, {"target": ""}, {"database": "moon"}])
def test_a_target_or_database_that_is_not_there_is_refused(
    web: Client, connected: Draft, target: Connection, data: dict[str, str]
) -> None:
    answer = select(web, connected, target, "books", **data)
    assert answer.status_code == 422
    assert answer.context["target_form"].errors


def test_where_no_target_was_chosen_its_database_is_no_second_fault(web: Client, connected: Draft) -> None:
    answer = web.post(url("select", connected), {"collections": ["books"], "target": "", "action": "next"})
    assert dict(answer.context["target_form"].errors) == {"target": ["Choose a target."]}


def test_choosing_again_keeps_what_was_configured(web: Client, selected: Draft, target: Connection) -> None:
    change(web, selected, target="my_books", title__target="name")
    select(web, selected, target, "reviews")
    assert [c["source"] for c in collection(selected) and selected.plan["collections"]] == ["reviews"]
    select(web, selected, target, "books", "reviews")
    assert collection(selected, 0)["target"] == "my_books"
    assert {f["target"] for f in collection(selected, 0)["fields"]} >= {"name"}


def test_what_was_not_edited_is_proposed_anew_for_another_target(
    web: Client, selected: Draft, target: Connection, vault: MemoryDatabase
) -> None:
    assert field(selected, "title")["nullable"]
    vault.capabilities = MODEST
    select(web, selected, target, "books")
    assert field(selected, "title")["dynamic"]


def test_only_some_rows_are_chosen_and_said_on_every_page(
    web: Client, connected: Draft, target: Connection
) -> None:
    select(web, connected, target, "books", "reviews", where={"books": "title", "reviews": ""})
    assert [collection(connected, n)["select"] for n in (0, 1)] == [{"where": "title"}, {}]
    shown = page(web, connected).context["collection"]
    assert (shown["narrowed"], shown["rows_exact"]) == ("only rows where title", False)
    change(web, connected, like__target="liked")
    change(web, connected, index=1, like__target="liked")
    first, second = web.get(url("migrate", connected)).context["collections"]
    assert (first["rows"], first["rows_exact"], first["notes"]) == (9, True, ["only rows where title"])
    assert (second["rows"], second["notes"]) == (5, [])
    answer = web.get(url("select", connected))
    assert "<summary>only rows where title</summary>" in answer.content.decode()
    rows = answer.context["collections"]
    assert [row["row_selection"] and row["row_selection"].words for row in rows] == [
        None, "only rows where title", None, ""
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "said"), [("nothing", "no column “nothing”"), ("two words", "not one word")]
)
def test_a_condition_that_is_none_is_said_beside_it(
    web: Client, connected: Draft, target: Connection, typed: str, said: str
) -> None:
    answer = select(web, connected, target, "books", where={"books": typed, "reviews": "two words"})
    assert answer.status_code == 422
    row = next(row for row in answer.context["collections"] if row["name"] == "books")
    assert said in row["row_selection"].errors["where"][0]
    assert row["row_selection"]["where"].value() == typed
    assert "collections" not in Draft.objects.get().plan


def test_another_condition_keeps_what_was_configured(
    web: Client, selected: Draft, target: Connection
) -> None:
    change(web, selected, title__target="name")
    select(web, selected, target, "books", where={"books": "title"})
    assert collection(selected)["select"] == {"where": "title"}
    assert field(selected, "title")["target"] == "name"
    web.post(url("schema", selected), {"action": "reset"})
    assert collection(selected)["select"] == {"where": "title"}
    assert field(selected, "title")["target"] == "title"


def test_a_source_that_went_away_is_said_with_the_way_to_repair_it(
    web: Client, connected: Draft, shelf: MemoryStore
) -> None:
    shelf.password = "changed"
    answer = web.get(url("select", connected))
    assert answer.context["error"]["code"] == "auth_refused"
    assert answer.context["error"]["url"] == url("connect", connected)


def test_steps_are_not_entered_before_their_time(web: Client, connected: Draft) -> None:
    for step in ("schema", "migrate", "plan"):
        answer = web.get(url(step, connected), follow=True)
        assert answer.redirect_chain[-1][0] == url("select", connected)
        assert "Complete “Select Source and Target” first." in answer.content.decode()
    states = [s["state"] for s in web.get(url("select", connected)).context["steps"]]
    assert states == ["done", "current", "todo", "todo"]
