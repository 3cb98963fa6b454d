"""Stop token and deadline: reasons, children, callbacks and waits."""

from __future__ import annotations

import threading
import time

import pytest

from migrations_app.engine.errors import Canceled, Draining, Interrupted
from migrations_app.engine.stop_token import Deadline, StopToken


def test_the_first_reason_wins() -> None:
    stop = StopToken()
    stop.stop(Canceled("First."))
    stop.stop(Draining("Second."))
    with pytest.raises(Canceled, match=r"First\."):
        stop.check()


def test_a_stop_ends_a_wait_at_once() -> None:
    stop = StopToken()
    threading.Timer(0.01, stop.stop, [Canceled("Now.")]).start()
    with pytest.raises(Canceled):
        stop.wait(600)


def test_a_child_stops_with_its_parent_and_also_alone() -> None:
    parent = StopToken()
    first, second = parent.child(), parent.child()
    first.stop(Draining("Only this one."))
    assert not parent.is_stopped
    assert not second.is_stopped
    parent.stop(Canceled("All."))
    assert isinstance(first.reason, Draining)
    assert isinstance(second.reason, Canceled)
    assert isinstance(parent.child().reason, Canceled), "a child that is created later is stopped, too"


def test_a_stop_callback_is_called_once() -> None:
    stop = StopToken()
    seen: list[Interrupted] = []
    stop.on_stop(seen.append)
    reason = Canceled("Now.")
    stop.stop(reason)
    stop.stop(reason)
    assert seen == [reason]
    stop.on_stop(seen.append)
    assert seen == [reason, reason], "already stopped: the callback is called at once"


def test_a_deadline_ends_after_its_seconds_or_never() -> None:
    assert Deadline(0).is_over
    assert not Deadline(600).is_over
    assert not Deadline().is_over
    short = Deadline(0.001)
    time.sleep(0.002)
    assert short.is_over
