"""``ReadContext.ordered_map``: one lister, several fetchers, in order."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from migrations_app.engine.errors import Canceled
from migrations_app.engine.sources.base import ReadContext
from migrations_app.engine.stop_token import StopToken
from tests.engine.pipeline.moving import wait_until


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert [t.name for t in threading.enumerate() if t.name.startswith("fetch")] == []


def test_results_come_in_the_order_of_the_items_whatever_finishes_first() -> None:
    second_done = threading.Event()

    def fetch(item: int) -> int:
        if item == 0:
            assert second_done.wait(10), "the second is fetched while the first still runs"
        if item == 1:
            second_done.set()
        return item * item

    assert list(ReadContext(workers=2).ordered_map(fetch, range(20))) == [n * n for n in range(20)]


def test_the_lister_is_never_far_ahead_of_the_reader() -> None:
    listed: list[int] = []

    def items() -> Iterator[int]:
        for n in range(100):
            listed.append(n)
            yield n

    for taken, _ in enumerate(ReadContext(workers=3).ordered_map(str, items()), start=1):
        assert len(listed) <= taken + 3


def test_as_many_are_fetched_at_once_as_there_are_workers() -> None:
    together = threading.Barrier(3, timeout=10)
    assert list(ReadContext(workers=3).ordered_map(lambda n: together.wait() >= 0, range(9))) == [True] * 9


def test_an_error_comes_in_its_place_and_ends_the_map() -> None:
    def fetch(item: int) -> int:
        if item == 5:
            raise ValueError(item)
        return item

    got: list[int] = []
    with pytest.raises(ValueError, match="5"):
        got.extend(ReadContext(workers=4).ordered_map(fetch, range(100)))
    assert got == [0, 1, 2, 3, 4]


def test_a_stop_ends_the_map_with_its_reason() -> None:
    stop = StopToken()
    results = ReadContext(stop, workers=2).ordered_map(str, range(100))
    assert next(results) == "0"
    stop.stop(Canceled("Stopped by the test."))
    with pytest.raises(Canceled):
        next(results)


def test_a_map_left_early_fetches_nothing_more() -> None:
    begun: list[int] = []
    release = threading.Event()

    def fetch(item: int) -> int:
        begun.append(item)
        assert item < 1 or release.wait(10)
        return item

    results = ReadContext(workers=3).ordered_map(fetch, range(100))
    next(results)
    wait_until(lambda: len(begun) >= 3)
    release.set()
    results.close()  # type: ignore[attr-defined]
    assert len(begun) <= 4


def test_nothing_to_fetch_gives_nothing() -> None:
    assert list(ReadContext().ordered_map(str, [])) == []
