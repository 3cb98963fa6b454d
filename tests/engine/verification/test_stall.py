"""Stall detector: counts how long a value has not changed."""

from migrations_app.engine.verification.stall import LONGEST_LOOK_SECONDS, StallDetector


def test_a_value_that_changes_is_never_idle():
    detector = StallDetector()
    for second in range(100):
        detector = detector.look(second, 1000.0 + second)
    assert detector.idle_seconds == 0


def test_an_unchanged_value_is_idle_for_the_observed_time():
    detector = StallDetector()
    for second in range(0, 100, 2):
        detector = detector.look(["loading", 40], 1000.0 + second)
    assert detector.idle_seconds == 98
    assert detector.look(["loading", 41], 1100.0).idle_seconds == 0


def test_time_without_a_look_does_not_count_as_idle():
    detector = StallDetector().look(40, 1000.0).look(40, 1002.0).look(40, 90_000.0)
    assert detector.idle_seconds == 2 + LONGEST_LOOK_SECONDS
    # A clock that is set back does not reduce the idle time.
    assert detector.look(40, 10.0).idle_seconds == detector.idle_seconds
