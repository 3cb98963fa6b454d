"""Concurrency limit: permits for requests, their order, and waits after errors."""

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
from migrations_app.engine.pacing.retry_policy import RetryPolicy
from migrations_app.engine.pipeline.concurrency_limit import ConcurrencyLimit, Permit, QueuePosition
from migrations_app.engine.stop_token import StopToken

NO_WAIT = RetryPolicy(first_seconds=0.0, most_seconds=0.0)
BUSY = TargetBusy("Rate limit exceeded.")


class Harness:
    """A concurrency limit with its log."""

    def __init__(self, most: int = 8, retry: RetryPolicy = NO_WAIT, grace_seconds: float = 0.0) -> None:
        self.stop = StopToken()
        self.logged: list[tuple[str, str]] = []
        self.limiter = ConcurrencyLimit(most, retry, self.stop, self._log, grace_seconds)

    def _log(self, level: str, message: str, **facts: object) -> None:
        self.logged.append((level, message))

    def permit(self) -> AbstractContextManager[Permit]:
        return self.limiter.permit(self.limiter.enqueue())

    def request(self, error: TargetBusy | UnknownOutcome | TargetUnavailable | None = None) -> None:
        with self.permit() as permit:
            pass
        if error is None:
            self.limiter.succeeded(permit, 1)
        else:
            self.limiter.slow_down(error, permit)

    def stop_soon(self) -> None:
        threading.Timer(0.02, self.stop.stop, [Canceled("Stopped by the test.")]).start()


@pytest.fixture
def harness() -> Harness:
    return Harness()


def test_the_limit_starts_at_two(harness: Harness) -> None:
    assert harness.limiter.limit == 2


def test_no_more_permits_are_given_than_the_limit(harness: Harness) -> None:
    in_flight, peak, lock = [0], [0], threading.Lock()

    def send() -> None:
        with harness.permit():
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


def test_a_permit_records_if_it_was_the_last_free_one(harness: Harness) -> None:
    with harness.permit() as first, harness.permit() as second:
        pass
    assert (first.was_full, second.was_full) == (False, True)


def test_errors_halve_the_limit_down_to_one(harness: Harness) -> None:
    found = []
    for _ in range(3):
        harness.request(BUSY)
        found.append(harness.limiter.limit)
    assert found == [1, 1, 1]


def test_errors_of_simultaneous_requests_count_once(harness: Harness) -> None:
    with harness.permit() as first, harness.permit() as second:
        pass
    for permit in (first, second):
        harness.limiter.slow_down(UnknownOutcome("Cut."), permit)
    assert [level for level, _ in harness.logged] == ["warning"]


def test_the_limit_recovers_after_an_outage(harness: Harness) -> None:
    for _ in range(3):
        harness.request(TargetUnavailable("Gone."))
    assert harness.limiter.limit == 1
    harness.request()
    assert harness.limiter.limit == 2


def test_a_success_of_a_request_from_before_the_error_does_not_raise_the_limit(harness: Harness) -> None:
    with harness.permit() as early:
        pass
    harness.request(TargetUnavailable("Gone."))
    harness.limiter.succeeded(early, 1)
    assert harness.limiter.limit == 1


def test_the_run_log_records_the_slow_down_and_its_end(harness: Harness) -> None:
    harness.request(BUSY)
    harness.request()
    assert harness.logged == [
        (
            "warning",
            "The target asked to slow down (Rate limit exceeded): 2 inserts in flight → 1, "
            "trying again in 0.0 s",
        ),
        ("info", "The target keeps up again: 1 insert in flight"),
    ]


def test_a_target_at_its_limit_does_not_flood_the_run_log(harness: Harness) -> None:
    for _ in range(50):
        harness.request(BUSY)
        harness.request()
    assert [level for level, _ in harness.logged if level != "debug"] == ["warning", "info"]


@pytest.mark.parametrize(
    ("error", "message"),
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
def test_each_kind_of_error_has_its_own_log_message(
    error: UnknownOutcome | TargetUnavailable, message: str
) -> None:
    harness = Harness(most=1)
    harness.request(error)
    assert harness.logged == [("warning", message)]


def test_requests_wait_as_long_as_the_target_asked_for() -> None:
    harness = Harness()
    harness.request(TargetBusy("Later.", retry_after_seconds=3600))
    harness.stop_soon()
    with pytest.raises(Canceled):
        harness.request()


def test_the_longest_requested_wait_applies() -> None:
    harness = Harness()
    with harness.permit() as first, harness.permit() as second:
        pass
    harness.limiter.slow_down(BUSY, first)
    harness.limiter.slow_down(TargetBusy("Much later.", retry_after_seconds=3600), second)
    harness.stop_soon()
    with pytest.raises(Canceled):
        harness.request()


def test_no_permit_is_given_after_a_stop(harness: Harness) -> None:
    harness.stop.stop(Canceled("Stopped by the test."))
    with pytest.raises(Canceled):
        harness.request()


def test_in_the_grace_period_started_batches_may_finish_and_no_others_start() -> None:
    harness = Harness(grace_seconds=600)
    started = harness.limiter.enqueue()
    with harness.limiter.permit(started):
        pass
    harness.stop.stop(Canceled("Stopped by the test."))
    with harness.limiter.permit(started):
        pass
    with pytest.raises(Canceled):
        harness.request()


def test_no_permit_is_given_after_the_grace_period() -> None:
    harness = Harness(most=1, grace_seconds=0.01)
    first, started = harness.limiter.enqueue(), harness.limiter.enqueue()
    with harness.limiter.permit(first):
        pass
    with harness.limiter.permit(started):
        pass
    with harness.limiter.permit(first):
        harness.stop.stop(Canceled("Stopped by the test."))
        with pytest.raises(Canceled), harness.limiter.permit(started):
            pass


def test_a_batch_that_would_have_to_wait_beyond_the_grace_period_stops_at_once() -> None:
    harness = Harness(grace_seconds=600)
    started = harness.limiter.enqueue()
    with harness.limiter.permit(started) as permit:
        pass
    harness.limiter.slow_down(TargetBusy("Later.", retry_after_seconds=3600), permit)
    harness.stop.stop(Canceled("Stopped by the test."))
    with pytest.raises(Canceled), harness.limiter.permit(started):
        pass


def test_there_is_no_grace_period_after_a_lost_lease() -> None:
    harness = Harness(grace_seconds=600)
    started = harness.limiter.enqueue()
    with harness.limiter.permit(started):
        pass
    harness.stop.stop(LeaseLost("Another worker has it."))
    with pytest.raises(LeaseLost), harness.limiter.permit(started):
        pass


# ---------------------------------------------------------------- order


def in_thread(harness: Harness, position: QueuePosition, order: list[str], name: str) -> threading.Thread:
    def send() -> None:
        with harness.limiter.permit(position):
            order.append(name)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_first_permits_are_given_in_the_order_of_the_queue(harness: Harness) -> None:
    order: list[str] = []
    first, second = harness.limiter.enqueue(), harness.limiter.enqueue()
    second_thread = in_thread(harness, second, order, "second")
    second_thread.join(0.05)
    assert order == []
    in_thread(harness, first, order, "first").join(10)
    second_thread.join(10)
    assert order == ["first", "second"]


def test_later_permits_do_not_wait_for_the_queue(harness: Harness) -> None:
    order: list[str] = []
    started = harness.limiter.enqueue()
    in_thread(harness, started, order, "first permit").join(10)
    harness.limiter.enqueue()
    in_thread(harness, started, order, "second permit").join(10)
    assert order == ["first permit", "second permit"]


def test_a_batch_that_leaves_the_queue_lets_the_next_one_go(harness: Harness) -> None:
    order: list[str] = []
    first, second = harness.limiter.enqueue(), harness.limiter.enqueue()
    thread = in_thread(harness, second, order, "second")
    harness.limiter.leave_queue(first)
    thread.join(10)
    assert order == ["second"]
