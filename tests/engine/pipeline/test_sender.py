"""Byte budget: limits the bytes of batches in memory."""

from __future__ import annotations

import threading

import pytest

from migrations_app.engine.errors import Canceled
from migrations_app.engine.pipeline.sender import ByteBudget
from migrations_app.engine.stop_token import StopToken
from tests.engine.pipeline.moves import wait_until


def take_in_thread(budget: ByteBudget, size_bytes: int, taken: list[int]) -> threading.Thread:
    def take() -> None:
        budget.take(size_bytes)
        taken.append(size_bytes)

    thread = threading.Thread(target=take)
    thread.start()
    return thread


def test_a_batch_waits_until_the_budget_has_room() -> None:
    budget, taken = ByteBudget(100, StopToken()), []
    budget.take(60)
    waiting = take_in_thread(budget, 50, taken)
    budget.take(40)
    assert taken == []
    budget.give(40)
    assert taken == []
    budget.give(60)
    waiting.join(10)
    assert taken == [50]


def test_a_batch_larger_than_the_whole_budget_is_admitted_alone() -> None:
    budget, taken = ByteBudget(100, StopToken()), []
    budget.take(1)
    waiting = take_in_thread(budget, 500, taken)
    assert taken == []
    budget.give(1)
    waiting.join(10)
    assert taken == [500]


def test_a_stop_ends_the_wait_for_room() -> None:
    stop = StopToken()
    budget, raised = ByteBudget(100, stop), []
    budget.take(100)

    def take() -> None:
        with pytest.raises(Canceled):
            budget.take(1)
        raised.append(True)

    waiting = threading.Thread(target=take)
    waiting.start()
    stop.stop(Canceled("Stopped by the test."))
    wait_until(lambda: raised == [True])
    waiting.join()
    with pytest.raises(Canceled):
        budget.take(0)
