"""Rate of a job: rows per second, its curve, and the time left."""

import pytest

from migrations_app.reporting.rate import Sample, curve, rate_now, seconds_left

STEADY = [Sample(at, 100 * at) for at in range(0, 61, 2)]


def test_the_rate_is_measured_over_the_last_window_not_over_the_whole_job() -> None:
    slower = [*STEADY, *(Sample(60 + n, 6000 + 10 * n) for n in range(1, 41))]
    assert rate_now(slower, now=100) == 10


def test_the_rate_of_a_stalled_job_falls_to_zero() -> None:
    stalled = [*STEADY, *(Sample(at, 6000) for at in range(62, 121, 2))]
    assert rate_now(stalled, now=120) == 0


@pytest.mark.parametrize("samples", [[], [Sample(5, 100)], [Sample(5, 100), Sample(5, 200)]])
def test_too_few_samples_give_no_rate(samples: list[Sample]) -> None:
    assert rate_now(samples, now=6) is None


def test_samples_older_than_the_window_give_no_rate() -> None:
    assert rate_now(STEADY, now=1000) is None


def test_the_rate_of_a_slice_that_started_over_counts_from_its_new_start() -> None:
    samples = [Sample(0, 0), Sample(10, 5000), Sample(12, 0), Sample(16, 80)]
    assert rate_now(samples, now=16) == 20


def test_a_falling_count_does_not_give_a_negative_rate() -> None:
    assert curve([Sample(0, 500), Sample(10, 100), Sample(20, 200)]) == ((10, 0), (20, 10))


@pytest.mark.parametrize(
    ("rows_left", "rate", "expected"),
    [
        (1000, 100.0, 10),
        (0, None, 0),
        (0, 5.0, 0),
        (-5, 5.0, 0),
        (None, 5.0, None),
        (10, 0.0, None),
        (10, None, None),
    ],
)
def test_the_time_left_is_known_if_rows_and_rate_are_known(
    rows_left: int | None, rate: float | None, expected: float | None
) -> None:
    assert seconds_left(rows_left, rate) == expected
