"""The metric, the type and the parameters of an index on the Configure Schema page."""

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from console.html_anchors import anchor
from migrations_app.engine.milvus.capabilities import capabilities_of
from migrations_app.engine.milvus.server import Server
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.source_schema import IndexHint
from migrations_app.models import Connection, Draft
from tests.console.wizard_helpers import HTMX, change, collection, control, form_of, row, select, url
from tests.kit import MemoryDatabase, MemoryStore

VECTOR = anchor("embedding")


@pytest.fixture
def unknown(web: Client, source_store: MemoryStore, selected: Draft) -> Draft:
    """A draft whose source does not tell the metric of the vector, and has an HNSW index on it."""
    books, hint = source_store.collections["books"], IndexHint("HNSW", (("M", 24), ("efConstruction", 99)))
    facts: dict[str, Any] = {"metric": None, "metric_note": "is computed by the view", "index_hint": hint}
    books.fields = tuple(replace(f, **facts) if f.name == "embedding" else f for f in books.fields)
    change(web, selected, action="reset")
    return selected


def index_of(draft: Draft) -> dict[str, Any]:
    draft.refresh_from_db()
    (index,) = collection(draft)["indexes"]
    return {name: value for name, value in index.items() if name != "field"}


def check(web: Client, draft: Draft, **data: str) -> str:
    """Send the changed form as the page does after each change, and return what it swaps."""
    sent = form_of(web, draft) | {control(name): value for name, value in data.items()}
    return web.post(url("schema", draft), sent | {"action": "check"}, headers=HTMX).content.decode()


def test_a_guessed_metric_says_so_and_asks_until_one_is_chosen(web: Client, unknown: Draft) -> None:
    shown = row(web, unknown, "embedding")
    assert shown["metric"].value() == "guess"
    assert dict(shown["metric"].field.choices)["guess"] == "COSINE: a guess"
    (warning,) = shown["problems"]
    assert (warning.is_warning, warning.column) == (True, "index")
    assert warning.message == "“embedding” is computed by the view, so the metric COSINE is a guess."
    assert [fix.label for fix in warning.fixes] == ["COSINE is right", "Use L2", "Use IP"]
    change(web, unknown, like__target="liked")  # another change does not confirm it
    assert index_of(unknown)["guessed"]
    web.post(url("schema", unknown), form_of(web, unknown) | {"fix": warning.fixes[0].value})
    assert (index_of(unknown)["metric"], index_of(unknown)["guessed"]) == ("COSINE", False)
    shown = row(web, unknown, "embedding")
    assert (shown["metric"].value(), shown["problems"]) == ("COSINE", [])


def test_another_type_of_index_gets_the_parameters_of_the_source_and_swaps_only_its_row(
    web: Client, unknown: Draft
) -> None:
    note = row(web, unknown, "embedding")["index_note"]
    assert note == "index in the source: HNSW, M 24, efConstruction 99"
    swapped = check(web, unknown, embedding__index_type="HNSW")
    assert index_of(unknown)["params"] == {"M": 24, "efConstruction": 99}
    assert f'id="{VECTOR}-params"' in swapped
    assert f'name="{VECTOR}-param_efConstruction"' in swapped
    assert f'id="{anchor("id")}"' not in swapped  # the other rows stay as they are
    check(web, unknown, embedding__param_M="32")
    assert index_of(unknown)["params"] == {"M": 32, "efConstruction": 99}
    change(web, unknown, embedding__target="vec", embedding__param_M="")  # empty: the target's default
    assert index_of(unknown)["params"] == {"efConstruction": 99}
    check(web, unknown, embedding__index_type="IVF_FLAT")
    assert (index_of(unknown)["type"], index_of(unknown)["params"]) == ("IVF_FLAT", {})


@pytest.mark.parametrize("typed", ["1", "4,000", "many", "8.5", "１２", "\0"])
def test_a_value_that_the_parameter_does_not_accept_is_an_error_at_its_control(
    web: Client, unknown: Draft, typed: str
) -> None:
    change(web, unknown, embedding__index_type="HNSW")
    change(web, unknown, embedding__param_M=typed)
    shown = row(web, unknown, "embedding")
    (problem,) = [problem for problem in shown["problems"] if not problem.is_warning]
    assert problem.column == "index"
    assert "is not a whole number from 2 to 2,048." in problem.message
    assert index_of(unknown)["params"]["M"] == 24


def test_only_what_the_target_has_is_offered(
    web: Client, target: Connection, target_store: MemoryDatabase, connected: Draft
) -> None:
    target_store.capabilities = capabilities_of(Server("zilliz", (2, 6, 0)))
    select(web, connected, target, "books")
    shown = row(web, connected, "embedding")
    assert shown["index_type"] is None  # Zilliz Cloud has one type for these vectors
    assert [value for value, _ in shown["metric"].field.choices] == ["COSINE", "L2", "IP"]


def test_a_target_without_default_values_gets_those_of_later_versions(
    web: Client, target: Connection, target_store: MemoryDatabase, connected: Draft
) -> None:
    target_store.capabilities = capabilities_of(Server("milvus", (2, 3, 5)))
    select(web, connected, target, "books")
    change(web, connected, embedding__index_type="HNSW")
    assert index_of(connected)["params"] == {"M": 30, "efConstruction": 360}
    change(web, connected, embedding__param_M="")
    messages = [problem.message for problem in row(web, connected, "embedding")["problems"]]
    assert messages[0].startswith("The index type HNSW needs the parameter “M” in Milvus 2.3.5.")


def test_the_chosen_index_is_in_the_plan(web: Client, unknown: Draft) -> None:
    change(web, unknown, like__target="liked", embedding__metric="L2", embedding__index_type="IVF_SQ8")
    change(web, unknown, embedding__param_nlist="64")
    text = web.get(url("plan", unknown)).content.decode()
    assert "type: IVF_SQ8" in text
    plan = CollectionPlan.model_validate(collection(unknown))
    assert [index.model_dump() for index in plan.indexes or ()] == [
        {"field": "embedding", "type": "IVF_SQ8", "metric": "L2", "guessed": False, "params": {"nlist": 64}}
    ]
