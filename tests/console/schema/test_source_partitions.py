"""Partitions of the source on the mapping page: kept by default, shown with their names, and moved."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from django.test import Client

from migrations_app.models import Connection, Draft, Job
from migrations_app.models.status import Status
from migrations_app.worker import scheduler, tasks
from tests.console.conftest import BOOK_SPECS, books
from tests.console.wizard_helpers import change, collection, page, select, start, url
from tests.kit import MemoryDatabase, MemoryStore, memory_collection, partitioned_by
from tests.kit.memory_target import EVERYTHING

NAMES = {"": "_default", "b c": "b_c_502a", "ns_a": "ns_a"}


@pytest.fixture
def spaces(
    web: Client, connected: Draft, target: Connection, source_store: MemoryStore, transactional_db: None
) -> Draft:
    """A draft after step 2, of 12 books in three namespaces."""
    rows = books().append_column("space", pa.array(list(NAMES) * 4))
    found = memory_collection(rows, BOOK_SPECS, key="id")
    source_store.collections["books"] = partitioned_by("space", found)
    select(web, connected, target, "books")
    change(web, connected, like__target="liked")
    return connected


def choices(web: Client, draft: Draft) -> dict[str, str]:
    """The choices of the partition control, by value."""
    found: dict[str, str] = {}
    for value, label in page(web, draft).context["collection"]["form"].fields["partition_by"].choices:
        found |= dict(label) if isinstance(label, list) else {value: label}
    return found


def work_off(job: Job) -> None:
    while not job.is_ended:
        for task in scheduler.due(job):
            tasks.BY_NAME[task](job.pk)
        job.refresh_from_db()


def test_the_partitions_of_the_source_are_kept_and_their_names_are_shown(web: Client, spaces: Draft) -> None:
    assert choices(web, spaces)["source"] == "3 partitions of the source"
    answer = page(web, spaces)
    assert answer.context["collection"]["form"]["partition_by"].value() == "source"
    shown = {p["source"]: p["target"] for p in answer.context["collection"]["partitions"]}
    assert shown == NAMES
    text = answer.content.decode()
    assert "b_c_502a" in text
    assert "without a name" in text
    (line,) = web.get(url("migrate", spaces)).context["collections"]
    assert "keeps 3 partitions of the source" in line["notes"]


def test_the_rows_arrive_in_their_partitions(
    web: Client, spaces: Draft, target_store: MemoryDatabase
) -> None:
    start(web, spaces)
    job = Job.objects.get()
    work_off(job)

    assert job.status == Status.SUCCESSFUL, job.error_message
    partitions = Counter(target_store.collections["books"].partition_of.values())
    assert partitions == dict.fromkeys(NAMES.values(), 4)
    assert job.collections.get().verified


def test_other_choices_replace_the_partitions_of_the_source(web: Client, spaces: Draft) -> None:
    change(web, spaces, partition_by="")
    assert collection(spaces)["partitions"] == {}
    change(web, spaces, partition_by="by:pages")
    assert collection(spaces)["partition_by"] == "pages"
    change(web, spaces, partition_by="source")
    assert (collection(spaces)["partition_by"], collection(spaces)["partitions"]) == (None, NAMES)
    change(web, spaces, partition_key="title")
    assert (collection(spaces)["partition_key"], collection(spaces)["partitions"]) == ("title", {})
    assert page(web, spaces).context["problem_count"] == 0


def test_the_names_can_be_changed(web: Client, spaces: Draft) -> None:
    change(web, spaces, partition_name1="b")
    assert collection(spaces)["partitions"] == NAMES | {"b c": "b"}
    change(web, spaces, partition_name1="ns_a")
    context = page(web, spaces).context["collection"]
    places = [p.field for p in context["problems"] if "“ns_a” is already used" in p.message]
    assert (places, context["partitions_open"]) == (["partition_name1", "partition_name2"], True)
    change(web, spaces, partition_name1="")
    assert collection(spaces)["partitions"] == NAMES


def test_too_many_partitions_are_a_problem_with_a_fix(
    web: Client, spaces: Draft, target_store: MemoryDatabase, target: Connection
) -> None:
    target_store.capabilities = replace(EVERYTHING, max_partitions=2)
    select(web, spaces, target, "books")
    (problem,) = page(web, spaces).context["collection"]["problems"]
    assert problem.field == "partition_by"
    assert "3 partitions, including “_default”" in problem.message

    (fix,) = problem.fixes
    change(web, spaces, fix=fix.value)

    assert collection(spaces)["partitions"] == {}
    assert page(web, spaces).context["problem_count"] == 0


def test_a_collection_without_partitions_offers_none(web: Client, ready: Draft) -> None:
    assert "source" not in choices(web, ready)
    assert page(web, ready).context["collection"]["partitions"] == []


def test_partitions_of_a_changed_selection_are_named_again(
    web: Client, spaces: Draft, target: Connection, source_store: MemoryStore
) -> None:
    rows: Any = source_store.collections["books"].rows
    source_store.collections["books"].rows = rows.slice(4)  # without those in the first namespace

    select(web, spaces, target, "books", where={"books": "id"})

    assert collection(spaces)["partitions"] == {"b c": "b_c_502a", "ns_a": "ns_a"}
