"""Pipeline: moves the rows of one slice, and handles errors of source and target."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from migrations_app.engine.errors import (
    Draining,
    SourceChanged,
    SourceUnavailable,
    TargetChanged,
    TargetUnavailable,
    TooManyRejected,
    UncleanStop,
)
from migrations_app.engine.mapping import MappedBatch, Mapping
from migrations_app.engine.model.batch import Batch
from migrations_app.engine.model.counters import Counters
from migrations_app.engine.pipeline.pipeline import SliceEnd
from migrations_app.engine.stop_token import Deadline
from tests.engine.pipeline.moves import Move, move_of_books, wait_until
from tests.kit import Mishap

ROWS = 200
ALL = list(range(ROWS))


def test_every_row_arrives_and_is_counted(any_move: Move) -> None:
    assert any_move.run() is SliceEnd.DONE
    assert any_move.written() == ALL
    done = any_move.ledger.checkpoint()
    assert (done.counters.read, done.counters.written, done.counters.rejected) == (ROWS, ROWS, 0)
    assert done.counters.bytes_written > 0
    assert done.after == ROWS
    assert not done.repeated
    assert any_move.target_store.requests >= 4


def test_a_slice_without_rows_is_done_at_once(move: Move) -> None:
    assert move.run(after=ROWS) is SliceEnd.DONE
    assert move.target_store.requests == 0


def test_several_requests_are_in_flight_but_never_more_than_allowed(move: Move) -> None:
    move.set_policy(max_in_flight=2)
    both_in_flight = threading.Barrier(2, timeout=10)
    move.target_store.on_request = lambda number: both_in_flight.wait() if number <= 2 else None
    move.run()
    assert move.target_store.peak_in_flight == 2


# ---------------------------------------------------------------- rejected and skipped rows


def test_rows_rejected_by_source_mapping_and_target_are_stored_with_their_reason(move: Move) -> None:
    move.collection.unreadable = frozenset({3})
    move.add_faults(reject=(30, 31), skip=(32,))
    move.target_store.refuse = lambda row: "Book 77 is forbidden." if row["id"] == 77 else ""
    assert move.run(max_rejected=4) is SliceEnd.DONE
    done = move.ledger.checkpoint()
    assert done.counters == Counters(
        read=ROWS, written=ROWS - 5, rejected=4, skipped=1, bytes_written=done.counters.bytes_written
    )
    by_locator = {row.locator: row for row in done.rejected}
    assert sorted(by_locator, key=int) == ["3", "30", "31", "77"]
    assert by_locator["30"].field == "title"
    assert "600 bytes" in by_locator["30"].reason
    assert by_locator["77"].reason == "Book 77 is forbidden."
    assert '"title":"Book 77"' in by_locator["77"].row
    assert move.written() == [n for n in ALL if n not in (3, 30, 31, 32, 77)]


def test_one_rejected_row_too_many_fails_the_slice_and_is_stored_with_its_batch(move: Move) -> None:
    move.add_faults(reject=(10, 150, 151))
    with pytest.raises(TooManyRejected) as caught:
        move.run(max_rejected=2)
    assert "151" in caught.value.message
    stored = move.ledger.checkpoint()
    assert {"10", "150", "151"} <= {row.locator for row in stored.rejected}
    assert stored.counters.written + stored.counters.rejected == stored.counters.read < ROWS
    assert move.resume(stored, max_rejected=None) is SliceEnd.DONE
    assert move.written() == [n for n in ALL if n not in (10, 150, 151)]


def test_if_no_rejected_rows_are_allowed_the_first_one_fails_the_slice(move: Move) -> None:
    move.add_faults(reject=(0,))
    with pytest.raises(TooManyRejected):
        move.run(max_rejected=0)
    assert move.ledger.checkpoint().counters.rejected == 1


def test_a_target_that_refuses_everything_does_not_get_every_row(move: Move) -> None:
    move.target_store.refuse = lambda row: "No."
    with pytest.raises(TooManyRejected) as caught:
        move.run(max_rejected=5)
    assert caught.value.message.endswith("No.")
    assert move.target_store.requests < 60
    assert move.ledger.checkpoint().after is None


# ---------------------------------------------------------------- errors of the source


def test_an_interrupted_read_continues_after_its_last_cursor(any_move: Move) -> None:
    any_move.collection.breaks += [0, 50, 51, 199]
    assert any_move.run() is SliceEnd.DONE
    assert any_move.written() == ALL
    assert any_move.target_store.collections["books"].sent == ROWS
    assert not any_move.ledger.checkpoint().repeated
    warnings = [message for level, message in any_move.logged if level == "warning"]
    assert len(warnings) == 4
    assert warnings[0].startswith(
        "Reading “books” was interrupted (The store went away at row 0): it continues in "
    )


def test_an_unavailable_source_fails_the_slice_after_the_last_try(move: Move) -> None:
    move.collection.breaks += [60] * 5
    with pytest.raises(SourceUnavailable):
        move.run()
    stored = move.ledger.checkpoint()
    assert 0 < stored.after <= 60
    assert stored.counters.written == stored.after, "the rows read before the error are written"
    assert move.resume(stored) is SliceEnd.DONE
    assert move.written() == ALL


def test_an_error_that_is_not_retryable_is_raised_at_once(move: Move) -> None:
    def fail_after_row_100(row: int) -> None:
        if row > 100:
            raise SourceChanged("The table is gone.")

    move.source_store.before_page = fail_after_row_100
    with pytest.raises(SourceChanged):
        move.run()
    assert move.logged == []


def test_a_slice_that_cannot_be_resumed_starts_over_with_an_empty_ledger(move: Move) -> None:
    move.collection.resumable = False
    move.add_faults(reject=(5,))
    move.collection.breaks += [100, 150]
    assert move.run(max_rejected=1) is SliceEnd.DONE
    done = move.ledger.checkpoint()
    assert (done.counters.read, done.counters.written, done.counters.rejected) == (ROWS, ROWS - 1, 1)
    assert [row.locator for row in done.rejected] == ["5"]
    assert done.restarts == 2
    assert done.repeated
    assert move.written() == [n for n in ALL if n != 5]


def test_a_slice_that_fails_after_each_start_does_not_start_over_forever(move: Move) -> None:
    move.collection.resumable = False
    move.collection.breaks += [100] * 50
    with pytest.raises(SourceUnavailable):
        move.run()
    assert len(move.logged) == move.policy.retry.tries - 1


def test_a_slice_that_cannot_be_resumed_is_not_paused(move: Move) -> None:
    move.collection.resumable = False
    assert move.run(deadline=Deadline(0)) is SliceEnd.DONE
    assert move.written() == ALL


def test_a_slice_that_cannot_be_resumed_discards_the_counters_of_an_earlier_worker(move: Move) -> None:
    move.collection.resumable = False
    drain_at_third_request(move)
    with pytest.raises(Draining):
        move.run()
    stored = move.ledger.checkpoint()
    move.target_store.on_request = lambda number: None
    assert move.resume(stored) is SliceEnd.DONE
    done = move.ledger.checkpoint()
    assert done.counters.read == done.counters.written == ROWS
    assert done.restarts == 1


def drain_at_third_request(move: Move) -> None:
    move.target_store.on_request = lambda number: (
        move.stop.stop(Draining("Stopped by the test.")) if number == 3 else None
    )


def test_with_auto_id_a_slice_that_cannot_be_resumed_is_never_written_twice(auto_move: Move) -> None:
    auto_move.collection.resumable = False
    auto_move.collection.breaks.append(100)
    with pytest.raises(UncleanStop) as caught:
        auto_move.run()
    assert "can only be read from its beginning" in caught.value.message
    written = auto_move.written()
    assert len(set(written)) == len(written) < ROWS


# ---------------------------------------------------------------- errors of the target


def test_a_target_that_asks_to_slow_down_gets_all_rows(any_move: Move) -> None:
    any_move.target_store.mishaps += [Mishap.BUSY] * 7
    assert any_move.run() is SliceEnd.DONE
    assert any_move.written() == ALL
    assert any_move.target_store.collections["books"].sent == ROWS


def test_with_kept_keys_a_request_without_an_answer_is_sent_again_and_recorded(move: Move) -> None:
    move.target_store.mishaps += [Mishap.LOST_BUT_LANDED, Mishap.LOST]
    assert move.run() is SliceEnd.DONE
    assert move.written() == ALL
    assert move.target_store.collections["books"].sent > ROWS
    done = move.ledger.checkpoint()
    assert done.repeated
    assert done.counters.written == ROWS


@pytest.mark.parametrize("mishap", [Mishap.LOST_BUT_LANDED, Mishap.LOST])
def test_with_auto_id_a_lost_answer_fails_the_job_and_nothing_is_sent_twice(
    auto_move: Move, mishap: Mishap
) -> None:
    auto_move.target_store.mishaps.append(mishap)
    with pytest.raises(UncleanStop) as caught:
        auto_move.run()
    assert "The target did not answer an insert of" in caught.value.message
    assert caught.value.hint
    assert not caught.value.retryable
    written = auto_move.written()
    assert len(set(written)) == len(written)
    assert auto_move.ledger.checkpoint().repeated, "a resume would write rows twice, so this must be recorded"


def test_an_unavailable_target_fails_the_slice_which_can_be_retried(move: Move) -> None:
    move.target_store.mishaps += [Mishap.UNAVAILABLE] * 1000
    with pytest.raises(TargetUnavailable) as caught:
        move.run()
    assert caught.value.retryable
    assert "in 5 attempts" in caught.value.message
    move.target_store.mishaps.clear()
    assert move.resume(move.ledger.checkpoint()) is SliceEnd.DONE
    assert move.written() == ALL


def test_a_dropped_collection_fails_the_slice(move: Move) -> None:
    move.target_store.on_request = lambda number: move.target.drop("books") if number == 3 else None
    with pytest.raises(TargetChanged):
        move.run()


def test_an_unexpected_exception_is_raised_unchanged(move: Move) -> None:
    def broken(row: int) -> None:
        raise ZeroDivisionError

    move.target_store.on_request = broken
    with pytest.raises(ZeroDivisionError):
        move.run()


def test_a_mapping_that_loses_a_row_is_detected(move: Move) -> None:
    class LosingMapping(Mapping):
        def apply(self, batch: Batch) -> MappedBatch:
            mapped = super().apply(batch)
            return replace(mapped, rows=mapped.rows.slice(1), locators=mapped.locators.slice(1))

    original = move.mapping
    move.mapping = LosingMapping(original.target, original.read_plan, original.columns, original.upsert)
    with pytest.raises(AssertionError, match="lost a row"):
        move.run()


# ---------------------------------------------------------------- memory


@pytest.mark.parametrize("batch_bytes", [2_000, 8_000, 20_000])
def test_batches_in_flight_never_use_more_than_the_allowed_memory(batch_bytes: int) -> None:
    with move_of_books(4_000, batch_bytes=batch_bytes) as move:
        allowed = 12 * batch_bytes
        move.set_policy(memory_bytes=allowed)
        seen: list[float] = []
        is_full = threading.Event()

        def held_bytes() -> float:
            """A row in flight is in memory four times: read, mapped, encoded, and in gRPC."""
            return 4 * move.ledger.in_flight_rows * move.collection.rows.nbytes / 4_000

        def on_request(number: int) -> None:
            if number == 1:
                wait_until(lambda: held_bytes() > allowed / 2)
                is_full.set()
            is_full.wait(10)
            seen.append(held_bytes())

        move.target_store.on_request = on_request
        move.run()
        assert allowed / 2 < max(seen) <= allowed
        assert move.written() == list(range(4_000))


def test_a_batch_larger_than_the_allowed_memory_is_still_moved(move: Move) -> None:
    move.set_policy(memory_bytes=1)
    assert move.run() is SliceEnd.DONE
    assert move.written() == ALL
    assert move.target_store.peak_in_flight == 1
