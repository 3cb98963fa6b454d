"""Existing collections: the number of their rows, as a dialog shows it."""

from dataclasses import replace

import pytest

from migrations_app.engine.errors import TargetError
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.target_schema import IndexSpec, TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.preflight.scans.existing import check_partitions, rows_in
from tests.kit.memory_target import MemoryDatabase, MemoryRows, MemoryTarget, memory_database

FIELDS = (
    TargetField("id", TypeSpec(MilvusType.INT64), is_key=True),
    TargetField("v", TypeSpec(MilvusType.FLOAT_VECTOR, dim=2)),
)


@pytest.fixture
def target():
    """A collection with three rows, one of which was sent twice."""
    rows = {n: {"id": n, "v": [0.0, 1.0]} for n in range(3)}
    store = MemoryDatabase(collections={"books": MemoryRows(TargetSchema("books", FIELDS), rows, sent=4)})
    with memory_database(store) as settings:
        yield MemoryTarget(settings)


def test_a_collection_that_is_not_loaded_is_counted_by_its_statistics_and_left_unchanged(target):
    found = rows_in(target, "books")
    assert (found.rows, found.is_exact, str(found)) == (4, False, "“books” (about 4 rows)")
    assert not target.indexes("books")


def test_a_loaded_collection_is_counted(target):
    target.create_index("books", IndexSpec("v"))
    target.load("books")
    found = rows_in(target, "books")
    assert (found.rows, found.is_exact, str(found)) == (3, True, "“books” (3 rows)")


def test_a_collection_is_counted_if_that_needs_no_load(target):
    target.store.capabilities = replace(target.store.capabilities, count_needs_load=False)
    assert rows_in(target, "books").is_exact


def test_the_statistics_are_shown_if_the_count_is_refused(target, monkeypatch):
    def refuses(self, name):
        raise TargetError("No right to query.")

    target.create_index("books", IndexSpec("v"))
    target.load("books")
    monkeypatch.setattr(MemoryTarget, "count", refuses)
    assert str(rows_in(target, "books")) == "“books” (about 4 rows)"


@pytest.mark.parametrize(
    ("names", "is_refused"),
    [({"a": "one", "b": "two"}, False), ({"a": "one", "b": "two", "c": "three"}, True)],
)
def test_an_existing_collection_gets_no_more_partitions_than_its_target_allows(target, names, is_refused):
    target.create_partition("books", "one")
    target.store.capabilities = replace(target.store.capabilities, max_partitions=3)
    plan = CollectionPlan(source="a", target="books", if_exists="append", key="id", partitions=names)

    found = list(check_partitions(plan, target, {"books"}))

    assert [(fault.code, fault.path) for fault in found] == [
        ("too_many_partitions", "partitions")
    ] * is_refused


def test_rows_are_not_added_outside_the_partitions_of_a_collection(target):
    target.create_partition("books", "one")
    plan = CollectionPlan(source="a", target="books", if_exists="append", key="id", partitions={})

    (fault,) = check_partitions(plan, target, {"books"})

    assert (fault.code, fault.path) == ("partitions_there", "partition_by")
