"""Configure Schema page: the mapping table as an administrator sees and sends it."""

import gzip
import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from console.draft.snapshot import schema_from_json
from console.html_anchors import anchor
from migrations_app.models import Connection, Draft
from tests.console.conftest import BOOK_SPECS, books
from tests.console.wizard_helpers import (
    HTMX,
    OLD_MILVUS,
    change,
    collection,
    control,
    field,
    form_of,
    page,
    row,
    select,
    url,
)
from tests.kit import MemoryDatabase, MemoryRows, MemoryStore, memory_collection


def test_the_proposal_is_shown_and_its_only_problem_is_a_reserved_name(web: Client, selected: Draft) -> None:
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
def test_text_that_is_not_a_number_is_shown_as_typed_and_is_a_problem(
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
    assert row(web, selected, "title")["on_null"] is None
    change(web, selected, without=("title__dynamic",))
    assert (field(selected, "title")["target"], field(selected, "title")["nullable"]) == ("name", True)
    changes = {"title__on_null": "fill", "title__fill_null": "untitled"}
    change(web, selected, without=("title__nullable",), **changes)
    title = field(selected, "title")
    assert (title["dynamic"], title["nullable"], title["fill_null"]) == (False, False, "untitled")
    change(web, selected, title__on_null="reject")
    assert field(selected, "title")["fill_null"] is None


def test_a_column_in_the_dynamic_field_because_of_nulls_stays_there_when_it_is_sent_again(
    web: Client, selected: Draft
) -> None:
    """The page saves automatically without being rendered again, so it still sends the row as a field."""
    sent = form_of(web, selected) | {"action": "check"}
    sent.pop(control("title__nullable"))
    for _ in range(3):
        web.post(url("schema", selected), sent | {control("title__on_null"): "dynamic"}, headers=HTMX)
        title = field(selected, "title")
        assert (title["dynamic"], title["as"]) == (True, "title")
    for _ in range(2):
        web.post(url("schema", selected), sent | {control("title__on_null"): "reject"}, headers=HTMX)
        title = field(selected, "title")
        assert (title["dynamic"], title["nullable"], title["max_length"]) == (False, False, 256)
    fill = {control("title__on_null"): "fill", control("title__fill_null"): "none"}
    web.post(url("schema", selected), sent | {control("title__on_null"): "dynamic"}, headers=HTMX)
    web.post(url("schema", selected), sent | fill, headers=HTMX)
    assert (field(selected, "title")["dynamic"], field(selected, "title")["fill_null"]) == (False, "none")
    web.post(url("schema", selected), sent | {control("title__nullable"): "on"}, headers=HTMX)
    assert (field(selected, "title")["nullable"], field(selected, "title")["fill_null"]) == (True, None)


def test_a_target_without_nullable_fields_shows_which_version_adds_them(
    web: Client, connected: Draft, target: Connection, target_store: MemoryDatabase
) -> None:
    target_store.capabilities = OLD_MILVUS
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


def test_auto_id_warns_and_keeps_the_old_key_on_request(web: Client, selected: Draft) -> None:
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


def test_the_partition_key_offers_only_possible_fields_and_is_never_null(
    web: Client, selected: Draft
) -> None:
    form = page(web, selected).context["collection"]["form"]
    assert form.fields["partition_key"].choices == [("", "none"), ("title", "title")]
    none, by = form.fields["partition_by"].choices
    assert none[0] == ""
    assert [value for value, _ in by[1]] == ["by:id", "by:title", "by:pages", "by:like"]
    change(web, selected, partition_key="title", title__target="name")
    assert collection(selected)["partition_key"] == "name"
    assert field(selected, "title")["nullable"] is False
    assert row(web, selected, "title")["nullable"] is None
    change(web, selected, partition_key="")
    assert collection(selected)["partition_key"] is None


def test_each_value_of_a_field_can_get_a_partition_even_if_the_field_is_left_out(
    web: Client, selected: Draft
) -> None:
    change(web, selected, partition_by="by:title")
    assert (collection(selected)["partition_by"], collection(selected)["partition_key"]) == ("title", None)
    change(web, selected, without=("title__include",))
    assert (collection(selected)["partition_by"], field(selected, "title")) == ("title", None)
    change(web, selected, partition_key="embedding")
    assert collection(selected)["partition_by"] == "title"
    change(web, selected, title__include="on")
    change(web, selected, partition_key="title")  # the one replaces the other
    assert (collection(selected)["partition_by"], collection(selected)["partition_key"]) == (None, "title")
    change(web, selected, partition_by="by:title")
    assert (collection(selected)["partition_by"], collection(selected)["partition_key"]) == ("title", None)
    change(web, selected, partition_by="")
    assert collection(selected)["partition_by"] is None


def test_an_impossible_partition_key_is_ignored_with_a_problem(web: Client, selected: Draft) -> None:
    change(web, selected, partition_key="embedding")
    assert collection(selected)["partition_key"] is None
    answer = page(web, selected)
    assert answer.context["collection"]["problems"][0].field == "partition_key"
    assert "“embedding” cannot be the partition key." in answer.content.decode()


def test_the_dynamic_field_is_turned_off_by_unticking_it(web: Client, selected: Draft) -> None:
    change(web, selected, without=("title__nullable",), title__on_null="dynamic")
    change(web, selected, without=("dynamic_field",))
    assert collection(selected)["dynamic_field"] is False
    (problem,) = row(web, selected, "title")["problems"]
    assert "the dynamic field, which is turned off" in problem.message
    change(web, selected, without=("title__dynamic", "title__nullable"))
    assert row(web, selected, "title")["problems"] == []
    assert [label for label, _ in row(web, selected, "title")["on_null"].field.choices] == ["fill", "reject"]


def test_shards_are_checked_and_the_description_is_stored(web: Client, selected: Draft) -> None:
    change(web, selected, shards="99", description="All of them")
    (problem,) = page(web, selected).context["collection"]["problems"]
    assert problem.field == "shards"
    web.post(url("schema", selected), form_of(web, selected) | {"fix": problem.fixes[0].value})
    assert (collection(selected)["shards"], collection(selected)["description"]) == (16, "All of them")


def test_a_name_taken_in_the_database_is_a_problem_with_a_fix(
    web: Client, connected: Draft, target: Connection, target_store: MemoryDatabase
) -> None:
    target_store.collections["books"] = MemoryRows(None)  # type: ignore[arg-type]  # only its name is looked at
    select(web, connected, target, "books")
    (problem,) = page(web, connected).context["collection"]["problems"]
    assert problem.message == "The database “default” already has a collection “books”."
    web.post(url("schema", connected), form_of(web, connected) | {"fix": problem.fixes[0].value})
    assert collection(connected)["target"] == "books_2"


def test_two_collections_with_the_same_name_are_a_problem_of_both(
    web: Client, connected: Draft, target: Connection
) -> None:
    select(web, connected, target, "books", "reviews")
    change(web, connected, target="reviews")
    for index in (0, 1):
        (problem,) = page(web, connected, index).context["collection"]["problems"]
        assert "Two collections of this migration have the name “reviews”." in problem.message
    assert [tab["problems"] for tab in page(web, connected).context["tabs"]] == [2, 2]


def test_one_click_gives_legal_and_different_names_to_all_collections(
    web: Client, connected: Draft, target: Connection
) -> None:
    select(web, connected, target, "books", "reviews")
    change(web, connected, target="größe", title__target="имя")
    web.post(url("schema", connected) + "1/", {"target": "grösse"})
    assert page(web, connected).context["collection"]["rename_all"] == 5  # and “like” in both
    change(web, connected, action="names", pages__target="pages_now")
    plans = {c["source"]: c for c in Draft.objects.get(pk=connected.pk).plan["collections"]}
    assert [plan["target"] for plan in plans.values()] == ["grosse", "grosse_2"]
    assert (field(connected, "title")["target"], field(connected, "like")["target"]) == ("imya", "like_")
    assert field(connected, "pages")["target"] == "pages_now"


def test_next_goes_to_the_first_problem_or_to_the_next_step(web: Client, selected: Draft) -> None:
    stays = change(web, selected, action="next")
    assert stays["Location"] == f"{url('schema', selected)}#{anchor('like')}"
    assert web.get(url("migrate", selected))["Location"] == url("schema", selected)
    goes = change(web, selected, action="next", like__target="liked")
    assert goes["Location"] == url("migrate", selected)


def test_a_change_is_checked_at_once_and_only_its_parts_are_sent_back(web: Client, selected: Draft) -> None:
    sent = form_of(web, selected) | {control("like__target"): "liked", "action": "check"}
    text = web.post(url("schema", selected), sent, headers=HTMX).content.decode()
    assert "<html" not in text
    assert f'<tr id="{anchor("like")}"' in text
    assert f'<tr id="{anchor("title")}"' not in text
    assert "reserved" not in text
    assert 'id="source-options"' not in text  # the page has no such part
    assert field(selected, "like")["target"] == "liked"


def test_a_page_without_the_parts_that_there_are_now_is_sent_whole(web: Client, selected: Draft) -> None:
    sent = form_of(web, selected) | {"shown": ["structure:other"], "action": "check"}
    answer = web.post(url("schema", selected), sent, headers=HTMX)
    assert "<html" in answer.content.decode()
    assert (answer["HX-Retarget"], answer["HX-Reswap"]) == ("body", "innerHTML show:none")


def test_an_edit_of_60_columns_costs_few_queries_and_a_few_kilobytes(
    web: Client,
    connected: Draft,
    target: Connection,
    source_store: MemoryStore,
    django_assert_num_queries: Any,
) -> None:
    rows, specs = books(), dict(BOOK_SPECS)
    for number in range(54):
        rows = rows.append_column(f"c{number}", rows.column("pages"))
        specs[f"c{number}"] = specs["pages"]
    source_store.collections["wide"] = memory_collection(rows, specs, key="id")
    select(web, connected, target, "wide")
    change(web, connected, like__target="liked")
    sent = form_of(web, connected) | {"action": "check"}
    sent.pop(f"{anchor('c7')}-nullable")
    with django_assert_num_queries(4):  # session, user, draft, and the draft is saved
        answer = web.post(url("schema", connected), sent, headers=HTMX)
    text = answer.content.decode()
    assert text.count("<tr id=") == 1
    assert f'<tr id="{anchor("c7")}"' in text
    assert len(gzip.compress(answer.content)) < 3_000


def test_the_preview_shows_rows_as_they_will_arrive(web: Client, selected: Draft) -> None:
    assert page(web, selected).context["preview"] is None
    change(web, selected, like__target="liked", title__target="name")
    preview = page(web, selected).context["preview"]
    names = [column.name for column in preview.columns]
    assert names == ["id", "embedding", "name", "pages", "liked"]
    assert preview.rows[0] == ["0", "[0.000, 0.500, …]", "Book 0", "100", "true"]
    assert preview.rows[3][2] == "null"
    assert len(preview.rows) == 5


def test_the_preview_shows_the_dynamic_field_and_counts_rejected_rows(web: Client, selected: Draft) -> None:
    change(web, selected, without=("title__nullable", "pages__nullable"), like__target="liked",
           title__on_null="reject", pages__on_null="dynamic")  # fmt: skip
    preview = page(web, selected).context["preview"]
    assert json.loads(preview.rows[0][-1]) == {"pages": 100}
    assert "1 of 5 would be rejected" in preview.note


def test_reset_reads_the_source_again_and_restores_the_proposal(
    web: Client, selected: Draft, source_store: MemoryStore
) -> None:
    change(web, selected, target="mine", title__target="name")
    web.post(url("schema", selected), {"action": "reset"})
    assert collection(selected)["target"] == "books"
    assert field(selected, "title")["target"] == "title"
    del source_store.collections["books"]
    answer = web.post(url("schema", selected), {"action": "reset"}, follow=True)
    assert "There is no collection “books”." in answer.content.decode()


def test_changing_tabs_stores_what_was_typed_and_stays_in_the_wizard(
    web: Client, connected: Draft, target: Connection
) -> None:
    select(web, connected, target, "books", "reviews")
    sent = form_of(web, connected) | {"target": "mine", "go": url("schema", connected, 1)}
    assert web.post(url("schema", connected), sent)["Location"] == url("schema", connected, 1)
    assert collection(connected)["target"] == "mine"
    for hostile in ("https://evil.example", "//evil.example", "/\\evil.example"):
        answer = web.post(url("schema", connected), sent | {"go": hostile})
        assert answer["Location"].startswith("/migrations/")


def test_an_empty_or_partial_post_changes_only_what_it_names(web: Client, selected: Draft) -> None:
    before = collection(selected)
    web.post(url("schema", selected), {"action": "save"})
    web.post(url("schema", selected), {"action": "save", "f00000000-target": "x", "unknown": "\0"})
    assert collection(selected) == before
    web.post(url("schema", selected), {"description": "only this"})
    assert collection(selected) == before | {"description": "only this"}


@pytest.mark.parametrize("hostile", ["\0", "x" * 20_000, "\ud800", "<img src=x>", "]]}{", "-1"])
def test_hostile_values_in_every_control_do_not_crash_the_page(
    web: Client, selected: Draft, hostile: str
) -> None:
    hostile = hostile.encode("utf-8", "replace").decode()
    sent = dict.fromkeys(form_of(web, selected), hostile)
    assert web.post(url("schema", selected), sent | {"action": "next"}).status_code == 302
    text = page(web, selected).content.decode()
    assert "<img src=x>" not in text
    assert page(web, selected).context["problem_count"] > 0
    assert web.post(url("schema", selected), sent | {"fix": hostile}).status_code == 302


def test_a_draft_state_of_another_version_starts_the_step_again(web: Client, selected: Draft) -> None:
    Draft.objects.update(state=selected.state | {"tables": {"books": {"schema": "old"}}})
    assert page(web, selected).status_code == 200
    assert field(selected, "title")["target"] == "title"
    Draft.objects.update(state={"target": 1, "tables": [], "listing": "x"})
    assert web.get(url("select", selected)).status_code == 200
    assert web.get(reverse("migrations")).status_code == 200


@pytest.mark.parametrize("index", [1, 99, 10**30])
def test_an_unknown_tab_is_not_found(web: Client, selected: Draft, index: int) -> None:
    assert page(web, selected, index).status_code == 404


def test_a_check_decodes_the_draft_once(
    web: Client, selected: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[Any] = []

    def counted(data: Any) -> Any:
        decoded.append(data)
        return schema_from_json(data)

    monkeypatch.setattr("console.schema.table.schema_from_json", counted)
    sent = form_of(web, selected)
    decoded.clear()
    answer = web.post(url("schema", selected), sent | {"action": "check"}, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert len(decoded) == 1
