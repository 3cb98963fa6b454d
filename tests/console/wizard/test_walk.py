"""The whole wizard, for every kind of source: from its tile to the rows in the target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from django.test import Client

from migrations_app.engine.model.target_schema import TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.models import Connection, Draft, Job
from migrations_app.models.status import Status
from migrations_app.worker import scheduler, tasks
from tests.console.conftest import BOOK_SPECS, books
from tests.console.wizard_helpers import change, select, start
from tests.kit import MemoryCollection, MemoryDatabase, MemoryStore, memory_collection
from tests.kit.memory_source import partitioned_by

SOURCE, MINIMAL, JSON = ("tests.kit:MemorySource", "tests.kit:MinimalSource", "tests.kit:JsonSource")


def plain(**facts: Any) -> MemoryCollection:
    return replace(memory_collection(books(), BOOK_SPECS, "id"), **facts)


def with_column(name: str, spec: TypeSpec, values: list[str], rest: str = "") -> MemoryCollection:
    rows = books().append_column(name, pa.array(values))
    return memory_collection(rows, {**BOOK_SPECS, name: spec}, "id", rest)


SHELVES = with_column("shelf", TypeSpec(MilvusType.VARCHAR, max_length=64), ["", "a-1", "b 2"] * 4)
NOTES = with_column("meta", TypeSpec(MilvusType.JSON), ['{"shelf": "x", "n": 1.0}', "{}"] * 6, rest="meta")
COPIED = TargetSchema(
    "books",
    tuple(
        TargetField(name, spec, is_key=name == "id", nullable=name == "title")
        for name, spec in BOOK_SPECS.items()
    ),
    dynamic=False,
)
KINDS = {
    "measures everything": (SOURCE, plain()),
    "cannot count or measure": (MINIMAL, plain()),
    "answers in JSON": (JSON, plain()),
    "counts late": (SOURCE, plain(count_lag=3)),
    "has a schema to copy": (SOURCE, plain(exact=COPIED)),
    "has no key": (SOURCE, plain(key=None)),
    "cannot resume": (SOURCE, plain(resumable=False, breaks=[7])),
    "sends empty pages": (SOURCE, plain(empty_pages=True)),
    "asks to slow down": (SOURCE, plain(busy=[0, 5], retry_after_seconds=0.01)),
    "forgets cursors": (SOURCE, plain(breaks=[6], lost_after=[5, 6])),
    "has partitions": (SOURCE, partitioned_by("shelf", SHELVES)),
    "has a rest field": (MINIMAL, NOTES),
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def source_kind(request: Any, source_store: MemoryStore, use_source: Callable[[str], None]) -> None:
    """Make the memory source one of the kinds."""
    path, collection = request.param
    use_source(path)
    source_store.collections["books"] = collection


@pytest.mark.django_db
def test_a_walk_by_the_defaults_moves_every_row(
    source_kind: None, web: Client, connected: Draft, target: Connection, target_store: MemoryDatabase
) -> None:
    assert select(web, connected, target, "books").status_code == 302
    change(web, connected, like__target="liked")
    start(web, connected)
    job = Job.objects.get()
    run(job)
    assert job.status == Status.SUCCESSFUL, job.error
    row = job.collections.with_counters().get()
    assert (row.rows_written, row.rows_rejected, row.rows_skipped) == (12, 0, 0)
    titles = sorted(str(book["title"]) for book in target_store.collections["books"].rows.values())
    assert titles == sorted(["None"] * 3 + [f"Book {n}" for n in range(12) if n % 4 != 3])


def run(job: Job) -> None:
    """Run the job to its end in this thread."""
    for _ in range(100):
        job.refresh_from_db()
        for task in scheduler.due(job):
            tasks.BY_NAME[task](job.pk)
        if job.is_ended:
            return
