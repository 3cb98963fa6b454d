"""A source of points in the wizard: joined key, nameless fields, payload, foreign metric, sampled types."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.test import Client

from migrations_app.models import Connection, Draft, Job
from migrations_app.models.status import Status
from tests.console.wizard.test_walk import run
from tests.console.wizard_helpers import change, collection, field, page, row, select, start
from tests.kit import MemoryDatabase, MemoryStore
from tests.kit.point_source import points

pytestmark = pytest.mark.django_db


@pytest.fixture
def selected(
    web: Client,
    connected: Draft,
    target: Connection,
    source_store: MemoryStore,
    use_source: Callable[[str], None],
) -> Draft:
    """A draft with 200 points. Lists of tags begin after the sample."""
    use_source("tests.kit.point_source:PointSource")
    source_store.collections["my-points"] = points(
        200, lambda n: {"id": f"doc {n}", "vector": "text", "n": n}, lambda n: f"t{n}" if n < 150 else [n]
    )
    assert select(web, connected, target, "my-points").status_code == 302
    return connected


def test_the_defaults_move_everything_under_legal_and_distinct_names(
    web: Client, selected: Draft, target_store: MemoryDatabase
) -> None:
    assert page(web, selected).context["problem_count"] == 0
    assert collection(selected)["target"] == "my_points"
    control = page(web, selected).context["collection"]["form"].fields["target"]
    assert control.help_text == "renamed: its name is not legal in Milvus"
    assert [i["field"] for i in collection(selected)["indexes"]] == ["vector_2"]
    assert row(web, selected, "id")["note"] == "renamed: the documents have a key “id”"
    assert row(web, selected, "fast-bge-small-en")["note"] == (
        "renamed: its name is not legal in Milvus · metric in the source: Manhattan"
    )
    start(web, selected)
    job = Job.objects.get()
    run(job)
    assert job.status == Status.SUCCESSFUL, job.error
    moved = job.collections.with_counters().get()
    assert (moved.rows_written, moved.rows_rejected, moved.verified) == (200, 0, True)
    rows = target_store.collections["my_points"].rows
    assert set(rows) == {f"{'ab'[n % 2]}/{n // 2}" for n in range(200)}
    assert rows["a/0"]["$meta"] == '{"id":"doc 0","vector":"text","n":0}'
    last = rows["b/99"]
    assert (last["id_2"], last["tags"]) == ("99", None)
    kept = {"id": "doc 199", "vector": "text", "n": 199, "tags_misfit": [199]}
    assert json.loads(last["$meta"]) == kept


def test_one_column_of_the_key_can_be_a_number_by_choice(
    web: Client, selected: Draft, target_store: MemoryDatabase
) -> None:
    change(web, selected, key="field:id")
    assert field(selected, "id")["type"] == "VARCHAR"
    change(web, selected, id__type="INT64", tokens__include="on")
    assert field(selected, "tokens")["type"] == "JSON"
    assert page(web, selected).context["problem_count"] == 0
    start(web, selected)
    job = Job.objects.get()
    run(job)
    assert job.status == Status.SUCCESSFUL, job.error
    assert set(target_store.collections["my_points"].rows) == set(range(100))
