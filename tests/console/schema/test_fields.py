"""Fields on the Configure Schema page: added fields and opened columns."""

from dataclasses import replace

import pyarrow as pa
from django.test import Client

from console.html_anchors import anchor
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.models import Connection, Draft
from tests.console.conftest import BOOK_SPECS, books
from tests.console.wizard_helpers import change, collection, control, field, form_of, page, row, select, url
from tests.kit import MemoryStore, memory_collection


def test_a_field_is_added_and_removed_with_a_button(web: Client, selected: Draft) -> None:
    answer = change(web, selected, action="add")
    assert answer["Location"] == f"{url('schema', selected)}#a0"
    added = page(web, selected).context["collection"]["fields"][-1]
    assert (added["is_added"], added["source_name"]) == (True, "new_field")
    web.post(url("schema", selected), form_of(web, selected) | {"fix": "a0-include="})
    assert not any(f["added"] for f in collection(selected)["fields"])


def test_the_longest_value_of_the_sample_stands_beside_the_limit_and_does_not_decide_it(
    web: Client, connected: Draft, target: Connection, source_store: MemoryStore
) -> None:
    found = memory_collection(books(3), BOOK_SPECS | {"title": TypeSpec(MilvusType.VARCHAR)}, key="id")
    fields = tuple(replace(f, longest_bytes=115) if f.name == "title" else f for f in found.fields)
    source_store.collections["books"] = replace(found, fields=fields)
    select(web, connected, target, "books")
    assert row(web, connected, "title")["length_note"] == "longest in the sample: 115 bytes"
    assert field(connected, "title")["max_length"] == 65_535


def test_a_column_is_opened_and_closed_again_with_a_button(
    web: Client, connected: Draft, target: Connection, source_store: MemoryStore
) -> None:
    texts = pa.array(['{"a": 1, "b": "x"}', None, '{"a": 2}'])
    rows = books(3).append_column("meta", texts)
    specs = BOOK_SPECS | {"meta": TypeSpec(MilvusType.JSON)}
    source_store.collections["books"] = memory_collection(rows, specs, key="id")
    select(web, connected, target, "books", where={"books": "title"})
    place = anchor("meta")
    sent = form_of(web, connected) | {"open": place}
    assert web.post(url("schema", connected), sent)["Location"] == f"{url('schema', connected)}#{place}"
    assert collection(connected)["select"] == {"where": "title"}
    assert collection(connected)["open"] == ["meta"]
    key = row(web, connected, "meta.b")
    assert (key["opened_from"], key["native_type"], key["level"]) == ("meta", "text", 1)
    assert key["facts"] == "in 33 % of rows, longest text 1 byte"
    assert (key["moves"], key["left_note"]) == (False, "stays in the dynamic field")
    select(web, connected, target, "books", where={"books": ""})
    assert (collection(connected)["select"], collection(connected)["open"]) == ({}, ["meta"])
    assert row(web, connected, "meta")["is_open"]
    web.post(url("schema", connected), form_of(web, connected) | {"close": place})
    assert collection(connected)["open"] == []
    assert field(connected, "meta")["type"] == "JSON"


def test_a_column_that_cannot_be_opened_stays_closed_and_the_typed_values_are_stored(
    web: Client, selected: Draft, source_store: MemoryStore
) -> None:
    sent = form_of(web, selected) | {control("title__target"): "name", "open": anchor("title")}
    web.post(url("schema", selected), sent)
    assert (collection(selected)["open"], field(selected, "title")["target"]) == ([], "name")
