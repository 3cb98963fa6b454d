"""Limits of a pipeline: the row limit and the throttle."""

from __future__ import annotations

import time
from threading import Timer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrations_app.engine.errors import Canceled
from migrations_app.engine.model.batch import ReadColumn, ReadPlan
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.pipeline.pipeline import SliceEnd
from migrations_app.engine.reading.throttle import LEAST_BATCH_BYTES, Throttle
from migrations_app.engine.stop_token import Deadline, StopToken
from tests.engine.pipeline.moves import Move, move_of_books

ROWS = 200


@pytest.mark.parametrize("limit", [0, 1, 19, 20, 21, 199, 200, 201])
def test_only_the_first_rows_are_moved(any_move: Move, limit: int) -> None:
    assert any_move.run(max_rows=limit) is SliceEnd.DONE
    assert any_move.written() == list(range(min(limit, ROWS)))
    assert any_move.ledger.checkpoint().counters.read == min(limit, ROWS)


def test_rejected_and_skipped_rows_count_towards_the_limit(move: Move) -> None:
    move.collection.unreadable = frozenset({3, 50})
    move.add_faults(reject=(30,), skip=(31, 60))
    assert move.run(max_rows=50) is SliceEnd.DONE
    counters = move.ledger.checkpoint().counters
    assert (counters.read, counters.written, counters.rejected, counters.skipped) == (50, 47, 2, 1)
    assert move.written() == [n for n in range(50) if n not in (3, 30, 31)]


def test_a_paused_run_continues_up_to_the_same_limit(move: Move) -> None:
    after = None
    for _ in range(ROWS):
        end = move.run(after, max_rows=70, deadline=Deadline(0))
        if end is SliceEnd.DONE:
            break
        after = move.ledger.checkpoint().after
    assert move.ledger.checkpoint().counters.read == 70
    assert move.written() == list(range(70))


def test_a_slice_that_starts_over_moves_the_same_first_rows(move: Move) -> None:
    move.collection.resumable = False
    move.collection.breaks = [45, 65]
    assert move.run(max_rows=70) is SliceEnd.DONE
    assert move.written() == list(range(70))
    assert move.ledger.checkpoint().counters.read == 70


@given(
    st.integers(0, 60),
    st.lists(st.integers(0, 59), max_size=3),
    st.frozensets(st.integers(0, 59), max_size=5),
    st.integers(100, 3000),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_first_rows_are_moved_once_despite_interruptions(
    limit: int, breaks: list[int], unreadable: frozenset[int], batch_bytes: int, pauses: bool
) -> None:
    with move_of_books(60, batch_bytes=batch_bytes) as move:
        move.collection.breaks = breaks
        move.collection.unreadable = unreadable
        after, end = None, None
        while end is not SliceEnd.DONE:
            end = move.run(after, max_rows=limit, deadline=Deadline(0) if pauses else None)
            after = move.ledger.checkpoint().after
        assert move.written() == [n for n in range(limit) if n not in unreadable]
        counters = move.ledger.checkpoint().counters
        assert (counters.read, counters.rejected) == (limit, sum(n < limit for n in unreadable))


# ---------------------------------------------------------------- throttle


class Clock(StopToken):
    """A clock that advances only by waits, or if ``now`` is changed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.longest_wait = 0.0

    def wait(self, seconds: float) -> None:
        self.check()
        self.now += seconds
        self.longest_wait = max(self.longest_wait, seconds)


@given(st.integers(1, 10_000), st.lists(st.tuples(st.integers(1, 500), st.floats(0, 0.2)), min_size=1))
def test_rows_pass_at_the_allowed_average_rate(rate: int, batches: list[tuple[int, float]]) -> None:
    clock = Clock()
    throttle = Throttle(rate, clock=lambda: clock.now)
    started, passed, read_seconds = clock.now, 0, 0.0
    for rows, seconds in batches:
        clock.now += seconds  # reading takes time, too
        read_seconds += seconds
        throttle.pay(rows, clock)
        passed += rows
        assert passed <= rate * (clock.now - started + 1) + 1e-6
    # It waits no longer than necessary: it does not slow down a slow source.
    assert clock.now - started <= passed / rate + read_seconds + 1e-6


def test_reads_that_share_a_rate_do_not_exceed_it_together() -> None:
    clock = Clock()
    throttle = Throttle(100, clock=lambda: clock.now)
    throttle.sharers = 4
    throttle.pay(50, clock)
    assert clock.longest_wait == pytest.approx(2.0)


def test_unused_rate_of_an_idle_time_is_not_used_later() -> None:
    clock = Clock()
    throttle = Throttle(100, clock=lambda: clock.now)
    clock.now += 3600
    for _ in range(3):
        throttle.pay(100, clock)
    assert clock.longest_wait == pytest.approx(1.0)


def test_batches_are_small_enough_that_rows_arrive_evenly() -> None:
    vectors = ReadPlan((ReadColumn("v", TypeSpec(MilvusType.FLOAT_VECTOR, dim=768)),), batch_bytes=6_000_000)
    assert Throttle(100).batch_bytes(vectors) == 100 * 768 * 4
    assert Throttle(1_000_000).batch_bytes(vectors) == 6_000_000
    numbers = ReadPlan((ReadColumn("n", TypeSpec(MilvusType.INT64)),))
    assert Throttle(1).batch_bytes(numbers) == LEAST_BATCH_BYTES


def test_a_stop_ends_the_wait_of_the_throttle(move: Move) -> None:
    # The throttle would wait twenty seconds after the first page.
    move.source_store.before_page = lambda row: Timer(0.1, move.stop.stop, (Canceled("Enough."),)).start()
    started = time.monotonic()
    with pytest.raises(Canceled):
        move.run(throttle=Throttle(1))
    assert time.monotonic() - started < 10
    assert move.written() == []


def test_a_throttled_read_takes_at_least_the_expected_time(move: Move) -> None:
    started = time.monotonic()
    assert move.run(throttle=Throttle(1000)) is SliceEnd.DONE
    assert time.monotonic() - started >= ROWS / 1000
    assert move.written() == list(range(ROWS))
