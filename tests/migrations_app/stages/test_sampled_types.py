"""A field whose types are known from a sample only: values that do not fit arrive in the dynamic field."""

import pyarrow as pa
import pytest

from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.sources import registry
from migrations_app.models import JobCollection
from migrations_app.models.status import Status
from migrations_app.reporting.report import job_report
from tests.kit import memory_collection
from tests.migrations_app.conftest import SPECS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def moved(world, finished, monkeypatch):
    """Return a function that moves 2,000 books whose tags are lists from book 1,500 on, after its end."""
    entry = registry.SourceEntry("memory", "Memory", "", "tests.kit:JsonSource")
    monkeypatch.setitem(registry.SOURCES, "memory", entry)
    numbers = range(2000)
    rows = pa.record_batch(
        {
            "id": pa.array(numbers, pa.int64()),
            "embedding": pa.array([[float(n), 0.5, -1.0] for n in numbers], pa.list_(pa.float32(), 3)),
            "tags": [f'"tag {n}"' if n < 1500 else f'["tag {n}", "new"]' for n in numbers],
        }
    )
    specs = {**SPECS, "tags": TypeSpec(MilvusType.VARCHAR)}
    world.source.collections["books"] = memory_collection(rows, specs, key="id", mixed=["tags"])

    return lambda **plan: finished({"source": "books", **plan})


def counters(job):
    row = JobCollection.objects.with_counters().get(job=job)
    return row.rows_read, row.rows_written, row.rows_rejected


def test_arrays_that_begin_after_the_sample_go_into_the_dynamic_field(world, moved):
    job = moved()

    assert job.status == Status.SUCCESSFUL, job.error_message
    assert counters(job) == (2000, 2000, 0)
    rows = world.target.collections["books"].rows
    assert job_report(job)["collections"][0]["values_mismatched"] == 500
    sentence = "books: 500 values did not fit the type of the field (“tags”) and went into the dynamic field."
    before, after = job.log.filter(level="warning").order_by("pk")
    assert before.message == (
        "books: “tags” does not fit as VARCHAR in 500 of 2,000 rows: these values go into the dynamic field."
    )
    assert after.message == sentence
    assert (rows[7]["tags"], rows[7].get("$meta")) == ("tag 7", "{}")
    assert (rows[1600]["tags"], rows[1600]["$meta"]) == (None, '{"tags_misfit":["tag 1600","new"]}')


def test_as_a_key_of_the_dynamic_field_values_of_any_type_arrive(world, moved):
    job = moved(fields=[{"source": "id"}, {"source": "embedding"}, {"source": "tags", "dynamic": True}])

    assert counters(job) == (2000, 2000, 0)
    rows = world.target.collections["books"].rows
    assert [rows[n]["$meta"] for n in (7, 1600)] == ['{"tags":"tag 7"}', '{"tags":["tag 1600", "new"]}']


@pytest.mark.parametrize(
    "plan",
    [
        {"fields": [{"source": "id"}, {"source": "embedding"}, {"source": "tags", "misfit": "reject"}]},
        {"dynamic_field": False},
    ],
    ids=["by choice", "without a dynamic field"],
)
def test_they_are_rejected_by_choice_and_without_a_dynamic_field(moved, plan):
    job = moved(**plan)

    assert job.status == Status.SUCCESSFUL, job.error_message
    assert counters(job) == (2000, 1500, 500)
