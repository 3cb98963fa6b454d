from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from migrations_app.engine.errors import (
    AnswerTooLarge,
    Canceled,
    ConnectionRefused,
    CursorLost,
    FerryError,
    SourceBusy,
    SourceDataError,
    SourceUnavailable,
)
from migrations_app.engine.pacing.retry_policy import RetryPolicy
from migrations_app.engine.sources.fetching import Fetched, FetchLimits, Listed, fetch_in_order
from migrations_app.engine.stop_token import StopToken

QUICK = RetryPolicy(tries=3, first_seconds=0.001, most_seconds=0.004)
LIMITS = FetchLimits(most_at_once=4, held_bytes=10_000, answer_bytes=1_000, ahead=4, retry=QUICK)
PAGE = 10


@dataclass
class Numbers:
    """A source that lists numbers, ten a page, and fetches them as bytes, one for each.

    ``on_list`` and ``on_fetch`` are called before; they may wait, or raise.
    """

    pages: int = 10
    on_list: Callable[[int], None] = lambda place: None
    on_fetch: Callable[[Sequence[int]], None] = lambda items: None
    stop: StopToken = field(default_factory=StopToken)
    limits: FetchLimits = LIMITS
    listed: list[int] = field(default_factory=list)
    asked: list[tuple[int, ...]] = field(default_factory=list)
    logged: list[tuple[str, str]] = field(default_factory=list)
    in_flight: int = 0
    peak: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def list_after(self, place: int | None, stop: StopToken) -> Listed[int]:
        start = place or 0
        self.listed.append(start)
        self.on_list(start)
        last = start + 1 >= self.pages
        return Listed(range(start * PAGE, (start + 1) * PAGE), None if last else start + 1)

    def fetch(self, items: Sequence[int], stop: StopToken) -> bytes:
        with self.lock:
            self.asked.append(tuple(items))
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)
        try:
            self.on_fetch(items)
            return bytes(items)
        finally:
            with self.lock:
                self.in_flight -= 1

    def read(self, got: list[Fetched[int, bytes]] | None = None, after: int | None = None) -> list[int]:
        """Return all numbers that arrive, in order. ``got`` holds them also if the read fails."""
        got = [] if got is None else got
        stream = fetch_in_order(
            self.list_after, self.fetch, len, self.stop, after=after, limits=self.limits, log=self._log
        )
        got.extend(stream)
        return numbers(got)

    def _log(self, level: str, message: str, **facts: object) -> None:
        self.logged.append((level, message))


def numbers(got: list[Fetched[int, bytes]]) -> list[int]:
    return [number for fetched in got for number in fetched.answer]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> object:
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("fetch-")] == []


ALL = list(range(10 * PAGE))


def failing(error: FerryError, *, page: int, times: int = 1) -> Callable[..., None]:
    """Return an ``on_fetch`` that fails the first ``times`` requests for the items of one page."""
    left = Counter({page: times})
    lock = threading.Lock()

    def on_fetch(asked: Sequence[int]) -> None:
        with lock:
            number = asked[0] // PAGE
            left[number] -= 1
            fails = left[number] >= 0
        if fails:
            raise error

    return on_fetch


def test_answers_come_in_the_order_of_the_list_while_several_requests_run() -> None:
    source = Numbers(on_fetch=lambda items: time.sleep(0.02 if items[0] % 20 == 0 else 0.001))
    got: list[Fetched[int, bytes]] = []
    assert source.read(got) == ALL
    assert 1 < source.peak <= 4
    assert [(fetched.place, fetched.first, len(fetched.items)) for fetched in got][:2] == [
        (None, 0, PAGE),
        (1, 0, PAGE),
    ]
    assert Numbers().read(after=got[7].place) == ALL[7 * PAGE :], "the read can begin at any place"


def test_an_empty_list_has_no_answers() -> None:
    stop = StopToken()
    stream = fetch_in_order(lambda place, stop: Listed([]), lambda items, stop: b"", len, stop)
    assert list(stream) == []


def test_the_lister_runs_ahead_but_not_too_far() -> None:
    """One page is fetched, and four more are listed."""
    is_ahead, listed = threading.Event(), []
    source = Numbers(limits=replace(LIMITS, most_at_once=1))
    source.on_list = lambda place: is_ahead.set() if place == 4 else None

    def on_fetch(items: Sequence[int]) -> None:
        assert is_ahead.wait(5)
        if items[0] == 0:
            time.sleep(0.02)
            listed.append(len(source.listed))

    source.on_fetch = on_fetch
    assert source.read() == ALL
    assert listed == [5]


@pytest.mark.parametrize("error", [SourceUnavailable("It is away."), ConnectionRefused("It restarts.")])
def test_a_page_that_fails_is_tried_again_alone(error: FerryError) -> None:
    source = Numbers()
    source.on_fetch = failing(error, page=3, times=2)
    assert source.read() == ALL
    assert len(source.asked) == 10 + 2, "no other page was asked for twice"
    level, message = source.logged[0]
    assert level == "warning"
    assert message.startswith(f"A page could not be fetched ({error.message[:-1]}): trying again in 0.0")


def test_a_page_that_stays_away_fails_the_read_after_all_pages_before_it() -> None:
    source = Numbers()
    source.on_fetch = failing(SourceUnavailable("It is away."), page=3, times=99)
    got: list[Fetched[int, bytes]] = []
    with pytest.raises(SourceUnavailable):
        source.read(got)
    assert numbers(got) == ALL[: 3 * PAGE]
    assert sum(asked[0] == 30 for asked in source.asked) == QUICK.tries


@pytest.mark.parametrize("error", [SourceDataError("It is broken."), ZeroDivisionError()])
def test_a_permanent_error_is_raised_at_once(error: Exception) -> None:
    source = Numbers()
    source.on_fetch = failing(error, page=3, times=99)  # type: ignore[arg-type]
    got: list[Fetched[int, bytes]] = []
    with pytest.raises(type(error)):
        source.read(got)
    assert numbers(got) == ALL[: 3 * PAGE]
    assert source.logged == []


# ---------------------------------------------------------------- busy


def test_a_busy_page_waits_as_long_as_the_source_asks_while_the_others_continue() -> None:
    asked_at: list[tuple[int, float]] = []
    fail = failing(SourceBusy("Too many requests.", retry_after_seconds=0.1), page=1)

    def on_fetch(items: Sequence[int]) -> None:
        asked_at.append((items[0] // PAGE, time.monotonic()))
        fail(items)

    source = Numbers(on_fetch=on_fetch)
    assert source.read() == ALL
    first, second = (at for page, at in asked_at if page == 1)
    assert second - first >= 0.1
    assert sum(first < at < second for page, at in asked_at if page != 1) >= 5
    assert len(asked_at) == 11
    level, message = source.logged[0]
    assert level == "warning"
    assert message.startswith("The source asked to slow down (Too many requests): a page pauses for 0.1 s")


def test_a_storm_of_busy_answers_costs_no_try_and_halves_the_requests() -> None:
    left = iter(range(40))

    def on_fetch(items: Sequence[int]) -> None:
        if next(left, None) is not None:
            raise SourceBusy("Too many requests.")

    source = Numbers(on_fetch=on_fetch)
    assert source.read() == ALL
    assert len(source.asked) == 10 + 40
    assert source.peak <= 2
    assert [level for level, _ in source.logged].count("warning") == 1, "a storm is one warning a minute"


def test_a_busy_list_pauses_and_a_lost_list_is_reported_after_everything_before_it() -> None:
    busy = iter([SourceBusy("Too many requests."), SourceUnavailable("It is away.")] * 2)

    def on_list(place: int) -> None:
        if place == 2 and (error := next(busy, None)):
            raise error
        if place == 6:
            raise CursorLost("The token has expired.")

    source = Numbers(on_list=on_list)
    got: list[Fetched[int, bytes]] = []
    with pytest.raises(CursorLost):
        source.read(got)
    assert numbers(got) == ALL[: 6 * PAGE]


# ---------------------------------------------------------------- sizes


def too_large_above(most: int) -> Callable[[Sequence[int]], None]:
    def on_fetch(items: Sequence[int]) -> None:
        if len(items) > most:
            raise AnswerTooLarge("The answer is too large.")

    return on_fetch


def test_a_page_that_is_too_large_is_asked_for_in_smaller_parts_and_later_ones_too() -> None:
    source = Numbers(pages=12, on_fetch=too_large_above(3), limits=replace(LIMITS, most_at_once=1))
    got: list[Fetched[int, bytes]] = []
    assert source.read(got) == list(range(12 * PAGE))
    assert [len(asked) for asked in source.asked[:7]] == [10, 5, 2, 2, 2, 2, 2]
    assert [(fetched.place, fetched.first) for fetched in got[:6]] == [
        (None, 0), (None, 2), (None, 4), (None, 6), (None, 8), (1, 0),
    ]  # fmt: skip
    refused = sum(len(asked) > 3 for asked in source.asked)
    assert refused < 7, "later pages are not asked for whole each time"


def test_pages_grow_again_after_a_part_of_the_list_with_large_rows() -> None:
    def on_fetch(items: Sequence[int]) -> None:
        if items[0] < 10 and len(items) > 5:
            raise AnswerTooLarge("The answer is too large.")

    source = Numbers(pages=20, on_fetch=on_fetch, limits=replace(LIMITS, most_at_once=1))
    assert source.read() == list(range(20 * PAGE))
    assert len(source.asked[-1]) == PAGE


def test_one_item_that_is_too_large_is_reported_after_all_items_before_it() -> None:
    def on_fetch(items: Sequence[int]) -> None:
        if 34 in items:
            raise AnswerTooLarge("The answer is too large.")

    source = Numbers(on_fetch=on_fetch)
    got: list[Fetched[int, bytes]] = []
    with pytest.raises(AnswerTooLarge):
        source.read(got)
    assert numbers(got) == ALL[:34]


@pytest.mark.parametrize("held_bytes", [1, 150, 200, 350, 1000])
def test_the_answers_that_are_held_never_have_more_bytes_than_allowed(held_bytes: int) -> None:
    """Each answer may have 100 bytes. One is always let in."""
    held, peaks, lock = [0], [0], threading.Lock()

    def hold(change: int) -> None:
        with lock:
            held[0] += change
            peaks.append(held[0])

    def fetch(items: Sequence[int], stop: StopToken) -> bytes:
        hold(100)
        time.sleep(0.0005)
        return bytes(100)

    limits = replace(LIMITS, held_bytes=held_bytes, answer_bytes=100)
    source = Numbers(pages=40)
    for fetched in fetch_in_order(source.list_after, fetch, len, StopToken(), limits=limits):
        time.sleep(0.001)
        assert len(fetched.answer) == 100
        hold(-100)
    assert 100 <= max(peaks) <= max(100, held_bytes)
    assert (max(peaks) > 200) == (held_bytes > 300)


# ---------------------------------------------------------------- stops


def hang(stop: StopToken) -> None:
    stop.wait(30)


def pause(stop: StopToken) -> None:
    raise SourceBusy("Too many requests.", retry_after_seconds=30)


@pytest.mark.parametrize("trouble", [hang, pause])
@pytest.mark.parametrize("where", ["list", "fetch"])
def test_a_stop_ends_the_read_within_half_a_second(where: str, trouble: Callable[[StopToken], None]) -> None:
    source, stop, reason = Numbers(), StopToken(), Canceled("Stopped by the test.")
    started = threading.Event()

    def list_after(place: int | None, stop: StopToken) -> Listed[int]:
        if where == "list" and place == 3:
            started.set()
            trouble(stop)
        return source.list_after(place, stop)

    def fetch(items: Sequence[int], stop: StopToken) -> bytes:
        if where == "fetch" and items[0] == 30:
            started.set()
            trouble(stop)
        return bytes(items)

    got: list[Fetched[int, bytes]] = []
    stopped_at = [0.0]

    def request_stop() -> None:
        started.wait(5)
        while len(got) < 3:
            time.sleep(0.001)
        stopped_at[0] = time.monotonic()
        stop.stop(reason)

    threading.Thread(target=request_stop).start()
    stream = fetch_in_order(list_after, fetch, len, stop, limits=LIMITS)
    with pytest.raises(Canceled) as caught:
        got.extend(stream)
    assert time.monotonic() - stopped_at[0] < 0.5
    assert caught.value is reason
    assert numbers(got) == ALL[: 3 * PAGE]


def test_a_read_left_early_ends_its_requests() -> None:
    source, stop = Numbers(), StopToken()

    def fetch(items: Sequence[int], stop: StopToken) -> bytes:
        if items[0]:
            stop.wait(30)
        return bytes(items)

    stream = fetch_in_order(source.list_after, fetch, len, stop, limits=LIMITS)
    next(stream)
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < 0.5
    assert not stop.is_stopped, "the token of the caller is untouched"
