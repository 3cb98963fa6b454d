"""Rest field: a source whose undeclared keys are one field, from its selection to the end of the job."""

import pyarrow as pa
import pytest
from django.test import Client

from console.html_anchors import anchor
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.models import Connection, Draft, Job
from migrations_app.worker.inline import run_inline
from tests.console.conftest import BOOK_SPECS, books
from tests.console.wizard_helpers import change, collection, row, select, start, url
from tests.kit import MemoryDatabase, MemoryStore, memory_collection

pytestmark = pytest.mark.django_db(transaction=True)

DOCUMENTS = ['{"price": 9.5, "author": {"name": "Ada"}, "raw": 1}', None, '{"price": null, "raw": null}']


@pytest.fixture(params=["payload", "$meta"])
def draft(
    web: Client,
    connected: Draft,
    target: Connection,
    source_store: MemoryStore,
    request: pytest.FixtureRequest,
) -> Draft:
    """A draft with a collection whose rest field has this name."""
    rows = books(3).select(["id", "embedding"]).append_column(request.param, pa.array(DOCUMENTS))
    specs = BOOK_SPECS | {request.param: TypeSpec(MilvusType.JSON)}
    source_store.collections["books"] = memory_collection(rows, specs, key="id", rest=request.param)
    select(web, connected, target, "books")
    connected.name = request.param
    return connected


def test_a_rest_field_is_open_from_the_start_and_cannot_be_closed(web: Client, draft: Draft) -> None:
    shown = row(web, draft, draft.name)
    assert (shown["is_open"], shown["can_open"], shown["moves"]) == (True, False, False)
    assert row(web, draft, f"{draft.name}.price")["left_note"] == "stays in the dynamic field"
    content = web.get(url("schema", draft)).content.decode()
    assert "Close its keys" not in content
    web.post(url("schema", draft), {"close": anchor(draft.name)})
    assert collection(draft)["open"] == [draft.name]


@pytest.mark.parametrize("rest", ["dynamic", "drop"])
def test_the_keys_of_a_rest_field_arrive_as_fields_and_as_keys_of_the_dynamic_field(
    web: Client, draft: Draft, target_store: MemoryDatabase, rest: str
) -> None:
    change(web, draft, rest=rest, **{f"{draft.name}.price__include": "on"})
    start(web, draft)
    job = Job.objects.get()
    run_inline(job)
    assert job.status == "successful", (job.error_message, job.error_hint)
    found = {
        key: (sent["price"], sent["$meta"]) for key, sent in target_store.collections["books"].rows.items()
    }
    kept = rest == "dynamic"
    assert found == {
        0: (9.5, '{"author":{"name":"Ada"},"raw":1}' if kept else "{}"),
        1: (None, "{}"),
        2: (None, '{"raw":null}' if kept else "{}"),
    }
