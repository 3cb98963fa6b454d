"""Preflight of a source without optional abilities: what it cannot tell is unknown, not none."""

from dataclasses import replace

import pyarrow as pa
import pytest

from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.model.plan import Plan
from migrations_app.engine.model.types import TypeSpec
from migrations_app.engine.planning.document_keys import describe_with_keys
from migrations_app.engine.preflight import Preflight, check_plan
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.reading import measure
from tests.engine.preflight.preflights import T
from tests.kit import (
    MemoryDatabase,
    MemoryStore,
    MemoryTarget,
    MinimalSource,
    memory_collection,
    memory_database,
    memory_store,
    partitioned_by,
)

SPECS = {"id": TypeSpec(T.INT64), "v": TypeSpec(T.FLOAT_VECTOR, dim=2), "t": TypeSpec(T.VARCHAR)}
ROWS = pa.RecordBatch.from_pydict(
    {
        "id": pa.array([1, 2], pa.int64()),
        "v": pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2)),
        "t": pa.array(["x", "y"]),
    }
)


def store() -> MemoryStore:
    books = memory_collection(ROWS, SPECS, "id")
    unlisted = replace(partitioned_by("t", books), lists_partitions=False)
    return MemoryStore({"books": books, "unlisted": unlisted})


def checked(**collection: object) -> Preflight:
    plan = {
        "version": 1,
        "source": {"kind": "memory"},
        "target": {"kind": "memory"},
        "collections": [{"source": "books", **collection}],
    }
    with (
        memory_store(store()) as source_settings,
        memory_database(MemoryDatabase()) as target_settings,
        MinimalSource(source_settings) as source,
        MemoryTarget(target_settings, "default") as target,
    ):
        return check_plan(Plan.model_validate(plan), source, target, ReadContext())


def test_what_the_source_cannot_tell_is_read_from_a_few_rows():
    found = checked(partition_by="t")
    assert found.faults == ()
    (note,) = [note for note in found.collections[0].notes if "lack" in note]
    assert note == "1 of 2 rows lacks “v” and will be skipped."
    assert found.collections[0].plan.partitions == {"x": "x", "y": "y"}


def test_nulls_among_too_many_rows_are_called_unknown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(measure, "MAX_ROWS", 1)
    found = checked()
    assert found.faults == ()
    (note,) = [note for note in found.collections[0].notes if "lack" in note]
    assert note == "The source cannot count the rows that lack “v”. Such rows will be skipped."


def test_partitions_that_the_source_cannot_list_are_merged_with_a_note():
    (found,) = checked(source="unlisted").collections
    assert found.plan.partitions is None
    assert any(note.startswith("The source cannot list its partitions, so the") for note in found.notes)
    for written in ({}, {"x": "x", "y": "y"}):
        (found,) = checked(source="unlisted", partitions=written).collections
        assert found.plan.partitions == written
        assert not any(note.startswith("The source cannot list") for note in found.notes)


def test_values_that_cannot_be_listed_cannot_name_partitions(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(measure, "MAX_ROWS", 1)
    with memory_store(store()) as settings, MinimalSource(settings) as source:
        assert not describe_with_keys(source, CollectionRef("books"), (), ReadContext()).lists_values
    found = checked(partition_by="t")
    (fault,) = found.faults
    assert (fault.code, fault.path) == ("partition_by_unavailable", "collections[0].partition_by")
    assert fault.fixes
