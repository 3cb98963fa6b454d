"""Concurrency search: finds the best number of requests in flight, on simulated targets."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.pacing.concurrency_search import START, ConcurrencySearch
from tests.engine.pipeline.simulated import REQUEST_BYTES, SimulatedTarget, best_per_second

MAX_IN_FLIGHT = 8
SEEDS = range(10)
TARGETS = {
    "busy": {"latency": 0.001, "work": 0.08},
    "busy and restless": {"latency": 0.001, "work": 0.08, "noise": 0.4, "stalls": 20.0},
    "far away": {"latency": 0.2, "work": 0.01, "noise": 0.2},
    "far away and slow": {"latency": 0.15, "work": 0.05, "noise": 0.2, "stalls": 6.0},
    "quick": {"latency": 0.0005, "work": 0.002, "noise": 0.3},
    "one at a time": {"latency": 0.0, "work": 0.1, "crowding": 0.5, "noise": 0.2},
}


@pytest.mark.parametrize("name", TARGETS)
def test_the_search_is_nearly_as_fast_as_the_best_fixed_limit(name: str) -> None:
    best = best_per_second(MAX_IN_FLIGHT, **TARGETS[name])
    found = []
    for seed in SEEDS:
        target = SimulatedTarget(**TARGETS[name], seed=seed)  # type: ignore[arg-type]
        target.run(ConcurrencySearch(MAX_IN_FLIGHT), 60)
        found.append(target.per_second(10, 60))
    assert statistics.mean(found) >= 0.95 * best


def test_a_distant_target_gets_the_maximum_within_two_seconds() -> None:
    search = ConcurrencySearch(MAX_IN_FLIGHT)
    SimulatedTarget(latency=0.2, work=0.01, noise=0.2).run(search, 2)
    assert search.limit == MAX_IN_FLIGHT


@pytest.mark.parametrize(("crowding", "expected"), [(0.0, {1, 2}), (0.5, {1, 2})])
def test_a_busy_target_gets_few_requests(crowding: float, expected: set[int]) -> None:
    search = ConcurrencySearch(MAX_IN_FLIGHT)
    target = SimulatedTarget(latency=0.001, work=0.08, crowding=crowding)
    target.run(search, 20)
    seen = []
    for _ in range(40):
        target.run(search, 1)
        seen.append(search.limit)
    assert statistics.mode(seen) in expected


def test_a_target_that_becomes_faster_gets_more_requests() -> None:
    search, target = ConcurrencySearch(MAX_IN_FLIGHT), SimulatedTarget(latency=0.1, work=0.4, noise=0.1)
    target.run(search, 60)
    assert search.limit <= 3
    target.work = 0.01
    target.run(search, 90)
    assert search.limit == MAX_IN_FLIGHT


def test_a_slow_source_does_not_change_the_limit() -> None:
    search, target = ConcurrencySearch(MAX_IN_FLIGHT), SimulatedTarget(latency=0.05, work=0.01, noise=0.2)
    target.run(search, 60, source_seconds=0.3)
    assert search.limit == START


def acknowledge_round(search: ConcurrencySearch, now: float = 0.0) -> None:
    for _ in range(search.limit):
        search.acknowledged(now, REQUEST_BYTES, True)


def search_at_maximum() -> ConcurrencySearch:
    search = ConcurrencySearch(MAX_IN_FLIGHT)
    SimulatedTarget(latency=0.2, work=0.001).run(search, 3)
    assert search.limit == MAX_IN_FLIGHT
    return search


def test_each_fault_halves_the_limit_down_to_one() -> None:
    search, found = search_at_maximum(), []
    for _ in range(5):
        search.halve(3.0, refused=True)
        found.append(search.limit)
    assert found == [4, 2, 1, 1, 1]


def test_after_an_outage_each_round_adds_one_request_until_the_former_limit() -> None:
    search, found = search_at_maximum(), []
    for _ in range(3):
        search.halve(3.0, refused=False)
    while search.is_recovering:
        found.append(search.limit)
        acknowledge_round(search)
    assert found == [1, 2, 3, 4, 5, 6, 7, 8]
    assert search.limit == MAX_IN_FLIGHT


def test_a_refused_limit_is_not_tried_again_for_a_minute() -> None:
    search, target = search_at_maximum(), SimulatedTarget(latency=0.2, work=0.001, now=3.0)
    search.halve(3.0, refused=True)
    seen = set()
    for _ in range(58):
        target.run(search, 1)
        seen.add(search.limit)
    assert max(seen) == MAX_IN_FLIGHT - 1
    target.run(search, 60)
    assert search.limit == MAX_IN_FLIGHT


def test_the_limit_is_always_one_if_only_one_is_allowed() -> None:
    search = ConcurrencySearch(1)
    SimulatedTarget(latency=0.2, work=0.001).run(search, 20)
    assert search.limit == 1


EVENTS = st.one_of(
    st.tuples(st.floats(0, 5), st.integers(0, 10**7), st.booleans()), st.sampled_from(["refused", "lost"])
)


@given(most=st.integers(1, 9), events=st.lists(EVENTS, max_size=200))
def test_the_limit_always_stays_between_one_and_the_maximum(most: int, events: list[object]) -> None:
    search, now = ConcurrencySearch(most), 0.0
    for event in events:
        if isinstance(event, tuple):
            now += event[0]
            search.acknowledged(now, event[1], event[2])
        else:
            search.halve(now, refused=event == "refused")
        assert 1 <= search.limit <= most
