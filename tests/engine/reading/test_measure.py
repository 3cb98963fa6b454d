"""Questions about all rows, answered by reading them."""

import time

import pyarrow as pa
import pytest

from migrations_app.engine.errors import Canceled, SourceChanged
from migrations_app.engine.model.batch import CollectionRef, ReadColumn
from migrations_app.engine.model.joined_key_text import PART
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.reading import measure as measuring
from migrations_app.engine.reading.measure import measure
from migrations_app.engine.sources.base import KeyRows, MeasureRequest, Measures
from tests.kit import MemorySource, MemoryStore, MinimalSource, memory_collection, memory_store

ROWS = pa.RecordBatch.from_pydict(
    {
        "id": pa.array([3, 1, 3, None, 2**53 + 1], pa.int64()),
        "v": pa.array([[1.0, 2.0], None, [3.0], [4.0, 5.0], [6.0, 7.0]], pa.list_(pa.float32())),
        "t": pa.array(["x", "y", "x", None, ""]),
    }
)
SPECS = {
    "id": TypeSpec(MilvusType.INT64),
    "v": TypeSpec(MilvusType.FLOAT_VECTOR),
    "t": TypeSpec(MilvusType.VARCHAR),
}
PLAN = CollectionPlan.model_validate(
    {
        "source": "books",
        "key": "id",
        "fields": [
            {"source": "id", "target": "id", "type": "INT64"},
            {"source": "v", "target": "v", "type": "FLOAT_VECTOR"},
            {"source": "t", "target": "t", "type": "VARCHAR", "max_length": 100},
        ],
    }
)
EVERYTHING = MeasureRequest(
    ("v",),
    ("id", "v", "t"),
    ("id",),
    KeyRows((ReadColumn("id", PART),), ("id", "v")),
    absent_of=(("v",), ("t",), ("v", "t")),
)


def answers(wanted: MeasureRequest, ctx: ReadContext | None = None, **facts: object) -> Measures:
    store = MemoryStore({"books": memory_collection(ROWS, SPECS, "id")}, **facts)
    with memory_store(store) as settings, MinimalSource(settings) as source:
        return measure(source, PLAN, wanted, ctx or ReadContext())


def test_the_answers_are_those_of_a_source_that_can_measure():
    with memory_store(MemoryStore({"books": memory_collection(ROWS, SPECS, "id")})) as settings:
        for wanted in (EVERYTHING, MeasureRequest(values_of="t", at_most=10)):
            expected = MemorySource(settings).measure(CollectionRef("books"), wanted, ReadContext())
            assert answers(wanted) == expected


def test_a_question_about_a_field_that_is_not_moved_stays_open():
    assert answers(MeasureRequest(nulls_of=("id", "other"))).nulls == {"id": 1}


def test_too_many_rows_leave_the_questions_open(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(measuring, "MAX_ROWS", 4)
    assert answers(EVERYTHING) == Measures()


def test_a_slow_source_leaves_the_questions_open(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(measuring, "SECONDS", 0.05)
    assert answers(EVERYTHING, before_page=lambda row: time.sleep(0.2)) == Measures()


def test_a_stop_ends_the_scan():
    ctx = ReadContext()
    with pytest.raises(Canceled):
        answers(EVERYTHING, ctx, before_page=lambda row: ctx.stop.stop(Canceled("Stopped by the test.")))


def test_a_missing_collection_is_reported():
    with memory_store(MemoryStore()) as settings, pytest.raises(SourceChanged):
        measure(MinimalSource(settings), PLAN, EVERYTHING, ReadContext())
