"""Slice reader: a source that asks to slow down, and one that forgets its cursors."""

from __future__ import annotations

import threading
import time

import pytest

from migrations_app.engine.errors import Canceled, CursorLost, SourceBusy, TooManyRejected, UncleanStop
from migrations_app.engine.pipeline.pipeline import SliceEnd
from migrations_app.engine.stop_token import Deadline
from tests.engine.pipeline.moves import Move

ROWS = 200
ALL = list(range(ROWS))


# ---------------------------------------------------------------- busy


def test_a_busy_source_is_a_pause_that_costs_no_try(any_move: Move) -> None:
    any_move.collection.busy += [0, 0, 0, 0, 0, 0, 100, 100, 100, 100, 100, 100, 199]
    assert any_move.run() is SliceEnd.DONE
    assert any_move.written() == ALL
    assert any_move.target_store.collections["books"].sent == ROWS
    assert not any_move.ledger.checkpoint().repeated
    assert [level for level, _ in any_move.logged] == ["warning"] + ["debug"] * 12
    assert any_move.logged[0][1].startswith(
        "The source asked to slow down (Too many requests): reading “books” pauses for 0.0 s"
    )


def test_a_pause_lasts_as_long_as_the_source_asks(move: Move) -> None:
    move.collection.busy += [60]
    move.collection.retry_after_seconds = 0.1
    began = time.monotonic()
    assert move.run() is SliceEnd.DONE
    assert time.monotonic() - began >= 0.1
    assert "pauses for 0.1 s" in move.logged[0][1]


def test_pauses_between_interruptions_cost_no_try(move: Move) -> None:
    """Four interruptions without a row in between are allowed, the fifth is not."""
    move.collection.busy += [60] * 4
    move.collection.breaks += [60] * 4
    assert move.run() is SliceEnd.DONE
    move.collection.busy += [60] * 4
    move.collection.breaks += [60] * 5
    with pytest.raises(Exception, match="went away at row 60"):
        move.run()


def test_a_stop_ends_the_pause(move: Move) -> None:
    move.collection.busy += [60]
    move.collection.retry_after_seconds = 3600
    threading.Timer(0.05, move.stop.stop, [Canceled("Stopped by the test.")]).start()
    with pytest.raises(Canceled):
        move.run()


def test_a_slice_that_cannot_be_resumed_does_not_start_over_forever_at_a_busy_source(move: Move) -> None:
    """A slice that cannot be resumed would send the same rows again after each pause."""
    move.collection.resumable = False
    move.collection.busy += [0] * 10 + [100] * 50
    with pytest.raises(SourceBusy):
        move.run()
    assert len(move.collection.busy) == 50 - move.policy.retry.tries


# ---------------------------------------------------------------- a lost cursor


def test_a_slice_whose_cursor_is_lost_starts_over_with_empty_counters(move: Move) -> None:
    move.add_faults(reject=(5, 190))
    move.collection.breaks += [100]
    move.collection.lost_after += range(60, 101)
    assert move.run(max_rejected=2) is SliceEnd.DONE
    done = move.ledger.checkpoint()
    assert (done.counters.read, done.counters.written, done.counters.rejected) == (ROWS, ROWS - 2, 2)
    assert [row.locator for row in done.rejected] == ["5", "190"]
    assert (done.restarts, done.repeated, done.after) == (1, True, ROWS)
    assert move.written() == [n for n in ALL if n not in (5, 190)]
    assert move.logged[1][1].startswith(
        "Reading “books” was interrupted (The store does not know the cursor "
    )
    assert "any longer): it starts over in " in move.logged[1][1]


def pause_after_some(move: Move, **options: int) -> None:
    """Let an earlier worker move the first half."""
    while (move.ledger.checkpoint().after or 0) < ROWS / 2:
        stored = move.ledger.checkpoint()
        assert move.resume(stored, deadline=Deadline(0), **options) is SliceEnd.PAUSED
    move.logged.clear()


def test_after_a_lost_cursor_the_counts_of_earlier_workers_are_void(move: Move) -> None:
    """Its rejected rows do not count twice, its limit of rows is whole again, and it does not pause."""
    move.add_faults(reject=(5, 150, 151))
    pause_after_some(move, max_rejected=1)
    stored = move.ledger.checkpoint()
    assert stored.counters.rejected == 1
    move.collection.lost_after.append(stored.after)
    options = {"max_rejected": 2, "max_rows": 151}
    assert move.resume(stored, deadline=Deadline(0), **options) is SliceEnd.DONE
    done = move.ledger.checkpoint()
    assert (done.counters.read, done.counters.rejected) == (151, 2)
    assert move.written() == [n for n in ALL[:150] if n != 5]
    move.collection.lost_after.append(stored.after)
    with pytest.raises(TooManyRejected):
        move.resume(stored, max_rejected=1)


def test_with_auto_id_a_lost_cursor_fails_the_slice_instead_of_writing_rows_twice(auto_move: Move) -> None:
    pause_after_some(auto_move)
    stored = auto_move.ledger.checkpoint()
    auto_move.collection.lost_after.append(stored.after)
    with pytest.raises(UncleanStop) as caught:
        auto_move.resume(stored)
    assert "the cursor" in caught.value.message
    assert f"{stored.after:,} rows of it are in the target already" in caught.value.message
    assert caught.value.hint
    assert auto_move.written() == ALL[: stored.after]
    assert auto_move.ledger.checkpoint().after == stored.after, "nothing was forgotten"


def test_with_auto_id_a_slice_starts_over_if_nothing_was_written(auto_move: Move) -> None:
    auto_move.add_faults(skip=tuple(range(150)))
    pause_after_some(auto_move)
    stored = auto_move.ledger.checkpoint()
    assert stored.counters.written == 0
    auto_move.collection.lost_after.append(stored.after)
    assert auto_move.resume(stored) is SliceEnd.DONE
    assert auto_move.written() == ALL[150:]
    assert auto_move.ledger.checkpoint().counters.skipped == 150


def test_a_slice_whose_cursors_are_lost_again_and_again_fails(move: Move) -> None:
    move.collection.breaks += [100] * 50
    move.collection.lost_after += [row for row in range(60, 101) for _ in range(50)]
    with pytest.raises(CursorLost):
        move.run()
    assert move.ledger.checkpoint().restarts == move.policy.retry.tries - 1
