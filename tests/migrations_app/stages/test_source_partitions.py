"""Partitions of the source: each becomes a partition of the target, is filled, and is counted by itself."""

from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pytest

from migrations_app.engine.model.source_schema import SourceKey
from migrations_app.models.status import Status
from migrations_app.worker import tasks
from tests.kit import memory_collection, partitioned_by
from tests.migrations_app.conftest import SPECS

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = ("", "b c", "ns_a")


def books_in(spaces, ids=None):
    number = len(spaces)
    batch = pa.record_batch(
        {
            "id": pa.array(ids or range(number), pa.int64()),
            "embedding": pa.array([[float(n), 0.5, -1.0] for n in range(number)], pa.list_(pa.float32(), 3)),
            "space": pa.array(spaces, pa.string()),
        }
    )
    return partitioned_by("space", memory_collection(batch, SPECS, key="id"))


@pytest.fixture
def spaces(world):
    """The world with 90 books in three namespaces, one of which has no name."""
    world.source.collections["books"] = books_in(list(NAMES) * 30)
    return world


@pytest.fixture
def moved(spaces, finished):
    """Return a function that runs a job with this plan, and returns the job after its end."""
    return lambda **plan: finished({"source": "books", **plan})


def keys_in(world, name):
    stored = world.target.collections["books"]
    return sorted(row["id"] for slot, row in stored.rows.items() if stored.partition_of[slot] == name)


def checks_of(job):
    return {check["check"]: check for check in job.collections.get().checks}


def test_each_partition_of_the_source_becomes_one_of_the_target_and_is_verified(spaces, work_off):
    job = spaces.job({"source": "books"})
    tasks.prepare(job.pk)
    assert spaces.target.collections["books"].partitions == ["_default", "b_c_502a", "ns_a"]
    assert spaces.target.requests == 0
    work_off()

    job.refresh_from_db()
    assert job.status == Status.SUCCESSFUL, job.error_message
    assert keys_in(spaces, "_default") == list(range(0, 90, 3))
    assert keys_in(spaces, "b_c_502a") == list(range(1, 90, 3))
    assert keys_in(spaces, "ns_a") == list(range(2, 90, 3))
    row = job.collections.get()
    assert row.plan["partitions"] == {"": "_default", "b c": "b_c_502a", "ns_a": "ns_a"}
    assert row.verified
    checks = checks_of(job)
    assert checks["rows_in_partitions"]["message"] == (
        "3 partitions: each has exactly the rows of its partition."
    )
    assert checks["rows_read_of_partitions"]["message"] == (
        "3 partitions of the source: all rows of each were read."
    )


def test_the_names_of_a_plan_are_used(spaces, moved):
    job = moved(partitions={"": "nameless", "b c": "b", "ns_a": "a"})

    assert job.status == Status.SUCCESSFUL, job.error_message
    partitions = Counter(spaces.target.collections["books"].partition_of.values())
    assert partitions == {"nameless": 30, "b": 30, "a": 30}


def test_without_partitions_all_rows_go_into_one(spaces, moved):
    job = moved(partitions={})

    assert job.status == Status.SUCCESSFUL, job.error_message
    assert spaces.target.collections["books"].partitions == ["_default"]
    assert "rows_in_partitions" not in checks_of(job)


def test_rows_in_the_wrong_partition_fail_the_job_although_the_total_is_right(spaces, work_off):
    job = spaces.job({"source": "books"})
    tasks.prepare(job.pk)
    tasks.work(job.pk)
    spaces.target.collections["books"].sent_into.update({"b_c_502a": -1, "ns_a": 1})
    work_off()

    job.refresh_from_db()
    assert (job.status, job.error_code) == (Status.FAILED, "verify_mismatch")
    assert "“b_c_502a” has 29 rows; 30 were sent into it" in job.error_message


def test_a_partition_that_was_not_read_completely_fails_the_job(spaces, work_off):
    job = spaces.job({"source": "books"})
    tasks.prepare(job.pk)
    spaces.source.collections["books"] = books_in(["b c"] + ["ns_a"] * 29 + list(NAMES) * 20)
    work_off()

    job.refresh_from_db()
    assert (job.status, job.error_code) == (Status.FAILED, "verify_mismatch")
    assert "30 rows of the partition without a name of the source were read" in job.error_message


def test_equal_keys_in_two_partitions_are_two_rows(spaces, moved):
    """The source declares its keys unique only within a partition."""
    books = books_in(["a", "b"] * 20, ids=[n // 2 for n in range(40)])
    spaces.source.collections["books"] = replace(books, key=SourceKey(("id",), unique=False))

    job = moved(key="id")

    assert job.status == Status.SUCCESSFUL, job.error_message
    assert keys_in(spaces, "a") == keys_in(spaces, "b") == list(range(20))
    assert job.collections.get().verified


@pytest.mark.parametrize("key", ["id", "auto"])
def test_rows_are_added_to_existing_and_new_partitions(spaces, moved, key):
    moved(key=key, keep_source_key=key == "auto")
    spaces.source.collections["books"] = books_in(["b c", "new"] * 20, ids=range(1000, 1040))

    job = moved(if_exists="append", key=key, keep_source_key=key == "auto")

    assert job.status == Status.SUCCESSFUL, job.error_message
    assert Counter(spaces.target.collections["books"].partition_of.values()) == {
        **dict.fromkeys(["_default", "ns_a"], 30),
        "b_c_502a": 50,
        "new": 20,
    }
    assert checks_of(job)["rows_in_partitions"]["passed"] is True


def test_added_rows_in_the_wrong_partition_are_found(spaces, moved, work_off):
    moved(key="auto", keep_source_key=True)
    job = spaces.job({"source": "books", "key": "auto", "keep_source_key": True, "if_exists": "append"})
    tasks.prepare(job.pk)
    while job.collections.get().slices.exclude(state="done").exists():
        tasks.work(job.pk)
    places = spaces.target.collections["books"].partition_of
    slot = next(slot for slot, name in places.items() if name == "ns_a")
    places[slot] = "_default"
    work_off()

    job.refresh_from_db()
    assert (job.status, job.error_code) == (Status.FAILED, "verify_mismatch")


def test_a_replaced_collection_has_only_the_partitions_of_this_job(spaces, moved):
    moved()
    spaces.source.collections["books"] = books_in(["x", "y"] * 20)

    job = moved(if_exists="replace")

    assert job.status == Status.SUCCESSFUL, job.error_message
    assert spaces.target.collections["books"].partitions == ["_default", "x", "y"]


def test_a_partition_that_is_new_when_the_slices_are_planned_stops_the_job_before_any_row(spaces, moved):
    """The source cannot list its partitions, so only the slices show that one has no name."""
    spaces.source.collections["books"].lists_partitions = False

    job = moved(partitions={"": "nameless", "ns_a": "a"})

    assert (job.status, job.error_code) == (Status.FAILED, "source_changed")
    assert "the partition “b c”, which has no name in the plan" in job.error_message
    assert spaces.target.requests == 0
