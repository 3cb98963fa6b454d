"""Exact copy on the Configure Schema page: the schema is shown as locked, and the rest can be changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from migrations_app.engine.model.source_schema import SourceField
from migrations_app.engine.model.target_schema import Function, TargetField
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.models import Connection, Draft, Job
from tests.console.wizard_helpers import HTMX, OLD_MILVUS, collection, page, select, start, url
from tests.kit import MemoryDatabase, MemoryRows, MemoryStore
from tests.kit.exact_collection import EXACT, exact_collection, with_auto_id
from tests.kit.memory_source import partitioned_by


@pytest.fixture
def copied(web: Client, connected: Draft, target: Connection, source_store: MemoryStore) -> Draft:
    """A draft in which a collection with a schema to copy is selected."""
    source_store.collections["articles"] = exact_collection(EXACT, 12)
    select(web, connected, target, "articles")
    connected.refresh_from_db()
    return connected


def send(web: Client, draft: Draft, **data: str) -> Any:
    shown = {"target": "articles", "description": "All articles", "if_exists": "error"}
    answer = web.post(url("schema", draft), shown | {"action": "next"} | data)
    draft.refresh_from_db()
    return answer


def test_fields_and_options_are_shown_without_controls(web: Client, copied: Draft) -> None:
    shown = page(web, copied)
    fields = {f["name"]: f for f in shown.context["collection"]["copied"]["fields"]}

    assert list(fields) == [field.name for field in EXACT.fields]
    assert fields["tags"]["type_text"] == "ARRAY<VARCHAR> · 9 items · 20 bytes"
    assert fields["title"]["details"] == "analyzer english · text match"
    assert fields["words"]["details"] == "metric BM25 · made by the function by_words"
    text = shown.content.decode()
    assert "The schema of articles is copied exactly" in text
    assert "collection.ttl.seconds 86400" in text
    assert set(shown.context["collection"]["form"].fields) == {"target", "description", "if_exists"}
    assert 'name="f' not in text
    assert shown.context["problem_count"] == 0


def test_the_collection_is_copied_after_next_was_pressed_on_every_step_twice(
    web: Client, copied: Draft, target: Connection, target_store: MemoryDatabase
) -> None:
    for _ in range(2):
        select(web, copied, target, "articles")
        answer = send(web, copied)
    assert answer["Location"] == url("migrate", copied)

    start(web, copied)

    plan = Job.objects.get().plan["collections"][0]
    assert (plan["shards"], plan["dynamic_field"], plan["description"]) == (2, False, "All articles")
    assert "exact" not in plan


def test_only_name_and_description_and_more_full_text_search_are_read(web: Client, copied: Draft) -> None:
    before = collection(copied)
    forged = {"shards": "9", "dynamic_field": "on", "key": "auto", "partition_key": ""}
    text_row = next(f for f in page(web, copied).context["collection"]["full_text"][0].fields["field"].choices
                    if f[1] == "text")  # fmt: skip

    send(web, copied, target="copy", description="", **{"words0-field": text_row[0]}, **forged)

    plan = collection(copied)
    changes = {name: plan[name] for name in plan if plan[name] != before[name]}
    assert set(changes) == {"target", "description", "full_text", "indexes"}
    assert [entry["output"] for entry in plan["full_text"]] == ["words", "text_words"]
    assert (plan["target"], plan["description"]) == ("copy", "")


def test_a_key_of_auto_id_is_explained(
    web: Client, connected: Draft, target: Connection, source_store: MemoryStore
) -> None:
    source_store.collections["articles"] = exact_collection(with_auto_id(EXACT), 12)
    select(web, connected, target, "articles")

    shown = page(web, connected)

    assert any("Old keys are not copied." in note for note in shown.context["collection"]["warnings"])
    assert shown.context["problem_count"] == 0


def test_what_the_target_lacks_is_named_beside_the_field_and_nothing_can_be_left_out(
    web: Client, connected: Draft, target: Connection, source_store: MemoryStore, target_store: MemoryDatabase
) -> None:
    source_store.collections["articles"] = exact_collection(EXACT, 12)
    target_store.capabilities = replace(OLD_MILVUS, full_text=False, text_match=False)
    select(web, connected, target, "articles")

    shown = page(web, connected)

    fields = {f["name"]: f for f in shown.context["collection"]["copied"]["fields"]}
    messages = {name: [p.message for p in f["problems"]] for name, f in fields.items()}
    assert any("NULL in “tags” needs Milvus 2.5 or later" in message for message in messages["tags"])
    assert any("Text match of “title” needs Milvus 2.5" in message for message in messages["title"])
    problems = [p for f in fields.values() for p in f["problems"]]
    problems += shown.context["collection"]["problems"]
    assert not [fix for p in problems for fix in p.fixes]
    assert any("Full-text search needs Milvus 2.5" in p.message and p.field == "copied" for p in problems), (
        "it is shown with the options of the collection"
    )
    assert shown.context["problem_count"] == len(problems)


def test_a_changed_schema_of_the_source_is_read_again_by_a_reset(
    web: Client, copied: Draft, source_store: MemoryStore
) -> None:
    send(web, copied, description="Mine")
    source_store.collections["articles"] = exact_collection(replace(EXACT, shards=3), 12)

    send(web, copied, action="reset")

    assert (collection(copied)["shards"], collection(copied)["description"]) == (3, "All articles")


def test_rows_added_to_an_existing_collection_follow_that_collection(
    web: Client, copied: Draft, target: Connection, target_store: MemoryDatabase
) -> None:
    """The schema of the source is then not copied: the fields are mapped as those of any other source."""
    target_store.collections["articles"] = MemoryRows(replace(EXACT, shards=1, description="Older"))
    select(web, copied, target, "articles")

    send(web, copied, if_exists="append", action="save")
    context = page(web, copied).context["collection"]

    assert context["copied"] is None
    assert [row["source_name"] for row in context["fields"]] == [
        f.name for f in EXACT.fields if f.name != "words"
    ]
    assert collection(copied)["shards"] == 1

    send(web, copied, if_exists="error", target="copy", action="save")
    assert page(web, copied).context["collection"]["copied"] is not None
    assert collection(copied)["shards"] == 2


def test_the_fragment_after_a_change_updates_only_what_the_page_has(web: Client, copied: Draft) -> None:
    sent = {"target": "1 bad", "description": "", "if_exists": "error", "action": "check"}

    answer = web.post(url("schema", copied), sent, headers=HTMX).content.decode()

    assert "p-copied" in answer
    assert "p-key" not in answer
    assert "1 bad" in answer


def test_a_field_that_cannot_be_read_stops_the_copy(
    web: Client, connected: Draft, target: Connection, source_store: MemoryStore
) -> None:
    found = exact_collection(EXACT, 12)
    fields = tuple(
        SourceField("price", "Unknown", left_out="Milvus has no such type.") if f.name == "price" else f
        for f in found.fields
    )
    source_store.collections["articles"] = replace(found, fields=fields)
    select(web, connected, target, "articles")

    problems = page(web, connected).context["collection"]["problems"]

    assert any("No field of the source is mapped to “price”" in problem.message for problem in problems)


def test_fields_that_another_function_fills_are_shown_and_counted(
    web: Client, connected: Draft, target: Connection, source_store: MemoryStore
) -> None:
    vector = TargetField("meaning", TypeSpec(MilvusType.FLOAT_VECTOR, dim=8))
    embed = Function("embed", ("text",), ("meaning",), "TextEmbedding", params={"provider": "x"})
    exact = replace(EXACT, fields=(*EXACT.fields[:-1], vector), functions=(embed,))
    source_store.collections["articles"] = exact_collection(exact, 12)
    select(web, connected, target, "articles")

    shown = page(web, connected)
    assert shown.context["problem_count"] == 0
    assert "its embedding service must also be configured there" in shown.content.decode()
    (row,) = web.get(url("migrate", connected)).context["collections"]
    assert (row["fields"], row["vectors"], row["notes"][0]) == (9, 2, "exact copy of the schema")


def test_partitions_of_the_source_are_shown_and_keep_their_names(
    web: Client, connected: Draft, target: Connection, source_store: MemoryStore
) -> None:
    fields = tuple(replace(field, is_partition_key=False) for field in EXACT.fields)
    undivided = exact_collection(replace(EXACT, fields=fields, partitions=0), 3)
    source_store.collections["articles"] = partitioned_by("kind", undivided)
    select(web, connected, target, "articles")
    names = collection(connected)["partitions"]

    send(web, connected, target="copy", partition_name0="mine")

    shown = page(web, connected).context
    assert [p["control"] for p in shown["collection"]["partitions"]] == [None] * 3
    assert (shown["problem_count"], collection(connected)["target"]) == (0, "copy")
    assert collection(connected)["partitions"] == names
