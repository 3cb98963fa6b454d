"""Number formats: counts, sizes, durations and axis labels as people read them."""

import pytest

from console import format


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0, "0"), (999, "999"), (1_204_000, "1,204,000"), (13_823.4, "13,823")]
)
def test_counts_have_thousands_separators(value: float | None, text: str) -> None:
    assert format.number(value) == text


def test_an_estimate_says_so_and_keeps_three_digits() -> None:
    assert format.rows(2_940_112, False) == "about 2,940,000"
    assert format.rows(40_112, False) == "about 40,100"
    assert format.rows(7, False) == "about 7"
    assert format.rows(2_940_112, True) == "2,940,112"
    assert format.rows(None, False) == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1.0 KB"),
        (70_400_000, "70 MB"),
        (999_600_000, "1.0 GB"),
        (6_100_000_000, "6.1 GB"),
        (5e15, "5000 TB"),
    ],
)
def test_sizes_take_the_largest_fitting_unit(value: float | None, text: str) -> None:
    assert format.size(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 s"),
        (59.4, "59 s"),
        (90, "1 min 30 s"),
        (3_600, "1 h"),
        (90_061, "1 d 1 h"),
        (86_430, "1 d"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float | None, text: str) -> None:
    assert format.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (12, "less than a minute"),
        (250, "about 4 min"),
        (7_300, "about 2 h"),
        (260_000, "about 3 days"),
    ],
)
def test_the_time_left_is_rounded_to_one_unit(seconds: float | None, text: str) -> None:
    assert format.about(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.4, "0"), (950, "950"), (1_500, "1.5 k"), (16_340, "16 k"), (2.3e6, "2.3 M")]
)
def test_axis_labels_are_short(value: float, text: str) -> None:
    assert format.short(value) == text
