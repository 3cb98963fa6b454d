"""Migrate step: the last page of the wizard, and the job that it creates."""

import json
from typing import Any

import pyarrow as pa
import pytest
from django.test import Client
from django.urls import reverse

from console.html_anchors import anchor
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.models import Connection, Draft, Job
from tests.console.conftest import BOOK_SPECS, books
from tests.console.wizard_helpers import change, collection, page, select, start, url
from tests.kit import MemoryDatabase, MemoryRows, MemorySource, MemoryStore, memory_collection
from tests.kit.memory_target import EVERYTHING

pytestmark = pytest.mark.database


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


def test_the_summary_says_that_auto_id_discards_the_old_keys(web: Client, ready: Draft) -> None:
    change(web, ready, key="auto")
    (line,) = web.get(url("migrate", ready)).context["collections"]
    assert (line["key_text"], line["key_warning"]) == ("Auto ID", "old keys discarded")


def test_rows_that_would_be_rejected_are_counted_and_saved_with_one_click(web: Client, ready: Draft) -> None:
    change(web, ready, title__max_length="6")
    lost, looked = web.get(url("migrate", ready)).context["checks"]
    assert lost["text"].startswith("books: 1 of 12 rows would be rejected: “title” is longer than 6 bytes.")
    assert looked["text"] == "books: All 12 rows were checked for NULL, lengths and sizes."
    assert lost["url"] == f"{url('schema', ready)}#{anchor('title')}"
    row = page(web, ready).context["collection"]["fields"][2]
    assert [problem.message for problem in row["problems"]] == [lost["text"].removeprefix("books: ").strip()]
    labels = {button.label: button.value for button in lost["fixes"]}
    assert list(labels) == ["Raise to 65,535", "Truncate longer texts", "Leave it out"]

    start(web, ready, fix=labels["Truncate longer texts"])

    ready.refresh_from_db()
    fields = {field["source"]: field for field in ready.plan["collections"][0]["fields"]}
    assert (fields["title"]["too_long"], fields["title"]["max_length"]) == ("truncate", 6)
    assert fields["id"]["target"] == "id"
    checks = web.get(url("migrate", ready)).context["checks"]
    assert [check["tone"] for check in checks if check["label"] == "rows"] == ["ok"]
    assert not [check for check in checks if check["label"] == "lost rows"]


def test_a_double_click_makes_one_job(web: Client, ready: Draft) -> None:
    first, second = start(web, ready), start(web, ready)
    job = Job.objects.get()
    assert first["Location"] == second["Location"] == reverse("job", args=[job.public_id])
    assert job.source_connection.name == "shelf"
    assert job.plan["collections"][0]["target"] == "books"


def test_a_draft_that_became_a_job_is_no_longer_a_draft(web: Client, ready: Draft) -> None:
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


def test_one_button_limits_the_job_to_a_thousand_rows_and_another_removes_the_limit(
    web: Client, ready: Draft
) -> None:
    answer = web.post(url("migrate", ready), {"action": "try", "verify": "counts", "max_rejected": "7"})
    assert answer["Location"] == url("migrate", ready)
    context = web.get(url("migrate", ready)).context
    assert context["summary"].startswith("Only the first 1,000 rows of 1 collection are copied")
    assert (context["total_rows"], context["form"]["max_rejected"].value()) == (12, 7)
    web.post(url("migrate", ready), {"action": "all", "verify": "counts"})
    assert web.get(url("migrate", ready)).context["summary"].startswith("12 rows")


def test_the_summary_shows_the_row_limit_and_the_read_rate(web: Client, ready: Draft) -> None:
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
def test_an_invalid_choice_is_refused_on_its_field(
    web: Client, ready: Draft, data: dict[str, str], field_name: str
) -> None:
    answer = start(web, ready, **data)
    assert answer.status_code == 422
    assert answer.context["form"].errors[field_name]
    assert not Job.objects.exists()


def test_a_problem_is_shown_and_prevents_the_start(
    web: Client, ready: Draft, target_store: MemoryDatabase
) -> None:
    target_store.collections["books"] = MemoryRows(None)  # type: ignore[arg-type]  # only its name is looked at
    (problem,) = web.get(url("migrate", ready)).context["problems"]
    assert "books" in problem["message"]
    assert problem["url"] == url("schema", ready)
    assert start(web, ready).status_code == 422
    assert not Job.objects.exists()


def test_checking_again_sees_what_changed(web: Client, ready: Draft, target_store: MemoryDatabase) -> None:
    assert web.get(url("migrate", ready)).context["problems"] == []
    target_store.collections["books"] = MemoryRows(None)  # type: ignore[arg-type]  # only its name is looked at
    assert web.get(url("migrate", ready)).context["problems"] == []
    assert web.post(url("migrate", ready), {"action": "check", "verify": "counts"}).context["problems"]


def test_a_server_that_refuses_the_login_is_reported_on_the_last_step(
    web: Client, ready: Draft, source_store: MemoryStore
) -> None:
    source_store.password = "changed"
    (problem,) = web.get(url("migrate", ready)).context["problems"]
    assert problem["code"] == "auth_refused"


def test_the_plan_is_downloaded_without_a_secret(web: Client, ready: Draft) -> None:
    text = web.get(url("plan", ready)).content.decode()
    assert "connection: shelf" in text
    assert "opensesame" not in text
    assert "letmein" not in text


def test_a_draft_contains_no_secret(ready: Draft) -> None:
    stored = json.dumps([ready.plan, ready.state])
    assert "opensesame" not in stored
    assert "letmein" not in stored


def test_the_capabilities_of_the_target_are_stored_completely(ready: Draft) -> None:
    from console.draft.contents import target_facts

    facts = target_facts(ready)
    assert isinstance(facts.capabilities, Capabilities)
    assert facts.capabilities == EVERYTHING


def test_a_draft_that_is_deleted_during_a_request_is_reported(
    web: Client, connected: Draft, source_store: MemoryStore
) -> None:
    class Vanishing(dict[str, Any]):
        def items(self) -> Any:
            Draft.objects.all().delete()
            return super().items()

    source_store.collections = Vanishing(source_store.collections)
    answer = web.get(url("select", connected), follow=True)
    assert answer.redirect_chain == [(reverse("migrations"), 302)]
    assert "This draft no longer exists." in answer.content.decode()


def test_a_table_of_very_many_fields_can_be_sent(
    web: Client, connected: Draft, target: Connection, source_store: MemoryStore
) -> None:
    names = [f"column_{number}" for number in range(300)]
    rows = pa.record_batch({**dict(zip(books().schema.names, books().columns, strict=True)),
                            **{name: pa.array(["x"] * 12) for name in names}})  # fmt: skip
    specs = BOOK_SPECS | {name: TypeSpec(MilvusType.VARCHAR, max_length=64) for name in names}
    source_store.collections["wide"] = memory_collection(rows, specs, key="id")
    select(web, connected, target, "wide")
    assert change(web, connected, target="very_wide").status_code == 302
    assert collection(connected)["target"] == "very_wide"
    assert "305 fields" in page(web, connected).context["collection"]["problems"][0].message


def test_vectors_of_several_dimensions_are_divided_with_one_click(
    web: Client, connected: Draft, target: Connection, source_store: MemoryStore, monkeypatch: Any
) -> None:
    specs = {"id": TypeSpec(MilvusType.INT64), "v": TypeSpec(MilvusType.FLOAT_VECTOR)}
    vectors = pa.array([[1.0, 2.0], [1.0, 2.0, 3.0], [3.0, 4.0]], pa.list_(pa.float32()))
    rows = pa.record_batch({"id": pa.array([1, 2, 3], pa.int64()), "v": vectors})
    source_store.collections["mixed"] = memory_collection(rows, specs, key="id")
    monkeypatch.setattr(MemorySource, "selection_of_dim", lambda *asked, ctx: {"where": "id"})
    select(web, connected, target, "mixed")
    (problem,) = web.get(url("migrate", connected)).context["problems"]
    assert problem["code"] == "mixed_dimensions"
    assert [fix.label for fix in problem["fixes"]] == [
        "Move only the 2 rows with 2 dimensions",
        "Move only the 1 row with 3 dimensions",
    ]
    start(web, connected, fix=problem["fixes"][0].value)
    assert collection(connected)["select"] == {"where": "id"}
    assert not Job.objects.exists()
