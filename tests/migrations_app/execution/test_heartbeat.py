"""Heartbeat: renews a lease in the background and stops the work if it cannot."""

import threading
import time

import pytest
from django.db import OperationalError

from migrations_app.engine.errors import Canceled, Draining, LeaseLost
from migrations_app.engine.stop_token import StopToken
from migrations_app.execution import heartbeat
from migrations_app.execution.heartbeat import Heartbeat
from migrations_app.execution.lease import Terms

pytestmark = pytest.mark.database

TERMS = Terms(lease_seconds=0.9, interval_seconds=0.3)


def stop_reason(beat, terms=TERMS, timeout_seconds=10.0):
    """Return the error that stops the work under this heartbeat."""
    stop = StopToken()
    with Heartbeat(beat, terms, stop, time.monotonic()):
        end = time.monotonic() + timeout_seconds
        while not stop.is_stopped and time.monotonic() < end:
            time.sleep(0.02)
    return stop.reason


def test_a_heartbeat_beats_until_the_work_is_done():
    beats = threading.Semaphore(0)
    stop = StopToken()
    with Heartbeat(lambda: beats.release(), TERMS, stop, time.monotonic()):
        assert beats.acquire(timeout=10)
        assert beats.acquire(timeout=10)
    assert stop.reason is None
    assert threading.active_count() == 1 or "heartbeat" not in {t.name for t in threading.enumerate()}


def test_an_error_that_a_beat_returns_stops_the_work():
    canceled = Canceled("Stop.")
    assert stop_reason(lambda: canceled) is canceled


def test_a_short_database_outage_does_not_stop_the_work():
    beats, recovered = [], threading.Event()

    def beat():
        beats.append(1)
        if len(beats) < 3:
            raise OperationalError("The database is away.")
        recovered.set()

    stop = StopToken()
    with Heartbeat(beat, Terms(30, 0.2), stop, time.monotonic()):
        assert recovered.wait(10)
    assert stop.reason is None


def test_a_long_database_outage_stops_the_work_when_the_lease_expires():
    started = time.monotonic()

    def beat():
        raise OperationalError("The database is away.")

    reason = stop_reason(beat)
    assert isinstance(reason, LeaseLost)
    assert time.monotonic() - started >= TERMS.lease_seconds


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_heartbeat_that_crashes_stops_the_work():
    def beat():
        raise ZeroDivisionError

    assert isinstance(stop_reason(beat), LeaseLost)


def test_a_draining_worker_stops_its_work_at_once(monkeypatch):
    monkeypatch.setattr(heartbeat.drain, "is_requested", True)
    assert isinstance(stop_reason(lambda: None, Terms(600, 200)), Draining)
