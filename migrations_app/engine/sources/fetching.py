"""Fetching: one lister feeds several fetchers, and their answers come in order.

For sources that list their rows (keys, files, pages) and fetch them in separate requests::

    list_after ──items──▶ │ fetchers │ ──answers, in the order of the list──▶ reader
     (one thread)           (threads)

The lister runs ahead. A request that fails is tried again alone, while the others continue. If the source
asks to slow down, the request pauses, and fewer requests run at once. If an answer is too large, the items
are asked for again in smaller parts. The answers that are held never have more bytes than allowed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from migrations_app.engine.errors import AnswerTooLarge, FerryError, Interrupted, SourceBusy
from migrations_app.engine.log import Log, silent
from migrations_app.engine.pacing.retry_policy import RetryPolicy
from migrations_app.engine.sources.fetch_pace import Pace, Permit, Tries
from migrations_app.engine.stop_token import StopToken

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Listed(Generic[Item]):
    """One part of the list. ``next`` is the place where it continues, None at its end."""

    items: Sequence[Item]
    next: Any = None


@dataclass(frozen=True, slots=True)
class Fetched(Generic[Item, Answer]):
    """The answer for some items. They are those of the list from ``place``, from its item ``first`` on."""

    items: Sequence[Item]
    answer: Answer
    place: Any
    first: int


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """How to fetch. The best number of requests at once is found by measuring, up to ``most_at_once``.

    ``held_bytes``: all answers that have arrived or are on their way, including the one that the reader works
    on. ``answer_bytes``: the most that one answer may have; ``fetch`` must raise ``AnswerTooLarge`` above it.
    With less than two of them in ``held_bytes``, there is one request at a time. The lister is at most
    ``ahead`` parts of the list ahead. ``retry`` is for one request; a pause of a busy source costs no try.
    """

    most_at_once: int = 8
    held_bytes: int = 64 * 1024 * 1024
    answer_bytes: int = 8 * 1024 * 1024
    ahead: int = 32
    retry: RetryPolicy = field(default_factory=lambda: RetryPolicy(tries=5))


def fetch_in_order(
    list_after: Callable[[Any, StopToken], Listed[Item]],
    fetch: Callable[[Sequence[Item], StopToken], Answer],
    size_of: Callable[[Answer], int],
    stop: StopToken,
    *,
    after: Any = None,
    limits: FetchLimits | None = None,
    log: Log = silent,
) -> Generator[Fetched[Item, Answer]]:
    """Yield the answers for all items of the list from the place ``after`` on (None: its beginning).

    ``list_after`` and ``fetch`` are called from other threads and must obey their token within half a second.
    The error of a request is raised after the answers of all items before it were yielded; ``AnswerTooLarge``
    only for a single item. All threads have ended when the generator ends or is closed.
    """
    fetching = _Fetching(list_after, fetch, size_of, stop, limits or FetchLimits(), log)
    try:
        fetching.start(after)
        yield from fetching.answers()
    finally:
        fetching.close()


@dataclass(slots=True, eq=False)
class _Page(Generic[Item, Answer]):
    """The items of one part of the list. ``ready``: answers that the reader has not taken, with sizes."""

    items: Sequence[Item]
    place: Any
    ready: deque[tuple[Fetched[Item, Answer], int]] = field(default_factory=deque)
    is_done: bool = False
    error: BaseException | None = None


class _Fetching(Generic[Item, Answer]):
    def __init__(
        self,
        list_after: Callable[[Any, StopToken], Listed[Item]],
        fetch: Callable[[Sequence[Item], StopToken], Answer],
        size_of: Callable[[Answer], int],
        stop: StopToken,
        limits: FetchLimits,
        log: Log,
    ) -> None:
        self._list_after = list_after
        self._fetch = fetch
        self._size_of = size_of
        self._stop = stop.child()
        self._limits = limits
        self._log = log
        self._pace = Pace(limits.most_at_once, log)
        self._threads: list[threading.Thread] = []
        # Guards everything below.
        self._changed = threading.Condition()
        # In the order of the list: those that the reader has not finished, and those that nobody fetches yet.
        self._pages: deque[_Page[Item, Answer]] = deque()
        self._todo: deque[_Page[Item, Answer]] = deque()
        self._is_listed = False
        self._list_error: BaseException | None = None
        self._has_failed = False
        self._held_bytes = 0
        self._in_flight = 0
        self._is_awaited = False

    def start(self, after: Any) -> None:
        self._stop.on_stop(lambda _: self._wake())
        fetchers = (self._run_fetcher for _ in range(self._limits.most_at_once))
        for number, run in enumerate((lambda: self._run_lister(after), *fetchers)):
            thread = threading.Thread(target=run, name=f"fetch-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        self._stop.stop(Interrupted("The read was closed."))
        for thread in self._threads:
            thread.join()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _wait_for(self, is_so: Callable[[], bool]) -> None:
        """Wait under the lock. Raises the reason of a stop."""
        while not is_so():
            self._stop.check()
            self._changed.wait()
        self._stop.check()

    # ------------------------------------------------------------ reader

    def answers(self) -> Iterator[Fetched[Item, Answer]]:
        while (taken := self._take()) is not None:
            fetched, size_bytes = taken
            yield fetched
            del fetched, taken
            with self._changed:
                self._held_bytes -= size_bytes
                self._changed.notify_all()

    def _take(self) -> tuple[Fetched[Item, Answer], int] | None:
        """Wait for the next answer. None at the end of the list."""
        with self._changed:
            self._is_awaited = True
            self._changed.notify_all()
            try:
                while True:
                    self._wait_for(self._has_news)
                    if not self._pages:
                        if self._list_error is not None:
                            raise self._list_error
                        return None
                    page = self._pages[0]
                    if page.ready:
                        return page.ready.popleft()
                    if page.error is not None:
                        raise page.error
                    self._pages.popleft()
                    self._changed.notify_all()
            finally:
                self._is_awaited = False

    def _has_news(self) -> bool:
        if not self._pages:
            return self._is_listed
        page = self._pages[0]
        return bool(page.ready) or page.is_done

    # ------------------------------------------------------------ lister

    def _run_lister(self, place: Any) -> None:
        error: BaseException | None = None
        try:
            while True:
                with self._changed:
                    self._wait_for(lambda: len(self._todo) < self._limits.ahead)
                listed = self._list(place)
                with self._changed:
                    page: _Page[Item, Answer] = _Page(listed.items, place)
                    self._pages.append(page)
                    self._todo.append(page)
                    self._changed.notify_all()
                if listed.next is None:
                    return
                place = listed.next
        except BaseException as caught:  # noqa: BLE001 (raised again by the reader)
            error = caught
        finally:
            with self._changed:
                self._list_error, self._is_listed = error, True
                self._changed.notify_all()

    def _list(self, place: Any) -> Listed[Item]:
        tries = Tries(self._limits.retry)
        while True:
            try:
                return self._list_after(place, self._stop)
            except FerryError as error:
                seconds = tries.failed(error)
                self._pace.note(error, "The list", seconds)
            self._stop.wait(seconds)

    # ------------------------------------------------------------ fetchers

    def _run_fetcher(self) -> None:
        while (page := self._claim()) is not None:
            try:
                self._fetch_page(page)
            except BaseException as error:  # noqa: BLE001 (raised again by the reader)
                page.error = error
            with self._changed:
                page.is_done = True
                self._has_failed |= page.error is not None
                self._changed.notify_all()

    def _claim(self) -> _Page[Item, Answer] | None:
        """Return the next page to fetch, or None if there is none. After a failed page, none is needed."""
        with self._changed:
            while not (self._todo or self._is_listed or self._has_failed or self._stop.is_stopped):
                self._changed.wait()
            if self._has_failed or self._stop.is_stopped or not self._todo:
                return None
            self._changed.notify_all()
            return self._todo.popleft()

    def _fetch_page(self, page: _Page[Item, Answer]) -> None:
        first, tries = 0, Tries(self._limits.retry)
        while first < len(page.items):
            items = page.items[first : first + self._pace.most_items(len(page.items))]
            try:
                self._fetch_part(page, items, first)
            except AnswerTooLarge as error:
                if len(items) == 1:
                    raise
                self._pace.shrink(len(items), error)
                self._stop.wait(error.retry_after_seconds or 0.0)
            except FerryError as error:
                seconds = tries.failed(error)
                self._pace.note(error, "A page", seconds)
                self._stop.wait(seconds)
            else:
                first, tries = first + len(items), Tries(self._limits.retry)

    def _fetch_part(self, page: _Page[Item, Answer], items: Sequence[Item], first: int) -> None:
        with self._permit(page) as permit:
            try:
                answer = self._fetch(items, self._stop)
            except SourceBusy:
                self._pace.slow_down(permit)
                raise
            size_bytes = self._size_of(answer)
            with self._changed:
                # The bytes that the permit reserved become those of the answer.
                self._held_bytes += size_bytes
                page.ready.append((Fetched(items, answer, page.place, first), size_bytes))
                permit.was_full = self._in_flight >= self._pace.limit
                self._changed.notify_all()
        self._pace.succeeded(permit, size_bytes, len(items))
        self._wake()  # more requests may be allowed now

    @contextmanager
    def _permit(self, page: _Page[Item, Answer]) -> Iterator[Permit]:
        """Wait until another request may run, and reserve the bytes of its answer."""
        reserved = self._limits.answer_bytes
        with self._changed:
            self._wait_for(lambda: self._in_flight < self._pace.limit and self._has_room(page))
            self._held_bytes += reserved
            self._in_flight += 1
            permit = Permit(self._pace.epoch)
        try:
            yield permit
        finally:
            with self._changed:
                self._held_bytes -= reserved
                self._in_flight -= 1
                self._changed.notify_all()

    def _has_room(self, page: _Page[Item, Answer]) -> bool:
        """True if one more answer may be held. Room for one is left for the page that the reader waits for:
        it must never wait for the room of later ones."""
        if self._is_awaited and page is self._pages[0] and not page.ready:
            return True
        return self._held_bytes + 2 * self._limits.answer_bytes <= self._limits.held_bytes
