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


def reason_of(beat, terms=TERMS, patience_seconds=10.0):
    """Why the work under this heartbeat had to stop."""
    stop = StopToken()
    with Heartbeat(beat, terms, stop, time.monotonic()):
        end = time.monotonic() + patience_seconds
        while not stop.is_stopped and time.monotonic() < end:
            time.sleep(0.02)
    return stop.reason


def test_it_beats_until_the_work_is_done():
    beats = threading.Semaphore(0)
    stop = StopToken()
    with Heartbeat(lambda: beats.release(), TERMS, stop, time.monotonic()):
        assert beats.acquire(timeout=10)
        assert beats.acquire(timeout=10)
    assert stop.reason is None
    assert threading.active_count() == 1 or "heartbeat" not in {t.name for t in threading.enumerate()}


def test_what_a_beat_brings_back_stops_the_work():
    canceled = Canceled("Stop.")
    assert reason_of(lambda: canceled) is canceled


def test_a_database_that_is_away_for_a_moment_stops_nothing():
    beats, back = [], threading.Event()

    def beat():
        beats.append(1)
        if len(beats) < 3:
            raise OperationalError("The database is away.")
        back.set()

    stop = StopToken()
    with Heartbeat(beat, Terms(30, 0.2), stop, time.monotonic()):
        assert back.wait(10)
    assert stop.reason is None


def test_a_database_that_stays_away_stops_the_work_when_the_lease_is_over():
    started = time.monotonic()

    def beat():
        raise OperationalError("The database is away.")

    reason = reason_of(beat)
    assert isinstance(reason, LeaseLost)
    assert time.monotonic() - started >= TERMS.lease_seconds


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_heartbeat_that_broke_stops_the_work():
    def beat():
        raise ZeroDivisionError

    assert isinstance(reason_of(beat), LeaseLost)


def test_a_worker_that_is_to_end_stops_its_work_at_once(monkeypatch):
    monkeypatch.setattr(heartbeat.drain, "is_requested", True)
    assert isinstance(reason_of(lambda: None, Terms(600, 200)), Draining)
