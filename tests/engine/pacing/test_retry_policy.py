"""Retry policy: the waits between tries, and the number of tries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.errors import SourceUnavailable
from migrations_app.engine.pacing.retry_policy import Backoff, RetryPolicy

POLICY = RetryPolicy(tries=4, first_seconds=0.5, most_seconds=30, jitter=0.5)


def test_waits_double_up_to_the_maximum() -> None:
    waits = [POLICY.wait_seconds(n, chance=lambda: 0.0) for n in range(1, 10)]
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


@given(failures=st.integers(1, 10**6), chance=st.floats(0, 1))
def test_a_wait_is_between_half_the_first_wait_and_the_maximum(failures: int, chance: float) -> None:
    assert 0.25 <= POLICY.wait_seconds(failures, chance=lambda: chance) <= 30


@given(asked=st.floats(0, 3600), chance=st.floats(0, 1))
def test_a_wait_is_never_shorter_than_the_server_asked_for(asked: float, chance: float) -> None:
    assert asked <= POLICY.wait_seconds(1, asked, lambda: chance) <= 1.5 * asked


def test_the_last_try_raises_its_own_error() -> None:
    backoff = Backoff(POLICY)
    for _ in range(3):
        assert backoff.failed(SourceUnavailable("Away.")) > 0
    last = SourceUnavailable("Still away.")
    with pytest.raises(SourceUnavailable) as caught:
        backoff.failed(last)
    assert caught.value is last


def test_a_success_resets_the_number_of_tries() -> None:
    backoff = Backoff(POLICY)
    for _ in range(20):
        assert backoff.failed(SourceUnavailable("Away.")) > 0
        backoff.worked()


def test_the_wait_follows_retry_after_of_the_error() -> None:
    assert Backoff(POLICY).failed(SourceUnavailable("Away.", retry_after_seconds=7)) >= 7
