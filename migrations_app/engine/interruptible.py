"""Interruptible calls: calls of libraries that cannot be stopped from outside, such as finding a host."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

# How often a wait looks for a stop.
STEP_SECONDS = 0.2


def interruptible(
    call: Callable[[], Result],
    check: Callable[[], None],
    discard: Callable[[Result], object] = lambda result: None,
) -> Result:
    """Run ``call`` in another thread, and return what it returns or raise what it raises.

    ``check`` is called again and again in the meantime. If it raises, this function raises the same: the call
    is left to end by itself, and ``discard`` gets its result.
    """
    results: list[Result] = []
    failures: list[BaseException] = []
    lock, is_over, is_left = threading.Lock(), threading.Event(), threading.Event()

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 (raised again in the waiting thread)
            failures.append(error)
        with lock:
            is_over.set()
        if is_left.is_set() and results:
            discard(results.pop())

    threading.Thread(target=run, name="interruptible", daemon=True).start()
    is_over.wait(STEP_SECONDS / 10)
    while not is_over.is_set():
        try:
            check()
        except BaseException:
            with lock:
                if not is_over.is_set():
                    is_left.set()
            if not is_left.is_set() and results:
                discard(results.pop())
            raise
        is_over.wait(STEP_SECONDS)
    if failures:
        raise failures[0]
    return results[0]
