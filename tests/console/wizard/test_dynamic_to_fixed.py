"""From undeclared keys to fixed fields, by clicks: what the page says of each key, and what arrives."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson
import pyarrow as pa
import pytest
from django.test import Client

from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.models import Connection, Draft, Job
from migrations_app.models.status import Status
from tests.console.conftest import BOOK_SPECS, books
from tests.console.wizard.test_walk import run
from tests.console.wizard_helpers import change, collection, field, page, row, select, start, url
from tests.kit import MemoryDatabase, MemoryStore, memory_collection

pytestmark = pytest.mark.django_db

FILLERS = [f"filler {n:02}" for n in range(60)]


def payload(n: int) -> dict[str, Any]:
    """The payload of a row: 91 of 100 prices are whole numbers, 9 are texts."""
    found: dict[str, Any] = {
        "price": n if n % 11 else f"{n} €",
        "size": {"w": n, "h.x": 1.0},
        "size.w": "dotted",
        "$x": 2**53 + 1,
        "x ": "[1]",
        "huge": 2**63 + 1 if n == 5 else n,
        "none": None,
    }
    if n % 2:
        found["odd"] = None if n % 4 == 1 else 1.0
    return found | dict.fromkeys(FILLERS if n == 0 else (), "")


@pytest.fixture
def draft(
    web: Client,
    connected: Draft,
    target: Connection,
    source_store: MemoryStore,
    use_source: Callable[[str], None],
) -> Draft:
    """A draft with 100 points."""
    use_source("tests.kit:JsonSource")
    documents = [orjson.dumps(payload(n)).decode() for n in range(1, 100)] + [
        orjson.dumps(payload(0)).decode()
    ]
    rows = books(100).select(["id", "embedding"]).append_column("payload", pa.array(documents))
    specs = BOOK_SPECS | {"payload": TypeSpec(MilvusType.JSON)}
    source_store.collections["books"] = memory_collection(rows, specs, key="id", rest="payload")
    assert select(web, connected, target, "books").status_code == 302
    return connected


def test_the_page_lists_every_key_of_the_sample_with_what_is_known_of_it(web: Client, draft: Draft) -> None:
    answer = page(web, draft)
    rows = {row["source_name"]: row for row in answer.context["collection"]["fields"]}

    def about(name: str) -> tuple[str, str]:
        return rows[name]["native_type"], rows[name]["facts"]

    assert about("payload.price") == (
        "mixed",
        "in all rows, whole number in 90, text in 10, longest text 6 bytes",
    )
    assert about("payload.size.w") == ("whole number", "in all rows")
    assert about('payload."size.w"') == ("text", "in all rows, longest text 6 bytes")
    assert about('payload.size."h.x"') == ("number", "in all rows")
    assert about('payload."x "') == ("text", "in all rows, longest text 3 bytes")
    assert about("payload.odd") == ("number", "in 50 % of rows, null in 25 %")
    assert about("payload.none") == ("unknown: always null", "in all rows, null in 100 %")
    assert about("payload.huge")[1] == "in all rows, whole number in 99, whole number beyond INT64 in 1"
    assert len([name for name in rows if name.startswith("payload.filler ")]) == 60
    content = answer.content.decode()
    assert 'data-filter="#fields"' in content
    assert "data-tick-all" in content


def test_ticked_keys_become_fields_and_what_does_not_fit_stays_or_is_rejected_by_choice(
    web: Client, draft: Draft, target_store: MemoryDatabase
) -> None:
    ticked = ["payload.price", "payload.size.w", "payload.$x", 'payload."x "', "payload.odd", "payload.huge"]
    change(web, draft, **{f"{name}__include": "on" for name in ticked})
    found = {name: field(draft, name) for name in ticked}
    assert {name: (f["type"], f["max_length"], f["misfit"]) for name, f in found.items() if f} == {
        "payload.price": ("INT64", None, "dynamic"),
        "payload.size.w": ("INT64", None, "dynamic"),
        "payload.$x": ("INT64", None, "dynamic"),
        'payload."x "': ("VARCHAR", 65_535, "dynamic"),
        "payload.odd": ("DOUBLE", None, "dynamic"),
        "payload.huge": ("INT64", None, "dynamic"),
    }
    change(
        web,
        draft,
        **{"payload.huge__misfit": "reject", "payload.$x__target": "x_2", 'payload."x "__target': "x"},
    )
    assert page(web, draft).context["problem_count"] == 0
    texts = [line["text"] for line in web.get(url("migrate", draft)).context["checks"]]
    assert (
        "books: “payload.price” does not fit as INT64 in 10 of 100 rows: these values go into the dynamic "
        "field."
    ) in texts
    assert any(
        text.startswith("books: 1 of 100 rows would be rejected: “payload.huge” does not fit its type.")
        for text in texts
    ), texts

    start(web, draft)
    job = Job.objects.get()
    run(job)

    assert job.status == Status.SUCCESSFUL, job.error
    rows = target_store.collections["books"].rows
    assert len(rows) == 99
    first, tenth = rows[0], rows[10]  # the payloads 1 and 11
    assert (first["price"], first["w"], first["x_2"], first["x"]) == (1, 1, 2**53 + 1, "[1]")
    assert first["$meta"] == '{"size":{"h.x":1.0},"size.w":"dotted","none":null}'
    assert (first["odd"], rows[2]["odd"], rows[1]["odd"]) == (None, 1.0, None)
    assert (tenth["price"], json.loads(tenth["$meta"])["price_misfit"]) == (None, "11 €")


def test_unticking_a_key_brings_it_back_into_the_dynamic_field(web: Client, draft: Draft) -> None:
    before = collection(draft)["fields"]
    every = [row["source_name"] for row in page(web, draft).context["collection"]["fields"]]
    keys = [name for name in every if name.startswith("payload.")]
    change(web, draft, **{f"{name}__include": "on" for name in keys})
    assert len(collection(draft)["fields"]) == len(before) + len(keys)
    change(web, draft, without=tuple(f"{name}__include" for name in keys))
    assert collection(draft)["fields"] == before
    assert row(web, draft, "payload.price")["left_note"] == "stays in the dynamic field"
