"""From a tile to a job: the four steps with a source and a target in memory."""

import json
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from console.schema_rows import CONTROLS
from console.sheet import anchor
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.schema import MilvusType, TypeSpec
from migrations_app.engine.testing import MemoryDatabase, MemoryRows, MemoryStore, memory_collection
from migrations_app.engine.testing.memory_target import EVERYTHING
from migrations_app.models import Connection, Draft, Job
from tests.console.conftest import BOOK_SPECS, books

HTMX = {"HX-Request": "true"}
MODEST = replace(EVERYTHING, version="2.3.5", nullable=False, default_values=False, max_vector_fields=1)


def url(step: str, draft: Draft, *args: int) -> str:
    return reverse(f"wizard_{step}", args=[draft.pk, *args])


@pytest.fixture
def target(vault: MemoryDatabase) -> Connection:
    return Connection.objects.create(
        name="vault", kind="memory", is_target=True, settings={"store": vault.name, "token": "letmein"}
    )


@pytest.fixture
def connected(web: Client, shelf: MemoryStore) -> Draft:
    """A draft after step 1, made by the page itself."""
    filled = {"name": "shelf", "store": shelf.name, "password": "opensesame"}
    web.post(reverse("wizard_new", args=["memory"]), filled | {"connection": "new", "action": "next"})
    return Draft.objects.get()


def select(
    web: Client,
    draft: Draft,
    to: Connection,
    *names: str,
    target: str | None = None,
    database: str = "default",
    where: dict[str, str] | None = None,
) -> Any:
    sent = {"collections": list(names), "database": database, "action": "next"}
    sent |= {f"{anchor(name)}-where": text for name, text in (where or {}).items()}
    return web.post(url("select", draft), sent | {"target": str(to.pk) if target is None else target})


@pytest.fixture
def selected(web: Client, connected: Draft, target: Connection, db: None) -> Draft:
    """A draft after step 2, with one collection."""
    answer = select(web, connected, target, "books")
    assert answer.status_code == 302, answer.context["error"] or answer.context["target_error"]
    connected.refresh_from_db()
    return connected


def form_of(web: Client, draft: Draft, index: int = 0) -> dict[str, str]:
    """What a browser would send of the mapping table as it stands."""
    collection = web.get(url("schema", draft, index)).context["collection"]
    fields = [collection["form"][name] for name in collection["form"].fields]
    for row in collection["fields"]:
        if not row["left_out_reason"]:
            fields += [row[name] for name in CONTROLS if row[name] is not None]
    sent = {}
    for field in fields:
        value = field.value()
        if field.widget_type == "checkbox":
            sent |= {field.html_name: "on"} if value else {}
        else:
            sent[field.html_name] = "" if value is None else str(value)
    return sent


def change(
    web: Client,
    draft: Draft,
    *,
    index: int = 0,
    without: tuple[str, ...] = (),
    action: str = "save",
    **data: str,
) -> Any:
    """Send the table with some controls changed; ``row__control`` names one in a row."""
    sent = form_of(web, draft, index)
    for name in without:
        sent.pop(control(name), None)
    sent |= {control(name): value for name, value in data.items()}
    answer = web.post(url("schema", draft, *([index] if index else [])), sent | {"action": action})
    draft.refresh_from_db()
    return answer


def control(name: str) -> str:
    row, _, option = name.rpartition("__")
    return f"{anchor(row)}-{option}" if row else name


def collection(draft: Draft, index: int = 0) -> dict[str, Any]:
    draft.refresh_from_db()
    found: dict[str, Any] = draft.plan["collections"][index]
    return found


def field(draft: Draft, source: str) -> dict[str, Any] | None:
    return next((f for f in collection(draft)["fields"] if f["source"] == source), None)


def page(web: Client, draft: Draft, index: int = 0) -> Any:
    return web.get(url("schema", draft, index))


def row(web: Client, draft: Draft, source: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = page(web, draft).context["collection"]["fields"]
    return next(r for r in rows if r["source_name"] == source)


# --- Migrations -------------------------------------------------------------------------------------------


def test_every_source_has_a_tile(web: Client) -> None:
    text = web.get(reverse("migrations")).content.decode()
    assert reverse("wizard_new", args=["memory"]) in text
    assert reverse("wizard_new", args=["postgresql"]) in text


def test_a_draft_can_be_gone_on_with_where_it_stands(web: Client, selected: Draft) -> None:
    (draft,) = web.get(reverse("migrations")).context["drafts"]
    assert draft["name"] == "shelf → vault"
    assert draft["step_title"] == "Configure Schema"
    assert draft["detail"] == "1 collection chosen"
    assert web.get(reverse("migrations")).context["drafts"][0]["source_title"] == "Memory"
    assert draft["created_by"] == "ada"
    assert web.get(draft["url"]).status_code == 200


def test_another_administrator_may_go_on_with_a_draft(selected: Draft, client: Client) -> None:
    client.force_login(User.objects.create_user("bob", is_staff=True))
    assert page(client, selected).status_code == 200


def test_a_draft_is_discarded(web: Client, selected: Draft) -> None:
    assert web.get(url("discard", selected)).status_code == 405
    web.post(url("discard", selected))
    assert not Draft.objects.exists()
    assert page(web, selected).status_code == 404


def test_viewers_see_no_draft_and_no_step(viewer_web: Client, selected: Draft) -> None:
    migrations = viewer_web.get(reverse("migrations"))
    assert migrations.status_code == 200
    assert migrations.context["drafts"] == []
    for step in ("connect", "select", "schema", "migrate", "plan"):
        assert viewer_web.get(url(step, selected)).status_code == 403
        assert viewer_web.post(url(step, selected)).status_code == 403
    assert viewer_web.post(url("discard", selected)).status_code == 403
    assert Draft.objects.exists()


# --- Connect ----------------------------------------------------------------------------------------------


def test_next_tests_saves_and_goes_on(web: Client, connected: Draft) -> None:
    connection = Connection.objects.get()
    assert connected.source_connection == connection
    assert connection.server_info.startswith("Memory 1")
    assert connection.tested_at is not None


def test_a_failed_connection_makes_no_draft(web: Client, shelf: MemoryStore) -> None:
    filled = {"name": "shelf", "store": shelf.name, "password": "wrong", "connection": "new"}
    answer = web.post(reverse("wizard_new", args=["memory"]), filled | {"action": "next"})
    assert answer.context["form"].errors["password"] == ["The store refused the password. Type it again."]
    assert not Draft.objects.exists()
    assert not Connection.objects.exists()


def test_a_test_shows_the_server_and_stays(web: Client, shelf: MemoryStore) -> None:
    filled = {"name": "shelf", "store": shelf.name, "password": "opensesame", "connection": "new"}
    answer = web.post(reverse("wizard_new", args=["memory"]), filled | {"action": "test"})
    assert answer.context["server"]["title"] == "Memory 1"
    assert "opensesame" not in answer.content.decode()
    assert not Connection.objects.exists()


def test_a_saved_connection_is_chosen_instead(web: Client, connected: Draft, shelf: MemoryStore) -> None:
    saved = Connection.objects.get()
    new = reverse("wizard_new", args=["memory"])
    assert [choice["name"] for choice in web.get(new).context["saved"]] == ["shelf"]
    answer = web.post(new, {"connection": str(saved.pk), "action": "next"})
    assert answer.status_code == 302
    assert Connection.objects.count() == 1
    shelf.password = "changed"
    refused = web.post(new, {"connection": str(saved.pk), "action": "next"})
    assert refused.context["error"].code == "auth_refused"


def test_a_connection_that_was_deleted_meanwhile_is_said(web: Client, connected: Draft) -> None:
    answer = web.post(url("connect", connected), {"connection": "4242", "action": "next"})
    assert "not there any more" in answer.content.decode()


def test_another_source_forgets_the_selection_and_keeps_the_target(
    web: Client, selected: Draft, shelf: MemoryStore
) -> None:
    filled = {"name": "other", "store": shelf.name, "password": "opensesame", "connection": "new"}
    web.post(url("connect", selected), filled | {"action": "next"})
    selected.refresh_from_db()
    assert "collections" not in selected.plan
    assert selected.target_connection is not None
    assert web.get(url("schema", selected))["Location"] == url("select", selected)


def test_going_back_with_the_same_source_loses_nothing(web: Client, selected: Draft) -> None:
    before = selected.plan
    source = str(selected.source_connection_id)
    web.post(url("connect", selected), {"connection": source, "action": "next"})
    selected.refresh_from_db()
    assert selected.plan == before


# --- Select -----------------------------------------------------------------------------------------------


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
        (["nothing"], "There is no collection “nothing” (any more)."),
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
    assert "One job takes 1 collection, and 2 are chosen." in answer.context["collections_error"]


@pytest.mark.parametrize("data", [{"target": "4242"}, {"target": "\0"}, {"target": ""}, {"database": "moon"}])
def test_a_target_or_database_that_is_not_there_is_refused(
    web: Client, connected: Draft, target: Connection, data: dict[str, str]
) -> None:
    answer = select(web, connected, target, "books", **data)
    assert answer.status_code == 422
    assert answer.context["target_form"].errors


def test_where_no_target_was_chosen_its_database_is_no_second_fault(web: Client, connected: Draft) -> None:
    answer = web.post(url("select", connected), {"collections": ["books"], "target": "", "action": "next"})
    assert dict(answer.context["target_form"].errors) == {"target": ["Choose where to move to."]}


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
    rows = web.get(url("select", connected)).context["collections"]
    assert [row["narrowing"] and row["narrowing"].words for row in rows] == [
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
    assert said in row["narrowing"].errors["where"][0]
    assert row["narrowing"]["where"].value() == typed
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
        assert "First comes “Select Source and Target”." in answer.content.decode()
    states = [s["state"] for s in web.get(url("select", connected)).context["steps"]]
    assert states == ["done", "current", "todo", "todo"]


# --- Configure Schema -------------------------------------------------------------------------------------


def test_the_proposal_is_shown_and_has_no_problem_but_a_reserved_name(web: Client, selected: Draft) -> None:
    context = page(web, selected).context
    assert [r["source_name"] for r in context["collection"]["fields"]] == [
        *("id", "embedding", "title", "pages", "like", "raw")
    ]
    assert context["problem_text"] == "1 problem in books"
    assert "“like” is reserved in Milvus filters." in page(web, selected).content.decode()


def test_a_fix_is_one_click_away(web: Client, selected: Draft) -> None:
    (problem,) = row(web, selected, "like")["problems"]
    (fix,) = problem.fixes
    assert fix.label == "Use like_"
    answer = web.post(url("schema", selected), form_of(web, selected) | {"fix": fix.value})
    assert answer["Location"] == f"{url('schema', selected)}#{anchor('like')}"
    assert field(selected, "like")["target"] == "like_"
    assert page(web, selected).context["problem_count"] == 0


def test_a_renamed_field_keeps_its_index(web: Client, selected: Draft) -> None:
    change(web, selected, embedding__target="vec")
    assert [i["field"] for i in collection(selected)["indexes"]] == ["vec"]


def test_a_name_used_twice_is_a_problem_of_the_later_row(web: Client, selected: Draft) -> None:
    change(web, selected, pages__target="title")
    problems = [p for r in page(web, selected).context["collection"]["fields"] for p in r["problems"]]
    assert any("Two fields are called “title”." in problem.message for problem in problems)


@pytest.mark.parametrize("typed", ["many", "", "1e3", "9" * 5000, "\0", "１２"])
def test_what_is_no_number_is_kept_as_typed_and_is_a_problem(
    web: Client, selected: Draft, typed: str
) -> None:
    before = field(selected, "title")["max_length"]
    change(web, selected, title__max_length=typed)
    found = row(web, selected, "title")
    assert found["problems"][0].column == "type"
    assert found["max_length"].value() == typed.replace("\0", "\N{REPLACEMENT CHARACTER}")[:1000]
    assert field(selected, "title")["max_length"] == before


def test_a_length_out_of_range_is_a_problem_with_a_fix(web: Client, selected: Draft) -> None:
    change(web, selected, title__max_length="70000")
    (problem,) = row(web, selected, "title")["problems"]
    assert "65,535" in problem.message + problem.fixes[0].label
    web.post(url("schema", selected), form_of(web, selected) | {"fix": problem.fixes[0].value})
    assert field(selected, "title")["max_length"] == 65_535


def test_a_field_left_out_keeps_its_settings(web: Client, selected: Draft) -> None:
    change(web, selected, title__target="name", title__max_length="300")
    change(web, selected, without=("title__include",))
    assert field(selected, "title") is None
    assert not row(web, selected, "title")["moves"]
    change(web, selected, title__include="on")
    assert (field(selected, "title")["target"], field(selected, "title")["max_length"]) == ("name", 300)


def test_null_goes_into_the_dynamic_field_is_filled_or_rejected(web: Client, selected: Draft) -> None:
    change(web, selected, without=("title__nullable",), title__on_null="dynamic", title__target="name")
    assert field(selected, "title")["dynamic"]
    assert field(selected, "title")["as"] == "name"
    change(web, selected, title__on_null="fill", title__fill_null="untitled")
    title = field(selected, "title")
    assert (title["dynamic"], title["nullable"], title["fill_null"]) == (False, False, "untitled")
    change(web, selected, title__on_null="reject")
    assert field(selected, "title")["fill_null"] is None


def test_a_target_without_nullable_says_which_version_brings_it(
    web: Client, connected: Draft, target: Connection, vault: MemoryDatabase
) -> None:
    vault.capabilities = MODEST
    select(web, connected, target, "books")
    title = row(web, connected, "title")
    assert title["nullable"] is None
    assert title["on_null"].value() == "dynamic"
    assert "Milvus 2.5" in row(web, connected, "like")["options_text"] + title["options_text"]


def test_a_default_is_checked_against_its_type(web: Client, selected: Draft) -> None:
    change(web, selected, pages__default="many")
    assert "is not a whole number" in row(web, selected, "pages")["problems"][0].message
    change(web, selected, pages__default="7", title__default="none")
    assert (field(selected, "pages")["default"], field(selected, "title")["default"]) == (7, "none")
    assert row(web, selected, "pages")["problems"] == []
    change(web, selected, title__max_length="3")
    assert any("4 bytes" in p.message for p in row(web, selected, "title")["problems"])


def test_auto_id_warns_and_keeps_the_old_key_on_demand(web: Client, selected: Draft) -> None:
    change(web, selected, key="auto")
    assert collection(selected)["key"] == "auto"
    assert field(selected, "id") is None
    assert "The old keys (id) are discarded" in page(web, selected).context["collection"]["warnings"][0]
    change(web, selected, keep_source_key="on")
    assert field(selected, "id")["target"] == "id"
    assert collection(selected)["key_name"] != "id"
    change(web, selected, key="keep")
    assert collection(selected)["key"] == "id"
    assert row(web, selected, "id")["locked"]


def test_the_partition_key_offers_what_may_be_one_and_is_never_null(web: Client, selected: Draft) -> None:
    form = page(web, selected).context["collection"]["form"]
    assert [value for value, _ in form.fields["partition_key"].choices] == ["", "key:title"]
    change(web, selected, partition_key="key:title", title__target="name")
    assert collection(selected)["partition_key"] == "name"
    assert field(selected, "title")["nullable"] is False
    assert row(web, selected, "title")["nullable"] is None
    change(web, selected, partition_key="")
    assert collection(selected)["partition_key"] is None


def test_a_partition_key_that_may_not_be_one_is_ignored_with_a_problem(web: Client, selected: Draft) -> None:
    change(web, selected, partition_key="key:embedding")
    assert collection(selected)["partition_key"] is None
    assert page(web, selected).context["collection"]["problems"][0].field == "partition_key"


def test_the_dynamic_field_is_turned_off_by_taking_the_tick_away(web: Client, selected: Draft) -> None:
    change(web, selected, without=("title__nullable",), title__on_null="dynamic")
    change(web, selected, without=("dynamic_field",))
    assert collection(selected)["dynamic_field"] is False
    (problem,) = row(web, selected, "title")["problems"]
    assert "the dynamic field, which is turned off" in problem.message
    change(web, selected, title__on_null="reject")
    assert row(web, selected, "title")["problems"] == []
    assert [label for label, _ in row(web, selected, "title")["on_null"].field.choices] == ["fill", "reject"]


def test_shards_and_description(web: Client, selected: Draft) -> None:
    change(web, selected, shards="99", description="All of them")
    (problem,) = page(web, selected).context["collection"]["problems"]
    assert problem.field == "shards"
    web.post(url("schema", selected), form_of(web, selected) | {"fix": problem.fixes[0].value})
    assert (collection(selected)["shards"], collection(selected)["description"]) == (16, "All of them")


def test_a_name_taken_in_the_database_is_known_here(
    web: Client, connected: Draft, target: Connection, vault: MemoryDatabase
) -> None:
    vault.collections["books"] = MemoryRows(None)  # type: ignore[arg-type]  # only its name is looked at
    select(web, connected, target, "books")
    (problem,) = page(web, connected).context["collection"]["problems"]
    assert problem.message == "The database “default” has a collection “books” already."
    web.post(url("schema", connected), form_of(web, connected) | {"fix": problem.fixes[0].value})
    assert collection(connected)["target"] == "books_2"


def test_two_collections_of_one_name_are_a_problem_of_both(
    web: Client, connected: Draft, target: Connection
) -> None:
    select(web, connected, target, "books", "reviews")
    change(web, connected, target="reviews")
    for index in (0, 1):
        (problem,) = page(web, connected, index).context["collection"]["problems"]
        assert "Two collections of this migration are called “reviews”." in problem.message
    assert [tab["problems"] for tab in page(web, connected).context["tabs"]] == [2, 2]


def test_next_goes_to_the_first_problem_and_then_on(web: Client, selected: Draft) -> None:
    stays = change(web, selected, action="next")
    assert stays["Location"] == f"{url('schema', selected)}#{anchor('like')}"
    assert web.get(url("migrate", selected))["Location"] == url("schema", selected)
    goes = change(web, selected, action="next", like__target="liked")
    assert goes["Location"] == url("migrate", selected)


def test_a_change_is_checked_at_once_and_only_its_parts_come_back(web: Client, selected: Draft) -> None:
    sent = form_of(web, selected) | {control("like__target"): "liked", "action": "check"}
    text = web.post(url("schema", selected), sent, headers=HTMX).content.decode()
    assert "<html" not in text
    assert f'id="{anchor("like")}-target"' in text
    assert "reserved" not in text
    assert field(selected, "like")["target"] == "liked"


def test_the_preview_shows_rows_as_they_will_arrive(web: Client, selected: Draft) -> None:
    assert page(web, selected).context["preview"] is None
    change(web, selected, like__target="liked", title__target="name")
    preview = page(web, selected).context["preview"]
    names = [column.name for column in preview.columns]
    assert names == ["id", "embedding", "name", "pages", "liked"]
    assert preview.rows[0] == ["0", "[0.000, 0.500, …]", "Book 0", "100", "true"]
    assert preview.rows[3][2] == "null"
    assert len(preview.rows) == 5


def test_the_preview_shows_what_goes_into_the_dynamic_field_and_what_is_rejected(
    web: Client, selected: Draft
) -> None:
    change(web, selected, without=("title__nullable", "pages__nullable"), like__target="liked",
           title__on_null="reject", pages__on_null="dynamic")  # fmt: skip
    preview = page(web, selected).context["preview"]
    assert json.loads(preview.rows[0][-1]) == {"pages": 100}
    assert "1 of 5 would be rejected" in preview.note


def test_reset_describes_and_proposes_anew(web: Client, selected: Draft, shelf: MemoryStore) -> None:
    change(web, selected, target="mine", title__target="name")
    web.post(url("schema", selected), {"action": "reset"})
    assert collection(selected)["target"] == "books"
    assert field(selected, "title")["target"] == "title"
    del shelf.collections["books"]
    answer = web.post(url("schema", selected), {"action": "reset"}, follow=True)
    assert "There is no collection “books”." in answer.content.decode()


def test_tabs_are_left_with_what_was_typed(web: Client, connected: Draft, target: Connection) -> None:
    select(web, connected, target, "books", "reviews")
    sent = form_of(web, connected) | {"target": "mine", "go": url("schema", connected, 1)}
    assert web.post(url("schema", connected), sent)["Location"] == url("schema", connected, 1)
    assert collection(connected)["target"] == "mine"
    for hostile in ("https://evil.example", "//evil.example", "/\\evil.example"):
        answer = web.post(url("schema", connected), sent | {"go": hostile})
        assert answer["Location"].startswith("/migrations/")


def test_an_empty_or_partial_post_changes_nothing_it_does_not_name(web: Client, selected: Draft) -> None:
    before = collection(selected)
    web.post(url("schema", selected), {"action": "save"})
    web.post(url("schema", selected), {"action": "save", "f00000000-target": "x", "unknown": "\0"})
    assert collection(selected) == before
    web.post(url("schema", selected), {"description": "only this"})
    assert collection(selected) == before | {"description": "only this"}


@pytest.mark.parametrize("hostile", ["\0", "x" * 20_000, "\ud800", "<img src=x>", "]]}{", "-1"])
def test_hostile_values_in_every_control_crash_nothing(web: Client, selected: Draft, hostile: str) -> None:
    hostile = hostile.encode("utf-8", "replace").decode()
    sent = dict.fromkeys(form_of(web, selected), hostile)
    assert web.post(url("schema", selected), sent | {"action": "next"}).status_code == 302
    text = page(web, selected).content.decode()
    assert "<img src=x>" not in text
    assert page(web, selected).context["problem_count"] > 0
    assert web.post(url("schema", selected), sent | {"fix": hostile}).status_code == 302


def test_a_state_of_another_version_begins_the_step_again(web: Client, selected: Draft) -> None:
    Draft.objects.update(state=selected.state | {"sheets": {"books": {"schema": "old"}}})
    assert page(web, selected).status_code == 200
    assert field(selected, "title")["target"] == "title"
    Draft.objects.update(state={"target": 1, "sheets": [], "listing": "x"})
    assert web.get(url("select", selected)).status_code == 200
    assert web.get(reverse("migrations")).status_code == 200


@pytest.mark.parametrize("index", [1, 99, 10**30])
def test_a_tab_that_is_not_there_is_not_found(web: Client, selected: Draft, index: int) -> None:
    assert page(web, selected, index).status_code == 404


# --- Migrate ----------------------------------------------------------------------------------------------


@pytest.fixture
def ready(web: Client, selected: Draft) -> Draft:
    change(web, selected, like__target="liked")
    return selected


def test_the_summary_says_what_will_be_moved(web: Client, ready: Draft) -> None:
    context = web.get(url("migrate", ready)).context
    (line,) = context["collections"]
    assert (line["source_name"], line["target_name"], line["rows"]) == ("books", "books", 12)
    assert (line["key_text"], line["fields"], line["vectors"]) == ("id (INT64)", 5, 1)
    assert line["size_bytes"] > 12 * 3 * 4
    assert context["total_rows"] == 12
    assert context["problems"] == []
    assert context["summary"] == (
        "12 rows of 1 collection are copied from shelf into 1 new collection in “default” of vault. "
        "shelf is only read."
    )
    assert "may be missed" in web.get(url("migrate", ready)).content.decode()


def test_auto_id_is_told_with_what_it_costs(web: Client, ready: Draft) -> None:
    change(web, ready, key="auto")
    (line,) = web.get(url("migrate", ready)).context["collections"]
    assert (line["key_text"], line["key_warning"]) == ("Auto ID", "old keys discarded")


def start(web: Client, draft: Draft, **data: str) -> Any:
    options = {"verify": "counts", "max_rejected": "1000", "action": "migrate"}
    return web.post(url("migrate", draft), options | data)


def test_a_double_click_makes_one_job(web: Client, ready: Draft) -> None:
    first, second = start(web, ready), start(web, ready)
    job = Job.objects.get()
    assert first["Location"] == second["Location"] == reverse("job", args=[job.public_id])
    assert job.source_connection.name == "shelf"
    assert job.plan["collections"][0]["target"] == "books"


def test_what_became_a_job_is_no_draft_any_more(web: Client, ready: Draft) -> None:
    start(web, ready)
    job = reverse("job", args=[Job.objects.get().public_id])
    assert web.get(reverse("migrations")).context["drafts"] == []
    for step in ("connect", "select", "schema", "migrate"):
        assert web.get(url(step, ready))["Location"] == job
    web.post(url("discard", ready))
    assert Job.objects.exists()


def test_the_choices_go_into_the_plan(web: Client, ready: Draft) -> None:
    start(web, ready, create_index="on", load="on", max_rejected="", verify="none")
    options = Job.objects.get().plan["options"]
    assert options == {"create_index": True, "load": True, "max_rejected": None, "verify": "none"}


def test_a_thousand_rows_are_tried_first_with_one_press_and_all_with_another(
    web: Client, ready: Draft
) -> None:
    answer = web.post(url("migrate", ready), {"action": "try", "verify": "counts", "max_rejected": "7"})
    assert answer["Location"] == url("migrate", ready)
    context = web.get(url("migrate", ready)).context
    assert context["summary"].startswith("Only the first 1,000 rows of 1 collection are copied")
    assert (context["total_rows"], context["form"]["max_rejected"].value()) == (12, 7)
    web.post(url("migrate", ready), {"action": "all", "verify": "counts"})
    assert web.get(url("migrate", ready)).context["summary"].startswith("12 rows")


def test_the_summary_follows_how_much_and_how_fast(web: Client, ready: Draft) -> None:
    whole = web.get(url("migrate", ready)).context["collections"][0]
    pace = {"limit_rows": "3", "source_rows_per_second": "1", "action": "save", "verify": "counts"}
    web.post(url("migrate", ready), pace)
    context = web.get(url("migrate", ready)).context
    (line,) = context["collections"]
    assert (line["rows"], context["total_rows"]) == (3, 3)
    assert line["size_bytes"] == pytest.approx(whole["size_bytes"] / 4, abs=1)
    assert "At most 1 row is read per second." in context["summary"]
    start(web, ready, limit_rows="3", source_rows_per_second="1")
    options = Job.objects.get().plan["options"]
    assert (options["limit_rows"], options["source_rows_per_second"]) == (3, 1)


@pytest.mark.parametrize(
    ("data", "field_name"),
    [
        ({"load": "on"}, "load"),
        ({"limit_rows": "0"}, "limit_rows"),
        ({"source_rows_per_second": "fast"}, "source_rows_per_second"),
        ({"max_rejected": "-1"}, "max_rejected"),
        ({"max_rejected": "\0"}, "max_rejected"),
        ({"verify": "full"}, "verify"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_on_its_field(
    web: Client, ready: Draft, data: dict[str, str], field_name: str
) -> None:
    answer = start(web, ready, **data)
    assert answer.status_code == 422
    assert answer.context["form"].errors[field_name]
    assert not Job.objects.exists()


def test_what_is_in_the_way_is_said_and_keeps_from_starting(
    web: Client, ready: Draft, vault: MemoryDatabase
) -> None:
    vault.collections["books"] = MemoryRows(None)  # type: ignore[arg-type]  # only its name is looked at
    (problem,) = web.get(url("migrate", ready)).context["problems"]
    assert "books" in problem["message"]
    assert problem["url"] == url("schema", ready)
    assert start(web, ready).status_code == 422
    assert not Job.objects.exists()


def test_checking_again_sees_what_changed(web: Client, ready: Draft, vault: MemoryDatabase) -> None:
    assert web.get(url("migrate", ready)).context["problems"] == []
    vault.collections["books"] = MemoryRows(None)  # type: ignore[arg-type]  # only its name is looked at
    assert web.get(url("migrate", ready)).context["problems"] == []
    assert web.post(url("migrate", ready), {"action": "check", "verify": "counts"}).context["problems"]


def test_a_server_that_is_away_is_said_on_the_last_step(
    web: Client, ready: Draft, shelf: MemoryStore
) -> None:
    shelf.password = "changed"
    (problem,) = web.get(url("migrate", ready)).context["problems"]
    assert problem["code"] == "auth_refused"


def test_the_plan_is_downloaded_without_a_secret(web: Client, ready: Draft) -> None:
    text = web.get(url("plan", ready)).content.decode()
    assert "connection: shelf" in text
    assert "opensesame" not in text
    assert "letmein" not in text


def test_drafts_hold_no_secret(ready: Draft) -> None:
    stored = json.dumps([ready.plan, ready.state])
    assert "opensesame" not in stored
    assert "letmein" not in stored


def test_capabilities_are_kept_whole(ready: Draft) -> None:
    from console.drafts import target_facts

    facts = target_facts(ready)
    assert isinstance(facts.capabilities, Capabilities)
    assert facts.capabilities == EVERYTHING


def test_a_draft_that_is_gone_in_mid_request_is_said(
    web: Client, connected: Draft, shelf: MemoryStore
) -> None:
    class Vanishing(dict[str, Any]):
        def items(self) -> Any:
            Draft.objects.all().delete()
            return super().items()

    shelf.collections = Vanishing(shelf.collections)
    answer = web.get(url("select", connected), follow=True)
    assert answer.redirect_chain == [(reverse("migrations"), 302)]
    assert "This draft is not there any more." in answer.content.decode()


def test_a_table_of_very_many_fields_can_be_sent(
    web: Client, connected: Draft, target: Connection, shelf: MemoryStore
) -> None:
    names = [f"column_{number}" for number in range(300)]
    rows = pa.record_batch({**dict(zip(books().schema.names, books().columns, strict=True)),
                            **{name: pa.array(["x"] * 12) for name in names}})  # fmt: skip
    specs = BOOK_SPECS | {name: TypeSpec(MilvusType.VARCHAR, max_length=64) for name in names}
    shelf.collections["wide"] = memory_collection(rows, specs, key="id")
    select(web, connected, target, "wide")
    assert change(web, connected, target="very_wide").status_code == 302
    assert collection(connected)["target"] == "very_wide"
    assert "305 fields" in page(web, connected).context["collection"]["problems"][0].message
