"""Partitions of a source, moved into a Milvus: filled, appended to, replaced, and read with pymilvus."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest

from migrations_app import endpoints, services
from migrations_app.engine.model.plan import Plan
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.sources import registry
from migrations_app.engine.sources.base import Source
from migrations_app.models import Job
from migrations_app.models.status import Status
from migrations_app.worker import scheduler, tasks
from tests.engines.milvus_client import plain_client
from tests.kit import MemorySource, MemoryStore, memory_collection, memory_store, partitioned_by

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = {"": "_default", "b c": "b_c_502a", "ns_a": "ns_a"}
SPECS = {"id": TypeSpec(MilvusType.INT64), "v": TypeSpec(MilvusType.FLOAT_VECTOR, dim=2)}


class MemoryEntry(registry.SourceEntry):
    def load(self) -> type[Source]:
        return MemorySource


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryStore]:
    monkeypatch.setitem(registry.SOURCES, "memory", MemoryEntry("memory", "Memory", "", ""))
    found = MemoryStore({"books": books(list(NAMES) * 30)})
    with memory_store(found) as settings:
        found.settings = endpoints.plain(settings)
        yield found


def books(spaces: list[str], first: int = 0) -> Any:
    number = len(spaces)
    rows = pa.record_batch(
        {
            "id": pa.array(range(first, first + number), pa.int64()),
            "v": pa.array([[float(n), 1.0] for n in range(number)], pa.list_(pa.float32(), 2)),
            "space": pa.array(spaces, pa.string()),
        }
    )
    return partitioned_by("space", memory_collection(rows, SPECS, key="id"))


@pytest.fixture
def target(milvus_uri: str) -> Iterator[str]:
    """The name of a new collection."""
    name = f"spaces_{uuid4().hex[:8]}"
    yield name
    plain_client(milvus_uri).drop_collection(name)


def moved(store: Any, uri: str, **collection: Any) -> Job:
    plan = {
        "version": 1,
        "source": {"kind": "memory", "settings": {}},
        "target": {"kind": "milvus", "settings": {}},
        "collections": [{"source": "books", **collection}],
    }
    secrets = {"source": store.settings, "target": {"uri": uri}}
    job = services.job_create(plan=Plan.model_validate(plan), user=None, secrets=secrets, inline=True)
    while not job.is_ended:
        for task in scheduler.due(job):
            tasks.BY_NAME[task](job.pk)
        job.refresh_from_db()
    assert job.status == Status.SUCCESSFUL, job.error_message
    assert job.collections.get().verified
    checks = {check["check"]: check["passed"] for check in job.collections.get().checks}
    assert checks["rows_in_partitions"]
    return job


def rows_by_partition(uri: str, target: str) -> dict[str, int]:
    client = plain_client(uri)
    client.flush(target)
    names = client.list_partitions(target)
    return {name: int(client.get_partition_stats(target, name)["row_count"]) for name in names}


def test_each_partition_of_the_source_is_filled(store: Any, milvus_uri: str, target: str) -> None:
    moved(store, milvus_uri, target=target)

    assert rows_by_partition(milvus_uri, target) == dict.fromkeys(NAMES.values(), 30)


@pytest.mark.parametrize("key", ["id", "auto"])
def test_rows_are_added_to_existing_and_new_partitions(
    store: Any, milvus_uri: str, target: str, key: str
) -> None:
    plan = {"target": target, "key": key}
    moved(store, milvus_uri, **plan)
    store.collections["books"] = books(["b c", "new"] * 20, first=1_000)

    moved(store, milvus_uri, **plan, if_exists="append")

    assert rows_by_partition(milvus_uri, target) == {"_default": 30, "b_c_502a": 50, "ns_a": 30, "new": 20}


def test_a_replaced_collection_has_the_names_of_the_plan(store: Any, milvus_uri: str, target: str) -> None:
    moved(store, milvus_uri, target=target)

    names = {"": "nameless", "b c": "b", "ns_a": "a"}
    moved(store, milvus_uri, target=target, if_exists="replace", partitions=names)

    assert rows_by_partition(milvus_uri, target) == {"_default": 0, "nameless": 30, "b": 30, "a": 30}
