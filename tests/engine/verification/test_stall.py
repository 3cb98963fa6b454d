from migrations_app.engine.verification.stall import LONGEST_LOOK_SECONDS, StallDetector


def test_what_moves_is_never_idle():
    watch = StallDetector()
    for second in range(100):
        watch = watch.look(second, 1000.0 + second)
    assert watch.idle_seconds == 0


def test_what_stands_still_is_idle_for_as_long_as_it_was_looked_at():
    watch = StallDetector()
    for second in range(0, 100, 2):
        watch = watch.look(["loading", 40], 1000.0 + second)
    assert watch.idle_seconds == 98
    assert watch.look(["loading", 41], 1100.0).idle_seconds == 0


def test_a_time_in_which_nobody_looked_is_no_standing_still():
    watch = StallDetector().look(40, 1000.0).look(40, 1002.0).look(40, 90_000.0)
    assert watch.idle_seconds == 2 + LONGEST_LOOK_SECONDS
    # A clock that was set back takes nothing away.
    assert watch.look(40, 10.0).idle_seconds == watch.idle_seconds
