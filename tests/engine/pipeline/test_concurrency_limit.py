from __future__ import annotations

import threading
from contextlib import AbstractContextManager

import pytest

from migrations_app.engine.errors import (
    Canceled,
    LeaseLost,
    TargetBusy,
    TargetUnavailable,
    UnknownOutcome,
)
from migrations_app.engine.pipeline.concurrency_limit import ConcurrencyLimit, Permit, QueuePosition
from migrations_app.engine.pipeline.retry_policy import RetryPolicy
from migrations_app.engine.stop_token import StopToken

AT_ONCE = RetryPolicy(first_seconds=0.0, most_seconds=0.0)
BUSY = TargetBusy("Rate limit exceeded.")


class Paced:
    """A pace with its log."""

    def __init__(self, most: int = 8, retry: RetryPolicy = AT_ONCE, grace_seconds: float = 0.0) -> None:
        self.stop = StopToken()
        self.logged: list[tuple[str, str]] = []
        self.pace = ConcurrencyLimit(most, retry, self.stop, self._log, grace_seconds)

    def _log(self, level: str, message: str, **facts: object) -> None:
        self.logged.append((level, message))

    def turn(self) -> AbstractContextManager[Permit]:
        return self.pace.permit(self.pace.enqueue())

    def one(self, error: TargetBusy | UnknownOutcome | TargetUnavailable | None = None) -> None:
        with self.turn() as turn:
            pass
        if error is None:
            self.pace.succeeded(turn, 1)
        else:
            self.pace.slow_down(error, turn)

    def stop_soon(self) -> None:
        threading.Timer(0.02, self.stop.stop, [Canceled("Stopped by the test.")]).start()


@pytest.fixture
def paced() -> Paced:
    return Paced()


def test_it_starts_with_two(paced: Paced) -> None:
    assert paced.pace.limit == 2


def test_no_more_turns_are_given_than_the_limit_and_the_next_when_one_is_given_back(paced: Paced) -> None:
    in_flight, peak, lock = [0], [0], threading.Lock()

    def send() -> None:
        with paced.turn():
            with lock:
                in_flight[0] += 1
                peak[0] = max(peak[0], in_flight[0])
            together.wait(10)
            with lock:
                in_flight[0] -= 1

    together = threading.Barrier(2)
    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert peak[0] == 2


def test_a_turn_knows_whether_others_had_one_left(paced: Paced) -> None:
    with paced.turn() as first, paced.turn() as second:
        pass
    assert (first.was_full, second.was_full) == (False, True)


def test_trouble_halves_what_may_be_in_flight_down_to_one(paced: Paced) -> None:
    found = []
    for _ in range(3):
        paced.one(BUSY)
        found.append(paced.pace.limit)
    assert found == [1, 1, 1]


def test_requests_that_met_the_same_trouble_count_once(paced: Paced) -> None:
    with paced.turn() as first, paced.turn() as second:
        pass
    for turn in (first, second):
        paced.pace.slow_down(UnknownOutcome("Cut."), turn)
    assert [level for level, _ in paced.logged] == ["warning"]


def test_what_was_in_flight_comes_back_after_an_outage(paced: Paced) -> None:
    for _ in range(3):
        paced.one(TargetUnavailable("Gone."))
    assert paced.pace.limit == 1
    paced.one()
    assert paced.pace.limit == 2


def test_a_success_from_before_the_trouble_does_not_speed_up(paced: Paced) -> None:
    with paced.turn() as early:
        pass
    paced.one(TargetUnavailable("Gone."))
    paced.pace.succeeded(early, 1)
    assert paced.pace.limit == 1


def test_the_run_log_hears_of_slowing_down_and_of_its_end(paced: Paced) -> None:
    paced.one(BUSY)
    paced.one()
    assert paced.logged == [
        (
            "warning",
            "The target asked to slow down (Rate limit exceeded): 2 inserts in flight → 1, "
            "trying again in 0.0 s",
        ),
        ("info", "The target keeps up again: 1 insert in flight"),
    ]


def test_a_target_at_its_limit_does_not_flood_the_run_log(paced: Paced) -> None:
    for _ in range(50):
        paced.one(BUSY)
        paced.one()
    assert [level for level, _ in paced.logged if level != "debug"] == ["warning", "info"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            UnknownOutcome("Cut."),
            "The target did not answer (Cut): 1 insert in flight, trying again in 0.0 s",
        ),
        (
            TargetUnavailable("Gone."),
            "The target cannot be reached (Gone): 1 insert in flight, trying again in 0.0 s",
        ),
    ],
)
def test_each_trouble_is_named(error: UnknownOutcome | TargetUnavailable, said: str) -> None:
    paced = Paced(most=1)
    paced.one(error)
    assert paced.logged == [("warning", said)]


def test_all_wait_as_long_as_the_target_asked_for() -> None:
    paced = Paced()
    paced.one(TargetBusy("Later.", retry_after_seconds=3600))
    paced.stop_soon()
    with pytest.raises(Canceled):
        paced.one()


def test_the_longest_wait_that_was_asked_for_counts() -> None:
    paced = Paced()
    with paced.turn() as first, paced.turn() as second:
        pass
    paced.pace.slow_down(BUSY, first)
    paced.pace.slow_down(TargetBusy("Much later.", retry_after_seconds=3600), second)
    paced.stop_soon()
    with pytest.raises(Canceled):
        paced.one()


def test_after_a_stop_no_turn_is_given(paced: Paced) -> None:
    paced.stop.stop(Canceled("Stopped by the test."))
    with pytest.raises(Canceled):
        paced.one()


def test_within_its_grace_what_was_begun_may_be_finished_and_nothing_is_begun() -> None:
    paced = Paced(grace_seconds=600)
    begun = paced.pace.enqueue()
    with paced.pace.permit(begun):
        pass
    paced.stop.stop(Canceled("Stopped by the test."))
    with paced.pace.permit(begun):
        pass
    with pytest.raises(Canceled):
        paced.one()


def test_grace_ends() -> None:
    paced = Paced(most=1, grace_seconds=0.01)
    first, begun = paced.pace.enqueue(), paced.pace.enqueue()
    with paced.pace.permit(first):
        pass
    with paced.pace.permit(begun):
        pass
    with paced.pace.permit(first):
        paced.stop.stop(Canceled("Stopped by the test."))
        with pytest.raises(Canceled), paced.pace.permit(begun):
            pass


def test_who_would_have_to_wait_beyond_its_grace_gives_up_at_once() -> None:
    paced = Paced(grace_seconds=600)
    begun = paced.pace.enqueue()
    with paced.pace.permit(begun) as turn:
        pass
    paced.pace.slow_down(TargetBusy("Later.", retry_after_seconds=3600), turn)
    paced.stop.stop(Canceled("Stopped by the test."))
    with pytest.raises(Canceled), paced.pace.permit(begun):
        pass


def test_a_lost_lease_allows_no_grace() -> None:
    paced = Paced(grace_seconds=600)
    begun = paced.pace.enqueue()
    with paced.pace.permit(begun):
        pass
    paced.stop.stop(LeaseLost("Another worker has it."))
    with pytest.raises(LeaseLost), paced.pace.permit(begun):
        pass


# ---------------------------------------------------------------- order


def in_thread(paced: Paced, place: QueuePosition, went: list[str], name: str) -> threading.Thread:
    def send() -> None:
        with paced.pace.permit(place):
            went.append(name)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_first_turns_come_in_the_order_of_the_places(paced: Paced) -> None:
    went: list[str] = []
    first, second = paced.pace.enqueue(), paced.pace.enqueue()
    hasty = in_thread(paced, second, went, "second")
    hasty.join(0.05)
    assert went == []
    in_thread(paced, first, went, "first").join(10)
    hasty.join(10)
    assert went == ["first", "second"]


def test_later_turns_wait_for_nobody(paced: Paced) -> None:
    went: list[str] = []
    begun = paced.pace.enqueue()
    in_thread(paced, begun, went, "first turn").join(10)
    paced.pace.enqueue()
    in_thread(paced, begun, went, "second turn").join(10)
    assert went == ["first turn", "second turn"]


def test_who_leaves_the_line_lets_the_next_go_ahead(paced: Paced) -> None:
    went: list[str] = []
    first, second = paced.pace.enqueue(), paced.pace.enqueue()
    thread = in_thread(paced, second, went, "second")
    paced.pace.leave_queue(first)
    thread.join(10)
    assert went == ["second"]
