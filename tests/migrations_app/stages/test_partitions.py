"""Partitions by the value of a field: created, filled, continued and verified."""

from collections import Counter

import pyarrow as pa
import pytest

from migrations_app.engine.errors import TargetUnavailable
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.models import RejectedRow, TargetState
from migrations_app.models.status import Status
from migrations_app.worker import tasks
from tests.kit import MemoryCollection, MemoryTarget, memory_collection
from tests.migrations_app.conftest import SPECS

pytestmark = pytest.mark.django_db(transaction=True)
PLAN = {"source": "books", "partition_by": "lang"}


def books_in(langs: list[str | None]) -> MemoryCollection:
    number = len(langs)
    batch = pa.record_batch(
        {
            "id": pa.array(range(number), pa.int64()),
            "embedding": pa.array([[float(n), 0.5, -1.0] for n in range(number)], pa.list_(pa.float32(), 3)),
            "lang": pa.array(langs, pa.string()),
        }
    )
    lang = TypeSpec(MilvusType.VARCHAR, max_length=20)
    return memory_collection(batch, {**SPECS, "lang": lang}, key="id")


@pytest.fixture
def lang_world(world):
    """The world with 100 books in several languages, some without a language."""

    world.source.collections["books"] = books_in(["en", "de", None, "en-GB"] * 25)
    return world


def target_collection(world):
    return world.target.collections["books"]


def test_each_row_is_in_the_partition_of_its_value_and_this_is_verified(lang_world, work_off):
    job = lang_world.job(PLAN)
    tasks.prepare(job.pk)
    assert target_collection(lang_world).partitions == ["_default", "de", "en", "en_GB_fb1d"]
    work_off()

    job.refresh_from_db()
    assert job.status == Status.SUCCESSFUL, job.error
    assert Counter(target_collection(lang_world).partition_of.values()) == dict.fromkeys(
        ["de", "en", "en_GB_fb1d", "_default"], 25
    )
    (row,) = job.collections.all()
    assert row.plan["partitions"] == {"de": "de", "en": "en", "en-GB": "en_GB_fb1d"}
    check = row.checks[-1]
    assert (check["check"], check["passed"]) == ("rows_in_partitions", True)
    assert check["message"] == "4 partitions: each has exactly the rows of its value."


def test_rows_in_the_wrong_partition_fail_the_job_even_if_the_total_is_right(lang_world, work_off):
    job = lang_world.job(PLAN)
    tasks.prepare(job.pk)
    tasks.work(job.pk)
    target_collection(lang_world).sent_into.update({"de": -1, "en": 1})
    work_off()

    job.refresh_from_db()
    assert (job.status, job.error_code) == (Status.FAILED, "verify_mismatch")
    assert "“de” has 24 rows; the source has 25 with its value" in job.error_message


def test_an_interrupted_preparation_continues_with_the_missing_partitions(lang_world, monkeypatch):
    created = []
    create = MemoryTarget.create_partition

    def one_only(self, name, partition):
        if created:
            raise TargetUnavailable("The target went away.")
        created.append(partition)
        create(self, name, partition)

    monkeypatch.setattr(MemoryTarget, "create_partition", one_only)
    job = lang_world.job(PLAN)
    tasks.prepare(job.pk)
    (row,) = job.collections.all()
    assert (row.target_state, target_collection(lang_world).partitions) == (
        TargetState.CREATING,
        ["_default", "de"],
    )

    monkeypatch.setattr(MemoryTarget, "create_partition", create)
    type(job).objects.filter(pk=job.pk).update(not_before=None)
    tasks.prepare(job.pk)

    row.refresh_from_db()
    assert (row.target_state, target_collection(lang_world).partitions) == (
        TargetState.CREATED,
        ["_default", "de", "en", "en_GB_fb1d"],
    )


def test_rows_with_a_value_that_is_new_after_preparation_are_rejected_and_the_others_arrive(
    lang_world, work_off
):
    job = lang_world.job(PLAN)
    tasks.prepare(job.pk)
    lang_world.source.collections["books"] = books_in(["en", "fr", None, "en-GB"] * 25)
    work_off()

    job.refresh_from_db()
    assert job.status == Status.SUCCESSFUL, job.error
    assert set(RejectedRow.objects.values_list("code", flat=True)) == {"partition_unknown"}
    assert Counter(target_collection(lang_world).partition_of.values()) == dict.fromkeys(
        ["en", "en_GB_fb1d", "_default"], 25
    )


def test_a_resumed_job_leaves_the_written_rows_in_their_partitions(
    lang_world, work_off, pages_of_ten, settings
):
    settings.VECTORFERRY_SLICE_SECONDS = 0
    job = lang_world.job(PLAN)
    tasks.prepare(job.pk)
    tasks.work(job.pk)
    before = dict(target_collection(lang_world).partition_of)
    assert 0 < len(before) < 100
    settings.VECTORFERRY_SLICE_SECONDS = 60
    work_off()

    assert {slot: target_collection(lang_world).partition_of[slot] for slot in before} == before
    assert len(target_collection(lang_world).rows) == 100
