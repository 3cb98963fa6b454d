from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.pipeline.concurrency_search import START, ConcurrencySearch
from tests.engine.pipeline.simulated import REQUEST_BYTES, SimulatedTarget, best_per_second

MOST = 8
SEEDS = range(10)
TARGETS = {
    "busy": {"way": 0.001, "work": 0.08},
    "busy and restless": {"way": 0.001, "work": 0.08, "noise": 0.4, "stalls": 20.0},
    "far away": {"way": 0.2, "work": 0.01, "noise": 0.2},
    "far away and slow": {"way": 0.15, "work": 0.05, "noise": 0.2, "stalls": 6.0},
    "quick": {"way": 0.0005, "work": 0.002, "noise": 0.3},
    "one at a time": {"way": 0.0, "work": 0.1, "crowding": 0.5, "noise": 0.2},
}


@pytest.mark.parametrize("name", TARGETS)
def test_what_it_finds_is_as_good_as_the_best_number_never_changed(name: str) -> None:
    best = best_per_second(MOST, **TARGETS[name])
    found = []
    for seed in SEEDS:
        target = SimulatedTarget(**TARGETS[name], seed=seed)  # type: ignore[arg-type]
        target.run(ConcurrencySearch(MOST), 60)
        found.append(target.per_second(10, 60))
    assert statistics.mean(found) >= 0.95 * best


def test_a_target_that_is_far_away_is_given_all_it_may_have_within_two_seconds() -> None:
    climb = ConcurrencySearch(MOST)
    SimulatedTarget(way=0.2, work=0.01, noise=0.2).run(climb, 2)
    assert climb.limit == MOST


@pytest.mark.parametrize(("crowding", "expected"), [(0.0, {1, 2}), (0.5, {1, 2})])
def test_a_busy_target_is_left_with_few(crowding: float, expected: set[int]) -> None:
    climb = ConcurrencySearch(MOST)
    target = SimulatedTarget(way=0.001, work=0.08, crowding=crowding)
    target.run(climb, 20)
    seen = []
    for _ in range(40):
        target.run(climb, 1)
        seen.append(climb.limit)
    assert statistics.mode(seen) in expected


def test_a_target_that_becomes_quicker_is_given_more() -> None:
    climb, target = ConcurrencySearch(MOST), SimulatedTarget(way=0.1, work=0.4, noise=0.1)
    target.run(climb, 60)
    assert climb.limit <= 3
    target.work = 0.01
    target.run(climb, 90)
    assert climb.limit == MOST


def test_a_source_that_cannot_keep_up_says_nothing_about_the_target() -> None:
    climb, target = ConcurrencySearch(MOST), SimulatedTarget(way=0.05, work=0.01, noise=0.2)
    target.run(climb, 60, source_seconds=0.3)
    assert climb.limit == START


def round_of(climb: ConcurrencySearch, now: float = 0.0) -> None:
    for _ in range(climb.limit):
        climb.acknowledged(now, REQUEST_BYTES, True)


def grown() -> ConcurrencySearch:
    climb = ConcurrencySearch(MOST)
    SimulatedTarget(way=0.2, work=0.001).run(climb, 3)
    assert climb.limit == MOST
    return climb


def test_trouble_halves_it_each_time_down_to_one() -> None:
    climb, found = grown(), []
    for _ in range(5):
        climb.halve(3.0, refused=True)
        found.append(climb.limit)
    assert found == [4, 2, 1, 1, 1]


def test_after_an_outage_each_round_brings_one_more_until_it_is_as_before() -> None:
    climb, found = grown(), []
    for _ in range(3):
        climb.halve(3.0, refused=False)
    while climb.is_recovering:
        found.append(climb.limit)
        round_of(climb)
    assert found == [1, 2, 3, 4, 5, 6, 7, 8]
    assert climb.limit == MOST


def test_a_number_that_was_refused_is_not_tried_again_for_a_minute() -> None:
    climb, target = grown(), SimulatedTarget(way=0.2, work=0.001, now=3.0)
    climb.halve(3.0, refused=True)
    seen = set()
    for _ in range(58):
        target.run(climb, 1)
        seen.add(climb.limit)
    assert max(seen) == MOST - 1
    target.run(climb, 60)
    assert climb.limit == MOST


def test_where_only_one_is_allowed_it_is_always_one() -> None:
    climb = ConcurrencySearch(1)
    SimulatedTarget(way=0.2, work=0.001).run(climb, 20)
    assert climb.limit == 1


EVENTS = st.one_of(
    st.tuples(st.floats(0, 5), st.integers(0, 10**7), st.booleans()), st.sampled_from(["refused", "lost"])
)


@given(most=st.integers(1, 9), events=st.lists(EVENTS, max_size=200))
def test_whatever_happens_it_stays_between_one_and_the_most(most: int, events: list[object]) -> None:
    climb, now = ConcurrencySearch(most), 0.0
    for event in events:
        if isinstance(event, tuple):
            now += event[0]
            climb.acknowledged(now, event[1], event[2])
        else:
            climb.halve(now, refused=event == "refused")
        assert 1 <= climb.limit <= most
