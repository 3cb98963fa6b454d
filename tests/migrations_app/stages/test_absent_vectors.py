"""Rows that lack one of several vectors: kept, skipped or rejected as the plan says, and counted exactly."""

import pyarrow as pa
import pytest

from migrations_app.engine.model.types import MilvusType, TypeSpec, arrow_type
from migrations_app.models import JobCollection, RejectedRow
from migrations_app.models.status import Status
from tests.kit import memory_collection
from tests.migrations_app.conftest import SPECS

pytestmark = pytest.mark.django_db(transaction=True)

SPARSE = TypeSpec(MilvusType.SPARSE_FLOAT_VECTOR)
ENTRY = [{"index": 7, "value": 0.25}]


@pytest.fixture
def moved(world, finished):
    """Return a function that moves 300 books and returns the job after its end.

    Each of the books 0 to 199 lacks the vector ``words``, each of the books 150 to 249 the vector
    ``embedding``: 250 lack one of them.
    """
    numbers = range(300)
    embedding = [None if 150 <= n < 250 else [float(n), 0.5, -1.0] for n in numbers]
    batch = pa.record_batch(
        {
            "id": pa.array(numbers, pa.int64()),
            "embedding": pa.array(embedding, pa.list_(pa.float32(), 3)),
            "words": pa.array([None if n < 200 else ENTRY for n in numbers], arrow_type(SPARSE)),
        }
    )
    world.source.collections["books"] = memory_collection(batch, {**SPECS, "words": SPARSE}, key="id")

    def moved(embedding=None, words=None, **plan):
        fields = [
            {"source": "id"},
            {"source": "embedding", "absent": embedding},
            {"source": "words", "absent": words},
        ]
        return finished({"source": "books", "fields": fields, **plan}, max_rejected=None, max_skipped=1)

    return moved


def counters(job):
    row = JobCollection.objects.with_counters().get(job=job)
    return row.rows_read, row.rows_written, row.rows_skipped, row.rows_rejected


def test_no_row_is_lost_if_absent_vectors_are_stored_as_null_and_empty(world, moved):
    job = moved(embedding="null", words="empty")

    assert job.status == Status.SUCCESSFUL, job.error_message
    assert counters(job) == (300, 300, 0, 0)
    rows = world.target.collections["books"].rows
    assert (rows[0]["words"], rows[160]["embedding"], rows[299]["words"]) == ([], None, ENTRY)
    assert job.collections.get().verified


@pytest.mark.parametrize(
    ("rules", "skipped", "rejected"),
    [
        ({}, 250, 0),
        ({"absent_vectors": "reject"}, 0, 250),
        ({"skip_null_vectors": False}, 0, 250),  # a plan of an earlier version
        ({"embedding": "skip", "words": "reject"}, 100, 150),
        ({"embedding": "reject", "words": "empty"}, 0, 100),
    ],
)
def test_skipped_and_rejected_rows_are_counted_exactly(world, moved, rules, skipped, rejected):
    job = moved(**rules)

    assert job.status == Status.SUCCESSFUL, job.error_message
    assert counters(job) == (300, 300 - skipped - rejected, skipped, rejected)
    assert set(RejectedRow.objects.values_list("code", flat=True)) <= {"null_vector"}
    assert RejectedRow.objects.count() == rejected


def test_the_rows_are_announced_before_the_first_one_is_moved(moved):
    job = moved(embedding="skip", words="reject")

    notes = [message for message in job.log.values_list("message", flat=True) if "lack" in message]
    assert notes == [
        "books: 100 of 300 rows lack “embedding” and will be skipped.",
        "books: Of the other rows, 150 lack “words” and will be rejected.",
    ]


def test_a_job_that_would_move_no_row_is_refused_before_anything_is_written(world, moved):
    rows = world.source.collections["books"].rows
    world.source.collections["books"].rows = rows.slice(0, 250)

    job = moved()

    assert (job.status, job.error_code) == (Status.FAILED, "no_row_has_vectors")
    assert "All 250 rows lack “embedding” or “words”" in job.error_message
    assert world.target.collections == {}
