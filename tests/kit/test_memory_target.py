"""Memory target: it follows the rules of Milvus, so that a real Milvus accepts what it accepts."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from migrations_app.engine.errors import (
    AuthRefused,
    DatabaseMissing,
    HostUnknown,
    RowsRefused,
    TargetBusy,
    TargetChanged,
    TargetError,
    TargetUnavailable,
    UnknownOutcome,
)
from migrations_app.engine.model.target_schema import IndexSpec
from migrations_app.engine.read_context import ReadContext
from tests.engine.pipeline.moves import books, books_mapping
from tests.kit import MemoryDatabase, MemoryTarget, MemoryTargetSettings, Mishap, memory_database

KEYED = books_mapping().target
AUTO_ID = books_mapping(auto_id=True).target


@pytest.fixture
def target() -> Iterator[MemoryTarget]:
    store = MemoryDatabase(token="t0ken-word")
    with memory_database(store) as settings, MemoryTarget(settings) as target:
        target.create(KEYED)
        yield target


def send(target: MemoryTarget, rows: pa.RecordBatch, *, upsert: bool = True) -> int:
    channel = target.channel(KEYED if upsert else AUTO_ID, upsert=upsert)
    return channel.send(channel.encode(rows), 1)


def loaded_count(target: MemoryTarget) -> int:
    target.create_index("books", IndexSpec("embedding"))
    target.load("books")
    return target.count("books")


def test_wrong_settings_are_refused_and_the_error_names_their_field(target: MemoryTarget) -> None:
    with pytest.raises(HostUnknown) as unknown:
        MemoryTarget(MemoryTargetSettings(store="nowhere")).check(ReadContext())
    assert unknown.value.field == "store"
    wrong = target.settings.model_copy(update={"token": "wr0ng"}).model_dump()
    with pytest.raises(AuthRefused) as refused:
        MemoryTarget(MemoryTargetSettings.model_validate(wrong)).check(ReadContext())
    assert refused.value.field == "token"
    assert "t0ken-word" not in repr(target.settings)
    with pytest.raises(DatabaseMissing):
        MemoryTarget(target.settings, "elsewhere").check(ReadContext())


def test_a_collection_is_created_once_described_and_dropped(target: MemoryTarget) -> None:
    assert target.collections() == ("books",)
    assert target.describe("books") == KEYED
    with pytest.raises(TargetError):
        target.create(KEYED)
    target.drop("books")
    target.drop("books")
    assert target.describe("books") is None


def test_upsert_keeps_one_row_per_key_and_statistics_count_every_sent_row(target: MemoryTarget) -> None:
    assert send(target, books(10)) == send(target, books(10)) == 10
    assert loaded_count(target) == 10
    assert target.row_statistics("books") == 20


def test_insert_with_auto_id_keeps_every_row(target: MemoryTarget) -> None:
    target.drop("books")
    target.create(AUTO_ID)
    send(target, books(10), upsert=False)
    send(target, books(10), upsert=False)
    assert loaded_count(target) == 20


def test_count_needs_a_loaded_collection_and_load_needs_an_index(target: MemoryTarget) -> None:
    with pytest.raises(TargetError, match="no index"):
        target.load("books")
    with pytest.raises(TargetError, match="not loaded"):
        target.count("books")
    assert loaded_count(target) == 0
    assert target.load_state("books").is_loaded
    assert [state.spec.field for state in target.indexes("books")] == ["embedding"]
    target.release("books")
    target.drop_index("books", "embedding")
    assert not target.load_state("books").is_loaded
    assert target.indexes("books") == ()


@pytest.mark.parametrize(
    ("mishap", "error", "landed"),
    [
        (Mishap.BUSY, TargetBusy, 0),
        (Mishap.UNAVAILABLE, TargetUnavailable, 0),
        (Mishap.LOST, UnknownOutcome, 0),
        (Mishap.LOST_BUT_LANDED, UnknownOutcome, 10),
    ],
)
def test_a_mishap_affects_one_request(
    target: MemoryTarget, mishap: Mishap, error: type[TargetError], landed: int
) -> None:
    target.store.mishaps.append(mishap)
    with pytest.raises(error):
        send(target, books(10))
    assert target.row_statistics("books") == landed
    assert send(target, books(10)) == 10


def test_one_refused_row_makes_the_whole_request_fail(target: MemoryTarget) -> None:
    target.store.refuse = lambda row: "No." if row["id"] == 4 else ""
    with pytest.raises(RowsRefused):
        send(target, books(10))
    assert target.row_statistics("books") == 0


def test_rows_for_a_dropped_collection_are_refused(target: MemoryTarget) -> None:
    target.drop("books")
    with pytest.raises(TargetChanged):
        send(target, books(1))


def test_a_request_that_waits_too_long_has_an_unknown_outcome(target: MemoryTarget) -> None:
    target.store.gate.clear()
    channel = target.channel(KEYED, upsert=True)
    with pytest.raises(UnknownOutcome):
        channel.send(channel.encode(books(1)), 0.01)
