"""Exact copy: the collection that a job creates has the schema of a source that is itself a Milvus."""

import json
from contextlib import closing
from dataclasses import replace
from uuid import uuid4

import pytest
from pymilvus import DataType, Function, FunctionType, MilvusClient

from migrations_app import services
from migrations_app.engine.milvus.settings import MilvusSettings
from migrations_app.engine.model.plan import TargetPlan
from migrations_app.engine.targets.milvus.target import MilvusTarget
from migrations_app.models.status import Status
from migrations_app.plan_file import job_data
from tests.engines.milvus_client import plain_client
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
    moved(schema)

    created = world.target.collections["articles"]
    assert created.schema == schema
    rows = list(created.rows.values())
    assert len(rows) == 20
    assert rows[3] == rows[3] | {"title": "text 3", "price": None, "tags": None}
    assert not schema.dynamic or json.loads(rows[3]["$meta"]) == {"extra": 3}


def test_a_downloaded_plan_does_not_contain_the_schema_and_creates_the_same_collection_again(world, moved):
    job = moved(EXACT, description="", target="copy")
    before = world.target.collections.pop("copy").schema
    (downloaded,) = job_data(job)["collections"]

    moved(EXACT, **{key: value for key, value in downloaded.items() if key != "source"})

    assert "exact" not in downloaded
    assert world.target.collections["copy"].schema == before
    assert before == replace(EXACT, name="copy", description="")


def test_a_plan_is_compared_with_the_schema_that_the_source_has_when_the_job_starts(world, work_off):
    world.source.collections["articles"] = exact_collection(EXACT, 5)
    job = world.job({"source": "articles", "shards": 2})
    world.source.collections["articles"] = exact_collection(replace(EXACT, shards=3), 5)

    work_off()

    job.refresh_from_db()
    assert "“articles” has 3 shards, not 2." in job.error["message"]
    assert "articles" not in world.target.collections


# What each Milvus can store, to be copied: parameters of its fields, its functions, and its options.
FIELDS = {
    "lite": {
        "title": {"max_length": 90, "enable_analyzer": True, "enable_match": True, "nullable": True},
        "stock": {"datatype": DataType.INT32, "nullable": True, "default_value": 7},
        "words": {"datatype": DataType.SPARSE_FLOAT_VECTOR},
    },
    "2.3.5": {
        "title": {"max_length": 90, "description": "as printed"},
        "tags": {"datatype": DataType.ARRAY, "element_type": DataType.INT32, "max_capacity": 5},
        "data": {"datatype": DataType.JSON},
    },
}
OPTIONS = {"lite": {}, "2.3.5": {"num_shards": 2, "num_partitions": 20, "consistency_level": "Session"}}
# The server's own numbers, and what a copy may change.
OWN = ("collection_name", "collection_id", "created_timestamp", "update_timestamp", "field_id", "id")


def described(client, name):
    """Return the server's description without the names and numbers that belong to one collection."""
    return without_own(client.describe_collection(name))


def without_own(value):
    if isinstance(value, list):
        return [without_own(item) for item in value]
    if isinstance(value, dict):
        return {key: without_own(item) for key, item in value.items() if key not in OWN}
    return value


@pytest.fixture
def original(milvus_uri, request):
    """A collection that pymilvus created on a real server, with the name of its future copy."""
    flavour = "lite" if "lite" in request.node.callspec.id else "2.3.5"
    name = f"articles_{uuid4().hex[:8]}"
    schema = MilvusClient.create_schema(enable_dynamic_field=flavour == "2.3.5", description="All articles")
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=4)
    schema.add_field("kind", DataType.VARCHAR, max_length=20, is_partition_key=True)
    for field, options in FIELDS[flavour].items():
        schema.add_field(field, **{"datatype": DataType.VARCHAR} | options)
    if flavour == "lite":
        schema.add_function(Function("by_words", FunctionType.BM25, ["title"], ["words"]))
    properties = {"collection.ttl.seconds": "86400"}
    with closing(plain_client(milvus_uri)) as client:
        client.create_collection(name, schema=schema, properties=properties, **OPTIONS[flavour])
        yield client, name
        for each in (name, f"{name}_copy"):
            client.drop_collection(each)


def test_the_server_describes_the_copy_as_it_describes_the_original(world, work_off, milvus_uri, original):
    client, name = original
    with MilvusTarget(MilvusSettings(uri=milvus_uri)) as target:
        schema = target.describe(name)
    world.source.collections[name] = exact_collection(schema, 20)
    settings = world.settings | {"target": {"uri": milvus_uri}}
    plan = world.plan({"source": name, "target": f"{name}_copy"}).model_copy(
        update={"target": TargetPlan(kind="milvus", settings={})}
    )

    job = services.job_create(plan=plan, user=None, secrets=settings)
    work_off()

    job.refresh_from_db()
    assert job.status == Status.SUCCESSFUL, job.error
    assert described(client, f"{name}_copy") == described(client, name)
    assert job.collections.get().verified
