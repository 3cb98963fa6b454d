"""Fixtures of the job tests: a source and a target in memory, jobs between them, and the queue run in this
process.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import pyarrow as pa
import pytest
from django.utils import timezone
from django_q.models import OrmQ

from migrations_app import endpoints, services
from migrations_app.engine.model.batch import Batch, CollectionRef, Cursor, ReadPlan, Slice
from migrations_app.engine.model.plan import Plan
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources import registry
from migrations_app.engine.sources.base import Source
from migrations_app.models import Job, JobSlice
from migrations_app.worker import tasks
from tests.kit import (
    MemoryCollection,
    MemoryDatabase,
    MemorySource,
    MemoryStore,
    MemoryTarget,
    memory_collection,
    memory_database,
    memory_store,
)

SOURCE_PASSWORD, TARGET_TOKEN = "opensesame", "letmein"
SPECS = {
    "id": TypeSpec(MilvusType.INT64),
    "embedding": TypeSpec(MilvusType.FLOAT_VECTOR, dim=3),
    "title": TypeSpec(MilvusType.VARCHAR, max_length=64),
}


def books(rows: int, start: int = 0) -> MemoryCollection:
    """``rows`` rows with a key, a vector and a text."""
    batch = pa.record_batch(
        {
            "id": pa.array(range(start, start + rows), pa.int64()),
            "embedding": pa.array([[float(n), 0.5, -1.0] for n in range(rows)], pa.list_(pa.float32(), 3)),
            "title": pa.array([f"Book {n}" for n in range(rows)], pa.string()),
        }
    )
    return memory_collection(batch, SPECS, key="id")


@dataclass
class World:
    """A source and a target in memory, and methods that create plans and jobs between them."""

    source: MemoryStore
    target: MemoryDatabase
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def plan(self, *collections: dict[str, Any], **options: Any) -> Plan:
        return Plan.model_validate(
            {
                "version": 1,
                "source": {"kind": "memory", "settings": {}},
                "target": {"kind": "memory", "settings": {}},
                "options": options,
                "collections": list(collections or ({"source": "books"},)),
            }
        )

    def job(self, *collections: dict[str, Any], **options: Any) -> Job:
        return services.job_create(plan=self.plan(*collections, **options), user=None, secrets=self.settings)


class PagedSource(MemorySource):
    """The source in memory, with a page size that a test can set."""

    batch_bytes: ClassVar[int] = 6 * 1024 * 1024

    def read(
        self, ref: CollectionRef, part: Slice, after: Cursor | None, plan: ReadPlan, ctx: ReadContext
    ) -> Iterator[Batch]:
        return super().read(ref, part, after, replace(plan, batch_bytes=self.batch_bytes), ctx)


class PagedEntry(registry.SourceEntry):
    def load(self) -> type[Source]:
        return PagedSource


@pytest.fixture
def memory_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the source and the target in memory to the registries."""
    monkeypatch.setitem(registry.SOURCES, "memory", PagedEntry("memory", "Memory", "", ""))
    monkeypatch.setitem(endpoints.TARGETS, "memory", MemoryTarget)


@pytest.fixture
def world(memory_kinds: None, settings: Any) -> Iterator[World]:
    """100 books in the source, and an empty target. Leases are short, so that lost ones expire soon."""
    settings.VECTORFERRY_LEASE_SECONDS = 2
    source = MemoryStore({"books": books(100)}, password=SOURCE_PASSWORD)
    target = MemoryDatabase(token=TARGET_TOKEN)
    with memory_store(source) as source_settings, memory_database(target) as target_settings:
        plain = {"source": endpoints.plain(source_settings), "target": endpoints.plain(target_settings)}
        yield World(source, target, plain)


@pytest.fixture
def work_off(transactional_db: None) -> Callable[[], int]:
    """Return a function that runs all queued tasks, and those that they queue, and returns their number.

    Tasks that are due later run now.
    """
    from migrations_app.queue import Task
    from migrations_app.worker.tasks import BY_NAME

    def work_off(limit: int = 200) -> int:
        done = 0
        while (row := OrmQ.objects.order_by("lock", "pk").first()) and done < limit:
            row.delete()
            task, (job_id,) = row.task["func"].rpartition(".")[2], row.task["args"]
            Job.objects.filter(pk=job_id, not_before__gt=timezone.now()).update(not_before=None)
            BY_NAME[Task(task)](job_id)
            done += 1
        return done

    return work_off


@pytest.fixture
def pages_of_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source reads its 100 books in pages of ten."""
    monkeypatch.setattr(PagedSource, "batch_bytes", books(100).rows.nbytes // 10)


@pytest.fixture
def ready(world):
    """Return a function that creates a job whose slices wait to be claimed, and empties the queue."""

    def ready(*collections, **options):
        job = world.job(*collections, **options)
        tasks.prepare(job.pk)
        OrmQ.objects.all().delete()
        job.refresh_from_db()
        assert not job.error, job.error
        return job

    return ready


@pytest.fixture
def finished(world, work_off):
    """Return a function that creates a job, runs it, and returns it after its end."""

    def finished(*collections, **options):
        job = world.job(*collections, **options)
        tasks.prepare(job.pk)
        work_off()
        job.refresh_from_db()
        return job

    return finished


def the_slice(job=None):
    slices = JobSlice.objects.select_related("collection")
    return slices.get(collection__job=job) if job else slices.get()
