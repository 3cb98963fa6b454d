"""What a source says about its fields, on the Configure Schema page."""

from dataclasses import replace
from typing import Any

from django.test import Client

from migrations_app.engine.model.source_schema import TypeChoice
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.models import Draft
from tests.console.wizard_helpers import change, collection, field, page, row, start
from tests.kit import MemoryStore


def change_field(store: MemoryStore, name: str, **facts: Any) -> None:
    """Let the source say something else about a field."""
    books = store.collections["books"]
    books.fields = tuple(replace(f, **facts) if f.name == name else f for f in books.fields)


def test_a_field_that_the_source_only_offers_is_unticked_with_its_note_and_can_be_ticked(
    web: Client, source_store: MemoryStore, selected: Draft
) -> None:
    offered = (TypeChoice(TypeSpec(MilvusType.INT32), "Not searchable.", is_proposed=False),)
    change_field(source_store, "pages", choices=offered)
    change(web, selected, action="reset")
    shown = row(web, selected, "pages")
    assert (shown["moves"], shown["left_note"]) == (False, "left out: Not searchable")
    assert shown["include"] is not None
    change(web, selected, pages__include="on")
    assert field(selected, "pages")["type"] == "INT32"
    assert page(web, selected).context["problem_count"] == 1  # the name “like”


def test_a_vector_whose_metric_milvus_lacks_gets_an_index_only_with_a_chosen_metric(
    web: Client, source_store: MemoryStore, selected: Draft
) -> None:
    change_field(source_store, "embedding", metric="L1")
    change(web, selected, action="reset")
    vector = row(web, selected, "embedding")
    assert (vector["metric"].value(), vector["note"]) == ("", "metric in the source: L1")
    (warning,) = vector["problems"]
    assert warning.is_warning
    assert warning.message.startswith("“L1”, the metric of “embedding”, has no equivalent for FLOAT_VECTOR")
    assert collection(selected)["indexes"] == []
    change(web, selected, embedding__metric="IP", like__target="liked")
    (index,) = collection(selected)["indexes"]
    assert (index["field"], index["metric"]) == ("embedding", "IP")
    change(web, selected, embedding__target="vector")  # the choice stays with the field
    assert [(i["field"], i["metric"]) for i in collection(selected)["indexes"]] == [("vector", "IP")]
    assert row(web, selected, "embedding")["problems"] == []
    change(web, selected, embedding__metric="")
    assert collection(selected)["indexes"] == []


def test_an_index_for_vectors_without_a_metric_is_refused_before_the_move(
    web: Client, source_store: MemoryStore, selected: Draft
) -> None:
    change_field(source_store, "embedding", metric="L1")
    change(web, selected, action="reset")
    change(web, selected, like__target="liked")
    answer = start(web, selected, create_index="on")
    assert "but the plan has none" in answer.content.decode()
    assert start(web, selected).status_code == 302


def test_a_sampled_field_says_so_and_keeps_type_mismatches_unless_the_user_rejects_them(
    web: Client, source_store: MemoryStore, selected: Draft
) -> None:
    change_field(source_store, "title", is_sampled=True)
    change(web, selected, action="reset")
    shown = row(web, selected, "title")
    assert "types seen in a sample only" in shown["length_note"]
    assert (shown["misfit"].value(), shown["details"]) == (
        "dynamic",
        "type mismatches go to the dynamic field",
    )
    assert (field(selected, "title")["misfit"], field(selected, "title")["as"]) == ("dynamic", "title_misfit")
    change(web, selected, like__target="liked")
    assert page(web, selected).context["preview"].rows[0][2] == "Book 0"
    change(web, selected, title__dynamic="on")  # there, a value may have any type
    assert (field(selected, "title").get("type"), field(selected, "title")["as"]) == (None, "title")
    assert '"title":"Book 0"' in page(web, selected).context["preview"].rows[0][-1]
    change(web, selected, without=("title__dynamic",))
    assert field(selected, "title")["type"] == "VARCHAR"
    change(web, selected, title__misfit="reject")
    assert (field(selected, "title")["misfit"], field(selected, "title")["as"]) == ("reject", None)
    assert row(web, selected, "title")["misfit"].value() == "reject"
    change(web, selected, title__misfit="dynamic")
    change(web, selected, without=("title__nullable",), title__on_null="reject")
    assert field(selected, "title")["misfit"] is None
    change(web, selected, title__nullable="on")
    assert field(selected, "title")["misfit"] == "reject"
    change(web, selected, title__misfit="dynamic")
    change(web, selected, partition_key="title")  # a partition key is never NULL
    assert field(selected, "title")["misfit"] is None
    assert page(web, selected).context["problem_count"] == 0
