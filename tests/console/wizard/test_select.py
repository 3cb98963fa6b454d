"""Select Source and Target step."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.template.loader import render_to_string
from django.test import Client

from console.draft.row_selection import RowSelectionForm
from console.html_anchors import anchor
from migrations_app.models import Connection, Draft, Job
from migrations_app.worker import tasks
from tests.console.selecting_source import Chosen
from tests.console.wizard_helpers import HTMX, OLD_MILVUS, change, collection, field, page, select, url
from tests.kit import MemoryDatabase, MemorySource, MemoryStore
from tests.kit.memory_target import EVERYTHING


def test_all_collections_are_listed_and_those_that_cannot_be_selected_have_a_reason(
    web: Client, connected: Draft
) -> None:
    rows = {r["name"]: r for r in web.get(url("select", connected)).context["collections"]}
    assert set(rows) == {"books", "reviews", "authors", "empty"}
    assert rows["books"]["vectors"] == [{"name": "embedding", "dimension": 3}]
    assert rows["books"]["rows"] == 12
    assert rows["authors"]["reason"] == "It has no vector field."
    assert rows["empty"]["reason"] == "It has no rows."


def test_a_source_without_collections_is_reported_in_its_own_words(
    web: Client, connected: Draft, source_store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    source_store.collections.clear()
    monkeypatch.setattr(MemorySource, "collection_words", ("file", "files"))
    text = web.get(url("select", connected)).content.decode()
    assert "The source lists no files. Check the settings of the connection." in text
    assert "Filter files" not in text


def test_choosing_a_target_shows_its_databases_and_the_features_it_lacks(
    web: Client, connected: Draft, target: Connection, target_store: MemoryDatabase
) -> None:
    target_store.capabilities = OLD_MILVUS
    sent = {"target": str(target.pk), "action": "target", "collections": ["books"]}
    fragment = web.post(url("select", connected), sent, headers=HTMX)
    text = fragment.content.decode()
    assert "<html" not in text
    assert "default" in text
    assert "needs Milvus 2.5 or later" in text
    whole = web.post(url("select", connected), sent)
    assert "<html" in whole.content.decode()
    assert next(r for r in whole.context["collections"] if r["name"] == "books")["selected"]


def test_a_target_that_refuses_the_login_is_reported(
    web: Client, connected: Draft, target: Connection, target_store: MemoryDatabase
) -> None:
    target_store.token = "changed"
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
def test_an_invalid_selection_is_refused_with_a_sentence(
    web: Client, connected: Draft, target: Connection, names: list[str], words: str
) -> None:
    answer = select(web, connected, target, *names)
    assert answer.status_code == 422
    assert words in answer.context["collections_error"]
    assert len(answer.context["collections_error"]) < 400


def test_collections_that_one_job_cannot_move_follow_in_the_next_draft(
    web: Client, connected: Draft, target: Connection, settings: Any
) -> None:
    settings.VECTORFERRY_MAX_COLLECTIONS = 1
    answer = select(web, connected, target, "books", "reviews", where={"reviews": "title"})
    assert "The other 1 follows in the next draft" in web.get(answer["Location"]).content.decode()
    connected.refresh_from_db()
    assert [c["source"] for c in connected.plan["collections"]] == ["books"]
    page = web.get(url("select", connected)).context
    assert page["chosen_text"] == "2 chosen: the first 1 are this migration, the other 1 the next one"
    assert [row["name"] for row in page["collections"]][:2] == ["books", "reviews"]  # the chosen ones first
    change(web, connected, like__target="liked")
    answer = web.post(url("migrate", connected), {"action": "start", "verify": "counts"})
    assert "1 collection selected" in web.get(answer["Location"]).content.decode()
    following = Draft.objects.get(job=None)
    shown = {row["name"]: row for row in web.get(url("select", following)).context["collections"]}
    assert [name for name, row in shown.items() if row["selected"]] == ["reviews"]
    assert shown["reviews"]["row_selection"]["where"].value() == "title"
    select(web, following, target, "reviews", where={"reviews": "title"})
    assert collection(following)["select"] == {"where": "title"}


def test_ticks_are_kept_while_a_target_is_added_and_it_is_chosen_then(
    web: Client, connected: Draft, target: Connection
) -> None:
    sent = {"collections": ["reviews"], f"{anchor('reviews')}-where": "title", "action": "connection"}
    answer = web.post(url("select", connected), sent)
    back = parse_qs(urlsplit(answer["Location"]).query)["next"][0]
    before = Draft.objects.get().plan
    shown = web.get(back + str(target.pk)).context
    assert shown["target"]["name"] == "vault"
    assert shown["collections"][0]["name"] == "reviews"
    assert shown["collections"][0]["row_selection"]["where"].value() == "title"
    assert (Draft.objects.get().plan, Draft.objects.get().target_connection) == (before, None)


def test_the_faults_of_the_page_are_listed_with_their_controls(
    web: Client, connected: Draft, target: Connection
) -> None:
    answer = select(web, connected, target, "books", where={"books": "two words"}, target="")
    assert [fault["id"] for fault in answer.context["faults"]] == [
        f"id_{anchor('books')}-where",
        "id_target",
    ]
    assert all(f'id="{fault["id"]}"' in answer.content.decode() for fault in answer.context["faults"])


def test_the_page_asks_the_database_as_often_for_155_collections_as_for_four(
    web: Client, connected: Draft, source_store: MemoryStore, django_assert_num_queries: Any
) -> None:
    for number in range(155):
        source_store.collections[f"{number:03} <b>"] = source_store.collections["books"]
    with django_assert_num_queries(5):
        answer = web.get(url("select", connected))
    form = RowSelectionForm(Chosen, "001 <b>", {})
    expected = render_to_string("wizard/_row_selection.html", {"form": form})
    shown = {row["name"]: row["blank_selection"] for row in answer.context["collections"]}
    assert shown["001 <b>"] == expected


@pytest.mark.parametrize("data", [{"target": "4242"}, {"target": "\0"}, {"target": ""}, {"database": "moon"}])
def test_an_unknown_target_or_database_is_refused(
    web: Client, connected: Draft, target: Connection, data: dict[str, str]
) -> None:
    answer = select(web, connected, target, "books", **data)
    assert answer.status_code == 422
    assert answer.context["target_form"].errors


def test_a_missing_target_is_reported_without_a_second_fault_about_its_database(
    web: Client, connected: Draft
) -> None:
    answer = web.post(url("select", connected), {"collections": ["books"], "target": "", "action": "next"})
    assert dict(answer.context["target_form"].errors) == {"target": ["Choose a target."]}


def test_selecting_other_collections_keeps_what_was_configured(
    web: Client, selected: Draft, target: Connection
) -> None:
    change(web, selected, target="my_books", title__target="name")
    select(web, selected, target, "reviews")
    assert [c["source"] for c in collection(selected) and selected.plan["collections"]] == ["reviews"]
    select(web, selected, target, "books", "reviews")
    assert collection(selected, 0)["target"] == "my_books"
    assert {f["target"] for f in collection(selected, 0)["fields"]} >= {"name"}


def test_a_table_that_was_not_edited_is_proposed_again_for_another_target(
    web: Client, selected: Draft, target: Connection, target_store: MemoryDatabase
) -> None:
    assert field(selected, "title")["nullable"]
    target_store.capabilities = OLD_MILVUS
    select(web, selected, target, "books")
    assert field(selected, "title")["dynamic"]


def test_a_condition_on_rows_is_shown_on_every_page(
    web: Client, connected: Draft, target: Connection
) -> None:
    select(web, connected, target, "books", "reviews", where={"books": "title", "reviews": ""})
    assert [collection(connected, n)["select"] for n in (0, 1)] == [{"where": "title"}, {}]
    shown = page(web, connected).context["collection"]
    assert (shown["row_selection"], shown["rows_exact"]) == ("only rows where title", False)
    change(web, connected, like__target="liked")
    change(web, connected, index=1, like__target="liked")
    first, second = web.get(url("migrate", connected)).context["collections"]
    assert (first["rows"], first["rows_exact"], first["notes"]) == (9, True, ["only rows where title"])
    assert (second["rows"], second["notes"]) == (5, [])
    answer = web.get(url("select", connected))
    assert "<summary>only rows where title</summary>" in answer.content.decode()
    rows = {row["name"]: row for row in answer.context["collections"]}
    assert rows["books"]["row_selection"].words == "only rows where title"
    assert rows["reviews"]["row_selection"].words == ""
    assert rows["authors"]["row_selection"] is None
    assert rows["authors"]["blank_selection"] == ""


@pytest.mark.parametrize(
    ("typed", "message"), [("nothing", "no column “nothing”"), ("two words", "not one word")]
)
def test_an_invalid_condition_is_reported_at_its_field(
    web: Client, connected: Draft, target: Connection, typed: str, message: str
) -> None:
    answer = select(web, connected, target, "books", where={"books": typed, "reviews": "two words"})
    assert answer.status_code == 422
    row = next(row for row in answer.context["collections"] if row["name"] == "books")
    assert message in row["row_selection"].errors["where"][0]
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


def test_a_source_that_cannot_be_reached_is_reported_with_a_link_to_its_settings(
    web: Client, connected: Draft, source_store: MemoryStore
) -> None:
    source_store.password = "changed"
    answer = web.get(url("select", connected))
    assert answer.context["error"]["code"] == "auth_refused"
    assert answer.context["error"]["url"] == url("connect", connected)


def test_a_step_cannot_be_entered_before_the_earlier_steps_are_complete(
    web: Client, connected: Draft
) -> None:
    for step in ("schema", "migrate", "plan"):
        answer = web.get(url(step, connected), follow=True)
        assert answer.redirect_chain[-1][0] == url("select", connected)
        assert "Complete “Select Source and Target” first." in answer.content.decode()
    states = [s["state"] for s in web.get(url("select", connected)).context["steps"]]
    assert states == ["done", "current", "todo", "todo"]


def test_a_database_that_does_not_exist_is_created_with_the_job(
    web: Client, selected: Draft, target: Connection, target_store: MemoryDatabase
) -> None:
    sent = {"collections": ["books"], "target": str(target.pk), "database": "default", "action": "next"}
    answer = web.post(url("select", selected), sent | {"new_database": "my shop"})
    assert "is not a valid database name" in str(answer.context["target_form"].errors)
    assert web.post(url("select", selected), sent | {"new_database": "shop"}).status_code == 302
    assert web.get(url("select", selected)).context["target_form"]["new_database"].value() == "shop"
    change(web, selected, like__target="liked")
    assert web.post(url("migrate", selected), {"action": "start", "verify": "counts"}).status_code == 302
    job = Job.objects.get()
    assert job.plan["target"] == {"connection": "vault", "database": "shop", "create_database": True}
    assert target_store.created_databases == []
    tasks.BY_NAME["prepare"](job.pk)
    assert target_store.created_databases == ["shop"]


def test_a_target_with_only_one_database_offers_no_other(
    web: Client, selected: Draft, target: Connection, target_store: MemoryDatabase
) -> None:
    target_store.capabilities = replace(EVERYTHING, databases=False)
    select(web, selected, target, "books")
    assert "new_database" not in web.get(url("select", selected)).context["target_form"].fields
