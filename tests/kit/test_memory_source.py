"""Memory source: it meets the source contract, and its faults happen as requested."""

from collections.abc import Iterator
from copy import copy
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from migrations_app.engine.errors import AuthRefused, HostUnknown, SourceUnavailable
from migrations_app.engine.model.batch import Batch, CollectionRef, ReadColumn, ReadPlan
from migrations_app.engine.model.target_schema import TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.read_context import ReadContext
from tests.kit import (
    BadSettings,
    JsonSource,
    MemorySource,
    MemoryStore,
    MinimalSource,
    SourceCase,
    SourceContract,
    memory_collection,
    memory_store,
)
from tests.kit.memory_source import partitioned_by

ROWS = 240
SPECS = {
    "id": TypeSpec(MilvusType.INT64),
    "title": TypeSpec(MilvusType.VARCHAR, max_length=512),
    "embedding": TypeSpec(MilvusType.FLOAT_VECTOR, dim=8),
    "payload": TypeSpec(MilvusType.JSON),
}
SHELF = TypeSpec(MilvusType.VARCHAR, max_length=16)
HARD_TEXTS = ["", "naïve", "日本語", "🦊 fox", "a\x01\n\t\"'\\", None]


def books(rows: int = ROWS) -> pa.RecordBatch:
    vectors = pa.array([[float(n), *[0.5] * 7] for n in range(rows)], pa.list_(pa.float32(), 8))
    titles = pa.array([HARD_TEXTS[n % len(HARD_TEXTS)] for n in range(rows)], pa.string())
    ids, cover = pa.array(range(rows), pa.int64()), pa.array([b"\x89PNG"] * rows, pa.binary())
    numbers = [str(n) if n % 3 else '"three"' for n in range(rows)]
    payload = pa.array([f'{{"n": {n}, "in": {{"é": 1.0}}}}' for n in numbers], pa.string())
    payload = pc.if_else(pa.array([n % 7 != 6 for n in range(rows)], pa.bool_()), payload, None)
    names = ["id", "title", "embedding", "cover", "payload"]
    return pa.RecordBatch.from_arrays([ids, titles, vectors, cover, payload], names)


@pytest.fixture
def store() -> MemoryStore:
    full, empty = (memory_collection(books(rows), SPECS, "id", rest="payload") for rows in (ROWS, 0))
    return MemoryStore({"books": full, "empty": empty}, password="s3cret-word")


class TestMemorySource(SourceContract):
    source_class = MemorySource
    # What is special to the collections of this source.
    facts: ClassVar[dict[str, object]] = {}

    @pytest.fixture
    def case(self, store: MemoryStore) -> Iterator[SourceCase]:
        for collection in store.collections.values():
            for name, value in self.facts.items():
                setattr(collection, name, copy(value))
        with memory_store(store) as settings:
            yield SourceCase(
                self.source_class,
                {"store": settings.store, "password": "s3cret-word"},
                full=CollectionRef("books"),
                rows=ROWS,
                empty=CollectionRef("empty"),
                missing=CollectionRef("gone"),
                bad=(
                    BadSettings({"store": "nowhere"}, HostUnknown, "store"),
                    BadSettings({"password": "wr0ng-word"}, AuthRefused, "password"),
                ),
                expected={
                    "0": {"id": 0, "title": "", "embedding": [0.0, *[0.5] * 7]},
                    "3": {"title": "🦊 fox", "payload": '{"n": "three", "in": {"é": 1.0}}'},
                    "6": {"payload": None},
                    "4": {"title": "a\x01\n\t\"'\\"},
                    "5": {"title": None},
                },
                secrets=("s3cret-word",),
                batch_bytes=2048,
                not_selectable=frozenset({"empty"}),
            )


@pytest.fixture
def source(store: MemoryStore) -> Iterator[MemorySource]:
    with memory_store(store) as settings:
        yield MemorySource(settings)


PLAN = ReadPlan(tuple(ReadColumn(name, spec) for name, spec in SPECS.items()), ("id",), 2048)
BOOKS = CollectionRef("books")


class TestMinimalSource(TestMemorySource):
    """A source without optional abilities meets the same contract."""

    source_class = MinimalSource


class TestJsonSource(TestMemorySource):
    source_class = JsonSource


class TestSourceThatCountsLate(TestMemorySource):
    facts: ClassVar[dict[str, object]] = {"count_lag": 3}


class TestSourceWithEmptyPages(TestMemorySource):
    facts: ClassVar[dict[str, object]] = {"empty_pages": True}


class TestSourceThatCannotResume(TestMemorySource):
    facts: ClassVar[dict[str, object]] = {"resumable": False}


class TestSourceWithoutKey(TestMemorySource):
    facts: ClassVar[dict[str, object]] = {"key": None}


class TestSourceThatIsInterrupted(TestMemorySource):
    """It asks to slow down, and loses the connection, in the first read of some rows."""

    facts: ClassVar[dict[str, object]] = {"busy": [60, 61], "breaks": [150], "retry_after_seconds": 0.01}


class TestSourceWithPartitions(TestMemorySource):
    @pytest.fixture
    def store(self, store: MemoryStore) -> MemoryStore:
        for name, collection in store.collections.items():
            shelves = pa.array([["", "a-1", "b 2"][row % 3] for row in range(collection.rows.num_rows)])
            rows = collection.rows.append_column("shelf", shelves.cast(pa.string()))
            with_shelf = memory_collection(rows, {**SPECS, "shelf": SHELF}, "id", rest="payload")
            store.collections[name] = partitioned_by("shelf", with_shelf)
        return store


class TestSourceWithASchemaToCopy(TestMemorySource):
    fields = (TargetField(name, spec, is_key=name == "id") for name, spec in SPECS.items())
    facts: ClassVar[dict[str, object]] = {"exact": TargetSchema("books", tuple(fields))}


def test_a_read_breaks_at_the_given_row_and_continues_after_its_cursor(
    store: MemoryStore, source: MemorySource
) -> None:
    store.collections["books"].breaks.append(150)
    (part,) = source.slices(BOOKS, 1, ReadContext())
    batches: list[Batch] = []
    with pytest.raises(SourceUnavailable):
        batches.extend(source.read(BOOKS, part, None, PLAN, ReadContext()))
    batches += source.read(BOOKS, part, batches[-1].after, PLAN, ReadContext())
    assert [row for batch in batches for row in batch.rows.column("id").to_pylist()] == list(range(ROWS))


def test_a_row_that_the_source_cannot_read_is_rejected(store: MemoryStore, source: MemorySource) -> None:
    store.collections["books"].unreadable = frozenset({7, 8})
    (part,) = source.slices(BOOKS, 1, ReadContext())
    batches = list(source.read(BOOKS, part, None, PLAN, ReadContext()))
    assert [r.locator for batch in batches for r in batch.rejected] == ["7", "8"]
    assert sum(batch.rows.num_rows for batch in batches) == ROWS - 2


def test_a_collection_whose_rows_cannot_be_read_is_not_empty(store: MemoryStore) -> None:
    rows = books(2).set_column(4, "payload", pa.array(['{"n": 1e400}'] * 2))
    store.collections["odd"] = memory_collection(rows, SPECS, "id", rest="payload")
    with memory_store(store) as settings, JsonSource(settings) as source:
        assert source.describe(CollectionRef("odd"), 100, ReadContext()).sample.num_rows == 0
        assert source.has_rows(CollectionRef("odd"), ReadContext())


def test_a_field_without_a_type_is_left_out_with_the_reason(source: MemorySource) -> None:
    cover = source.describe(BOOKS, 100, ReadContext()).field("cover")
    assert cover is not None
    assert not cover.choices
    assert cover.left_out == "Milvus has no type for it."


def test_several_key_columns_are_joined_in_the_locator(store: MemoryStore, source: MemorySource) -> None:
    store.collections["pairs"] = memory_collection(books(2), SPECS, ("id", "title"))
    pairs = CollectionRef("pairs")
    (part,) = source.slices(pairs, 1, ReadContext())
    (batch,) = source.read(pairs, part, None, PLAN, ReadContext())
    assert batch.locators.to_pylist() == ["0/", "1/naïve"]
