"""Stops of a pipeline: a slice that is paused, stopped and resumed."""

from __future__ import annotations

import threading
import time
from unittest import mock

import pyarrow as pa
import pytest

from migrations_app.engine.errors import (
    Canceled,
    Draining,
    LeaseLost,
    TargetUnavailable,
    TooManyRejected,
    UncleanStop,
)
from migrations_app.engine.pipeline.pipeline import SliceEnd
from migrations_app.engine.stop_token import Deadline, StopToken
from migrations_app.engine.targets.base import Request
from tests.engine.pipeline.moves import Move
from tests.kit import MemoryChannel, Mishap

ROWS = 200
ALL = list(range(ROWS))


def test_a_pause_writes_the_rows_already_read_and_the_next_run_continues_there(any_move: Move) -> None:
    runs = 1
    assert any_move.run(deadline=Deadline(0)) is SliceEnd.PAUSED
    while any_move.resume(any_move.ledger.checkpoint(), deadline=Deadline(0)) is SliceEnd.PAUSED:
        runs += 1
    assert runs >= 4
    assert any_move.written() == ALL
    assert any_move.ledger.checkpoint().counters.written == ROWS
    assert any_move.target_store.collections["books"].sent == ROWS


# There are eleven batches, and up to four of them are started: the eighth request may be the last.
@pytest.mark.parametrize("requests", range(1, 8))
def test_a_stop_after_any_request_leaves_a_checkpoint_from_which_the_rest_is_moved(
    any_move: Move, requests: int
) -> None:
    reason = Canceled("Stopped by the test.")
    any_move.target_store.on_request = lambda number: (
        any_move.stop.stop(reason) if number == requests else None
    )
    with pytest.raises(Canceled) as caught:
        any_move.run()
    assert caught.value is reason
    stored = any_move.ledger.checkpoint()
    assert any_move.mapping.upsert or not stored.repeated
    assert any_move.written()[: stored.counters.written] == list(range(stored.counters.written))
    assert any_move.resume(stored) is SliceEnd.DONE
    assert any_move.written() == ALL
    assert any_move.ledger.checkpoint().counters.written == ROWS


@pytest.mark.parametrize("requests", range(1, 9))
def test_the_counters_of_a_canceled_run_agree_with_the_target(any_move: Move, requests: int) -> None:
    """Also if a batch is slow to encode, or if the stop comes between the requests of one batch."""
    any_move.set_policy(max_in_flight=4)
    slow = iter([0.02, 0.0, 0.02] + [0.0] * 1000)
    encode = MemoryChannel.encode

    def encode_slowly(channel: MemoryChannel, rows: pa.RecordBatch, partition: str = "") -> Request:
        time.sleep(next(slow))
        return encode(channel, rows, partition)

    any_move.target_store.refuse = lambda row: "It is bad." if row["id"] in (25, 70) else ""
    any_move.target_store.on_request = lambda number: (
        any_move.stop.stop(Canceled("Stopped by the test.")) if number == requests else None
    )
    with mock.patch.object(MemoryChannel, "encode", encode_slowly), pytest.raises(Canceled):
        any_move.run()
    stored = any_move.ledger.checkpoint()
    assert stored.beyond.in_doubt == 0
    assert stored.repeated == (stored.beyond.counters.written > 0)
    known = stored.counters + stored.beyond.counters
    assert len(any_move.written()) == known.written
    assert known.read == known.written + known.rejected
    assert any_move.resume(stored) is SliceEnd.DONE
    assert any_move.ledger.checkpoint().counters.written == ROWS - 2


def test_rows_that_may_or_may_not_have_arrived_are_in_doubt(any_move: Move) -> None:
    any_move.set_policy(max_in_flight=1)
    reason = Canceled("Stopped by the test.")
    any_move.target_store.mishaps.append(Mishap.LOST)
    any_move.target_store.on_request = lambda number: any_move.stop.stop(reason)
    with pytest.raises(Canceled):
        any_move.run()
    stored = any_move.ledger.checkpoint()
    assert 0 < stored.beyond.in_doubt == any_move.ledger.in_flight_rows < ROWS
    assert stored.repeated


@pytest.mark.parametrize("mishap", [Mishap.BUSY, Mishap.UNAVAILABLE])
def test_with_auto_id_a_drained_slice_can_be_resumed_if_no_rows_were_written(
    auto_move: Move, mishap: Mishap
) -> None:
    auto_move.target_store.retry_after_seconds = 3600
    auto_move.target_store.mishaps += [mishap] * 100
    reason = Draining("Stopped by the test.")
    auto_move.target_store.on_request = lambda number: auto_move.stop.stop(reason)
    auto_move.set_policy(grace_seconds=0.05)
    with pytest.raises(Draining):
        auto_move.run()
    stored = auto_move.ledger.checkpoint()
    assert not stored.repeated
    auto_move.target_store.mishaps.clear()
    auto_move.target_store.on_request = lambda number: None
    assert auto_move.resume(stored) is SliceEnd.DONE
    assert auto_move.written() == ALL


def test_after_too_many_rejected_rows_all_rejected_and_written_rows_are_recorded(move: Move) -> None:
    move.target_store.refuse = lambda row: "It is bad." if row["id"] % 3 == 0 else ""
    with pytest.raises(TooManyRejected):
        move.run(max_rejected=5)
    stored = move.ledger.checkpoint()
    known = stored.counters + stored.beyond.counters
    locators = [row.locator for row in (*stored.rejected, *stored.beyond.rejected)]
    assert len(locators) == len(set(locators)) == known.rejected > 5
    assert known.written == len(move.written()) > 0
    assert stored.beyond.in_doubt == 0


def test_a_single_writer_target_never_gets_two_requests_at_once(any_move: Move) -> None:
    with mock.patch.object(MemoryChannel, "single_writer", True):
        assert any_move.run() is SliceEnd.DONE
    assert any_move.target_store.peak_in_flight == 1
    assert any_move.written() == ALL


def test_no_batch_is_started_after_a_stop(move: Move) -> None:
    move.set_policy(max_in_flight=2)
    move.target_store.on_request = lambda number: move.stop.stop(LeaseLost("Lost."))
    with pytest.raises(LeaseLost):
        move.run()
    assert move.target_store.requests <= 2


def test_a_stop_after_the_last_row_changes_nothing(move: Move) -> None:
    original = move.ledger.acknowledge

    def acknowledge(sequence: int, *facts: object, **more: object) -> None:
        original(sequence, *facts, **more)  # type: ignore[arg-type]
        if move.ledger.checkpoint().counters.written == ROWS:
            move.stop.stop(Canceled("Too late."))

    move.ledger.acknowledge = acknowledge  # type: ignore[method-assign, assignment]
    assert move.run() is SliceEnd.DONE


def test_a_stop_ends_the_wait_for_a_busy_target(move: Move) -> None:
    move.target_store.retry_after_seconds = 3600
    move.target_store.mishaps.append(Mishap.BUSY)
    move.target_store.on_request = lambda number: threading.Timer(0.05, stop, [move.stop]).start()
    with pytest.raises(Canceled):
        move.run()


def test_a_stop_waits_for_a_request_in_flight_no_longer_than_its_timeout(any_move: Move) -> None:
    any_move.set_policy(request_timeout_seconds=0.05, max_in_flight=1)
    any_move.target_store.gate.clear()
    any_move.target_store.on_request = lambda number: any_move.stop.stop(Canceled("Stopped by the test."))
    with pytest.raises(Canceled):
        any_move.run()
    assert any_move.target_store.requests == 1
    assert any_move.ledger.checkpoint().repeated, "the rows may or may not have been written"


def stop(token: StopToken) -> None:
    token.stop(Canceled("Stopped by the test."))


def test_a_stop_ends_the_read_early(move: Move) -> None:
    pages: list[int] = []
    move.source_store.before_page = pages.append
    move.target_store.on_request = lambda number: move.stop.stop(Draining("Stopped by the test."))
    with pytest.raises(Draining):
        move.run()
    assert len(pages) < 10


def test_with_auto_id_a_drain_with_requests_out_of_order_is_an_unclean_stop(auto_move: Move) -> None:
    auto_move.set_policy(max_in_flight=2, grace_seconds=0.01)
    gate = threading.Event()
    landed = threading.Event()

    def on_request(number: int) -> None:
        if number == 1:
            landed.wait(5)
            auto_move.stop.stop(Draining("Stopped by the test."))
            gate.set()
            raise TargetUnavailable("Not there.", retry_after_seconds=3600)
        if number == 3:
            landed.set()
            gate.wait(5)

    auto_move.target_store.on_request = on_request
    with pytest.raises(UncleanStop) as caught:
        auto_move.run()
    assert "accepted out of order" in caught.value.message
