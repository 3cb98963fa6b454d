"""Exact copy: the collection that a job creates has the schema of a source that is itself a Milvus."""

import json
from dataclasses import replace

import pytest

from migrations_app.models.status import Status
from migrations_app.plan_file import job_data
from tests.kit.exact_collection import EXACT, exact_collection, with_auto_id


@pytest.fixture
def moved(world, work_off):
    """Return a function that moves a collection with this schema, and returns the job."""

    def moved(schema, **plan):
        world.source.collections["articles"] = exact_collection(schema, 20)
        job = world.job({"source": "articles", **plan})
        work_off()
        job.refresh_from_db()
        assert job.status == Status.SUCCESSFUL, job.error
        return job

    return moved


SCHEMAS = {"own key": EXACT, "Auto ID": with_auto_id(EXACT), "dynamic": replace(EXACT, dynamic=True)}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_minimal_plan_creates_the_same_collection_and_moves_its_rows(world, moved, schema):
    job = moved(schema)

    created = world.target.collections["articles"]
    assert created.schema == schema
    rows = list(created.rows.values())
    assert len(rows) == 20
    assert rows[3] == rows[3] | {"title": "text 3", "price": None, "tags": None}
    assert not schema.dynamic or json.loads(rows[3]["$meta"]) == {"extra": 3}
    assert "exact" not in job_data(job)["collections"][0]
